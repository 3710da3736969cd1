"""quality --scale: whether the results hang on a limit of quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd

from emoclip_clinic import features, files
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.cohorts import Question, holdout_csv
from emoclip_clinic.pipeline.fitting import design_of
from emoclip_clinic.pipeline.materials import Material, gather
from emoclip_clinic.pipeline.quality_tables import read_windows, windows_csv
from emoclip_clinic.pipeline.refitting import METRICS, Trial, at_limits
from emoclip_clinic.pipeline.sources import encoder_label, feature_files, scale_file
from emoclip_clinic.quality import MEASURES, Measure
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.regression import Recipe
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.report.numbers import count, number
from emoclip_clinic.resources import close_matches
from emoclip_clinic.study import Study
from emoclip_clinic.thresholds import grid, measure_of

__all__ = ["current_csvs", "sensitivity", "sensitivity_csv", "sensitivity_stage"]

KINDS = ("total", "subscale", "item")
VALUES = ["value", "ci_low", "ci_high", "value_all_windows"]


def sensitivity_csv(study: Study, scale_id: str, measure: str) -> Path:
    """Hold the performance at several limits of a measure."""
    return study.model_dir(scale_id) / f"quality_{measure}.csv"


def sensitivity_stage(scale_id: str, measure: str) -> str:
    """Name the stage in provenance/: there is one a scale and measure."""
    return f"quality-{scale_id}-{measure}"


@alone
def sensitivity(
    study: Study,
    scale_id: str,
    measure: str,
    *,
    thresholds: Sequence[float] = (),
    targets: Sequence[str] = (),
    encoder: str | None = None,
    run: Runner = serially,
    progress: Progress = quiet,
) -> StageResult:
    """Cross-validate a scale again at several limits of a measure of quality.

    At each limit the windows beyond it are left out, in training and in testing, and the models
    are fitted anew; each participant stays in the folds that they have with all windows. Beside it
    stands what the models of all windows reach on the same recordings: the difference between the
    two is of the windows, not of who is left. Limits and targets are best chosen beforehand: the
    limit that gives the highest number is not a result.

    Parameters
    ----------
    study
        Encoded, and rated on the scale.
    scale_id, measure
        Such as "panss" and "face_size_px".
    thresholds
        In the unit of the measure; its usual ones if empty.
    targets
        Those of [report] primary in study.toml if empty; else the total, or the first subscale or
        item.
    encoder
        In place of what study.toml says.
    run, progress
        As for `fit`.

    Returns
    -------
    StageResult
        It names models/SCALE/quality_MEASURE.csv: COLUMNS, a row a threshold (empty: all windows),
        target and metric. A threshold at which too few participants are left has its reason in
        `note`, and no value.

    Raises
    ------
    SettingsError
        The measure, a target or a threshold is unknown.
    StudyError, ScaleError, RatingsError, TooFewError
        As for `fit`.
    """
    chosen = measure_of(measure)
    label = encoder_label(encoder or study.settings.encode.encoder)
    settings = study.settings.fit
    limits = _limits(chosen, thresholds)
    seed = study.settings.study.seed
    asked = {"encoder": label, "limits": limits, "targets": list(targets), "seed": seed}
    primary = list(study.settings.report.primary)
    stamp = study.stamp(
        sensitivity_stage(scale_id, measure),
        _inputs(study, scale_id, label),
        {**asdict(settings), **asked, "primary": primary},
    )
    path = sensitivity_csv(study, scale_id, measure)
    fresh = study.is_fresh(stamp)
    if not fresh:
        trial = _trial(study, scale_id, label, targets, run)
        told = partial(progress, "limits")
        table = at_limits(trial, chosen, limits, told)
        files.write_csv(path, table)
        study.record(stamp, [path])
    return _result(study, scale_id, chosen, path, fresh)


def _inputs(study: Study, scale_id: str, label: str) -> list[Path]:
    return [
        *feature_files(study, label),
        *(windows_csv(study.features_dir(label)), study.recordings_csv, study.participants_csv),
        *(scale_file(study, scale_id), holdout_csv(study), *study.ratings_files(scale_id)),
    ]


def current_csvs(study: Study, scale_id: str, label: str) -> list[Path]:
    """Find the tables of `sensitivity` that were made from what the study holds now."""
    now = study.stamp("", _inputs(study, scale_id, label), {}).inputs
    paths = []
    for measure in MEASURES:
        path = sensitivity_csv(study, scale_id, measure.name)
        record = study.provenance(sensitivity_stage(scale_id, measure.name)) or {}
        if path.is_file() and record.get("inputs") == now:
            paths.append(path)
    return paths


def _limits(measure: Measure, thresholds: Sequence[float]) -> list[tuple[str, float]]:
    """Pair each threshold with its side; usual ones where none is given."""
    if not thresholds:
        return list(grid(measure))
    if measure.worse == "both":
        usual = ", ".join(f"{end} {value:g}" for end, value in grid(measure))
        raise SettingsError(
            f"--at: both ends of {measure.name} can be bad, so a threshold alone does not say "
            f"which is meant. Leave --at out to try {usual}."
        )
    wrong = [value for value in thresholds if not 0 <= value <= measure.largest]
    if wrong:
        raise SettingsError(f"--at {wrong[0]:g}; allowed: 0 to {measure.largest:g}.")
    end = "min" if measure.worse == "low" else "max"
    return [(end, float(value)) for value in thresholds]


def _trial(study: Study, scale_id: str, label: str, targets: Sequence[str], run: Runner) -> Trial:
    settings, seed = study.settings.fit, study.settings.study.seed
    material = gather(study, scale_id, label, settings)
    _, left_out = Question().manifest(study, material.analysed)
    material = material.without(left_out)
    table = features.read_folder(study.features_dir(label), list(material.inputs.recordings))
    known = read_windows(study.features_dir(label))
    keys = ["recording", "window"]
    windows = table.segments[keys].merge(known, on=keys, how="left", validate="one_to_one")
    names = list(dict.fromkeys((settings.models[0], "mean")))
    recipes = [Recipe.parse(name, settings.pooling) for name in names]
    return Trial(
        material, table, windows, _targets(study, material, targets), recipes,
        design_of(settings, seed), settings, run,
    )  # fmt: skip


def _targets(study: Study, material: Material, asked: Sequence[str]) -> list[str]:
    known = [str(name) for name in material.targets]
    for name in asked:
        if name not in known:
            raise SettingsError(
                f"target = {name!r}. {close_matches(name, known)}Allowed: {', '.join(known)}."
            )
    primary = [name for name in study.settings.report.primary if name in known]
    # as the report does
    order = sorted(known, key=lambda name: KINDS.index(material.kinds[name]))
    return list(asked) or primary or order[:1]


def _result(study: Study, scale_id: str, measure: Measure, path: Path, fresh: bool) -> StageResult:
    table = pd.read_csv(path, dtype={"limit": str, "note": str, "target": str}, na_values=[""])
    # where nothing could be fitted, one row stands for all its metrics
    unfitted = table["ci_low"].isna() & table["value"].isna() & table["value_all_windows"].isna()
    lost = table[unfitted & table["limit"].notna() & table["metric"].eq(METRICS[0])]
    return StageResult(
        stage="quality",
        message="up to date." if fresh else f"{scale_id} at {_n_limits(table)} of {measure.name}.",
        written=(path,),
        exclusions=exclusion_table(
            Exclusion("quality", "target", row["target"], f"at {row['threshold']:g}: {row['note']}")
            for row in lost.to_dict("records")
        ),
        summary={"n_limits": table["threshold"].nunique()},
        table=_shown(table),
        words=(
            "r and CCC have 95 % intervals; 'all' is what the models of all windows reach on the "
            "same recordings. Choose a limit before you see this, not by it.",
        ),
        next_command=f"emoclip-clinic report --scale {scale_id}",
    )


def _n_limits(table: pd.DataFrame) -> str:
    n = table["threshold"].nunique()
    return f"{n} limit" + "s" * (n != 1)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Write the table as texts, a row a target and threshold."""
    rows = []
    for (target, limit, threshold), own in table.groupby(
        ["target", "limit", "threshold"], sort=False, dropna=False
    ):
        first = own.iloc[0]
        by_metric = own.set_index("metric")[VALUES].to_dict("index")
        shown = {
            "target": target,
            "limit": f"{limit} {threshold:g}" if isinstance(limit, str) else "none",
            "windows": count(first["n_windows"]),
            "n": count(first["n_participants"]),
        }
        for metric, name in (("pearson", "r"), ("ccc", "CCC")):
            found = by_metric[metric]
            value, low, high, beside = (number(found[key]) for key in VALUES)
            shown[name] = f"{value} [{low}, {high}]"
            shown[f"all {name}"] = beside
        rows.append(shown)
    return pd.DataFrame(rows)
