"""fit: predict every score of a scale from the recordings, validated across participants."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import features, files, matching, predictions, scales
from emoclip_clinic.errors import SettingsError, StudyError, TooFewError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.encoding import encode_stage
from emoclip_clinic.pipeline.sources import (
    Rated,
    encoder_label,
    feature_files,
    read_rated,
    require_recordings,
    scale_file,
)
from emoclip_clinic.regression import (
    Design,
    Features,
    cross_validate,
    fit_model,
    performance,
    save,
)
from emoclip_clinic.regression.archive import FILES
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.settings import FitSettings
from emoclip_clinic.study import Study

__all__ = ["ENCODING_JSON", "design_of", "fit", "fit_stage"]

ESTIMATOR = "ridge"
BASELINE = "mean"
POOLING = "mean_sd"
ENCODING_JSON = "encoding.json"
"""Beside a model: encoder, protocol and face finder, so that new recordings are encoded alike."""
TABLES = ("performance.csv", "splits.csv", "exclusions.csv")


def fit_stage(scale_id: str) -> str:
    """Name the stage in provenance/: there is one a scale."""
    return f"fit-{scale_id}"


def design_of(settings: FitSettings, seed: int) -> Design:
    """Make the design of the cross-validation that study.toml asks for.

    Raises
    ------
    SettingsError
        `cv` is neither repeated nor lopo.
    """
    if settings.cv not in ("repeated", "lopo"):
        raise SettingsError(f"cv = {settings.cv!r}; allowed: repeated, lopo")
    return Design(
        kind="lopo" if settings.cv == "lopo" else "repeated",
        n_folds=settings.folds,
        n_repeats=settings.repeats,
        n_inner_folds=settings.inner_folds,
        seed=seed,
    )


def fit(
    study: Study,
    scale_id: str,
    *,
    cv: str | None = None,
    encoder: str | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Cross-validate and fit every item, subscale and total of a scale.

    Parameters
    ----------
    study
        Its recordings must be encoded and its ratings there.
    scale_id
        A scale such as "panss".
    cv, encoder
        In place of what study.toml says.
    progress
        Told after every fold.

    Raises
    ------
    StudyError, ScaleError, RatingsError, TooFewError
        Features or ratings are missing or wrong, or there are fewer participants than folds.
    """
    settings = study.settings.fit if cv is None else replace(study.settings.fit, cv=cv)
    design = design_of(settings, study.settings.study.seed)
    label = encoder_label(encoder or study.settings.encode.encoder)
    definition = scale_file(study, scale_id)
    require_recordings(study)
    inputs = [
        study.recordings_csv,
        *feature_files(study, label),
        *study.ratings_files(scale_id),
        definition,
    ]
    chosen = {**asdict(design), "encoder": label, "resamples": settings.resamples}
    stamp = study.stamp(fit_stage(scale_id), inputs, chosen)
    fresh = study.is_fresh(stamp)
    if not fresh:
        notes = _fit(study, scale_id, label, design, settings.resamples, progress)
        study.record(stamp, _files(study, scale_id), notes=notes)
    result = _result(study, scale_id, fresh)
    if settings.cv == study.settings.fit.cv:
        return result
    ours = f"study.toml says cv = \"{study.settings.fit.cv}\", and 'run' would fit that again"
    return replace(result, notes=(*result.notes, f'{ours}: write cv = "{cv}" there to keep this'))


def _fit(
    study: Study,
    scale_id: str,
    label: str,
    design: Design,
    n_resamples: int,
    progress: Progress,
) -> list[str]:
    """Write every file of the stage; give what there is to know beside the exclusions."""
    recordings = require_recordings(study)
    rated = read_rated(study, scale_id)
    matched, unmatched = matching.match(rated.consensus, recordings)
    table = features.read_folder(study.features_dir(label), list(matched["recording"]))
    x = Inputs.of_windows(table.vectors, table.segments["recording"].to_numpy())
    y = _wide(rated, matched)
    people = matched.set_index("recording")["participant"]
    hints = matching.id_hints(rated.consensus, recordings)
    try:
        validated = cross_validate(
            x,
            y,
            people,
            design,
            (ESTIMATOR, BASELINE),
            progress=lambda done, total: progress("cross-validation", done, total),
        )
    except TooFewError as error:
        lost = [f"{row['id']} ({row['reason']})" for row in unmatched.to_dict("records")]
        listed = f" Left out: {', '.join(lost)}." if lost else ""
        raise TooFewError(" ".join([f"{error}{listed}", *hints])) from error
    targets = scales.targets(rated.scale)
    model = fit_model(
        x,
        y,
        people,
        ESTIMATOR,
        scale=scale_id,
        features=Features(table.encoder, table.fingerprint, POOLING),
        ranges={
            name: (low, high)
            for name, low, high in targets[["target", "minimum", "maximum"]].to_numpy().tolist()
        },
        design=design,
        splits=validated.splits,
    )
    exclusions = pd.concat([unmatched, validated.exclusions], ignore_index=True)
    sessions = matched.set_index("recording")["session"]
    folder = study.model_dir(scale_id)
    out_of_fold = predictions.label(validated.predictions, scale_id, sessions)
    kinds = dict(zip(targets["target"], targets["kind"], strict=True))
    progress("bootstrap", 0, 1)
    skill = performance(out_of_fold, kinds, n_resamples=n_resamples, seed=design.seed)
    progress("bootstrap", 1, 1)
    predictions.write_predictions(study.predictions_csv(scale_id), out_of_fold)
    files.write_csv(folder / "performance.csv", skill)
    files.write_csv(folder / "splits.csv", validated.splits)
    files.write_csv(folder / "exclusions.csv", exclusions)
    save(model, folder)
    files.write_json(folder / ENCODING_JSON, _encoding(study, label))
    return [*rated.notes, *hints]


def _wide(rated: Rated, matched: pd.DataFrame) -> pd.DataFrame:
    """Consensus scores: index recording, a column a target in the scale's order, NaN if missing."""
    scores = matched.merge(rated.consensus, on=["participant", "session"])
    wide = scores.pivot(index="recording", columns="target", values="value")
    order = scales.targets(rated.scale)["target"]
    return wide[[target for target in order if target in wide]]


def _encoding(study: Study, label: str) -> dict[str, Any]:
    """Say how the recordings were encoded, so that `predict` encodes new ones alike."""
    record = study.provenance(encode_stage(label))
    if record is None:
        raise StudyError(
            "it is not known how the recordings were encoded: provenance/ lacks "
            f"{encode_stage(label)}.json. Run 'emoclip-clinic encode FOLDER' again."
        )
    return {"encoder": record["encoder"], **record["settings"]}


def _files(study: Study, scale_id: str) -> list[Path]:
    folder = study.model_dir(scale_id)
    names = (*TABLES, *FILES, ENCODING_JSON)
    return [study.predictions_csv(scale_id), *(folder / name for name in names)]


def _result(study: Study, scale_id: str, fresh: bool) -> StageResult:
    folder = study.model_dir(scale_id)
    text = {"id": str, "reason": str, "stage": str, "unit": str}
    exclusions = pd.read_csv(folder / "exclusions.csv", dtype=text, keep_default_na=False)
    skill = pd.read_csv(folder / "performance.csv", keep_default_na=False, na_values=[""])
    ridge = skill[(skill["model"] == ESTIMATOR) & (skill["metric"] == "pearson")]
    record = study.provenance(fit_stage(scale_id)) or {}
    n_people = int(skill["n_participants"].max())
    message = f"{len(ridge)} targets of {scale_id}, {n_people} participants."
    return StageResult(
        stage="fit",
        message="up to date." if fresh else message,
        written=tuple(_files(study, scale_id)),
        exclusions=exclusions,
        notes=tuple(record.get("notes", ())),
        summary={"n_targets": len(ridge), "n_participants": n_people},
        fresh=fresh,
        next_command=f"emoclip-clinic report --scale {scale_id}",
    )
