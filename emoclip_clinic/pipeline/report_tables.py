"""What a cohort's report says, read from the tables of the stages before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from emoclip_clinic import predictions, scales
from emoclip_clinic import report as pdf
from emoclip_clinic.errors import SettingsError, StudyError
from emoclip_clinic.pipeline.agreeing import agree_stage, of_cohort
from emoclip_clinic.pipeline.encoded import encode_stage, unencoded
from emoclip_clinic.pipeline.report_methods import methods_stated
from emoclip_clinic.pipeline.report_quality import quality_tables
from emoclip_clinic.pipeline.sources import (
    Rated,
    cohort_slug,
    feature_files,
    fit_stage,
    in_cohort,
    read_participants,
    reported_model,
    require_recordings,
    scale_file,
)
from emoclip_clinic.quality import general
from emoclip_clinic.recordings import exclusion_table, exclusions
from emoclip_clinic.regression import performance
from emoclip_clinic.report.checklists import FOLDER, read_checklist
from emoclip_clinic.report.profiles import profile
from emoclip_clinic.report.questions import QUESTIONS
from emoclip_clinic.resources import names
from emoclip_clinic.segments import is_window
from emoclip_clinic.study import Study

__all__ = ["gather", "quality_files", "question_files", "stale"]

TEXTS = {
    "fit": ("target", "group", "note"),
    "agree": (
        *("target", "rater_a", "rater_b", "rater", "group", "level", "from_session"),
        *("to_session", "note"),
    ),
}
"""Columns that are text, also where they look like numbers, by the stage of a table."""


def gather(
    study: Study,
    rated: Rated,
    cohort: str,
    agreement_csv: Path,
    label: str,
    fingerprints: Mapping[str, str],
) -> pdf.ReportData:
    """Read every table of the report and keep the cohort's rows."""
    scale = rated.scale
    chosen = in_cohort(study, cohort)
    out_of_fold = of_cohort(predictions.read_predictions(study.predictions_csv(scale.id)), chosen)
    if out_of_fold.empty:
        raise StudyError(f"nobody of the cohort {cohort} has a prediction on {scale.id}.")
    known = of_cohort(require_recordings(study), chosen)
    segments = _read(feature_files(study, label)[0], "recording", "status", "reason")
    targets = scales.targets(scale)
    record = study.provenance(fit_stage(scale.id)) or {}
    left_out = _exclusions(study, scale.id, known, segments, chosen)
    people = read_participants(study)
    analysed = set(out_of_fold["participant"])
    sites = people.set_index("participant").get("site", pd.Series(dtype=str))
    return pdf.ReportData(
        title=study.settings.study.title,
        institution=study.settings.study.institution,
        cohort=cohort,
        scale=scale.id,
        scale_name=scale.name,
        scale_reference=scale.reference,
        scale_licence=scale.licence,
        primary_targets=_primary(study, targets),
        targets=targets,
        flow=_flow(known, segments, out_of_fold),
        exclusions=left_out,
        recordings=known[known["status"] == "usable"].assign(
            site=lambda table: table["participant"].map(sites),
            # by which the report names one
            row=lambda table: table.index + 1,
        ),
        quality=_of_recordings(
            pd.concat(_read(path, "recording", "note") for path in quality_files(study, label)),
            known,
        ),
        segments=_windows(_of_recordings(segments, known)),
        participants=people[people["participant"].isin(analysed)].reset_index(drop=True),
        raters=_raters(rated, of_cohort(rated.ratings, chosen)),
        performance=_performance(study, out_of_fold, targets, cohort),
        permutation=_permutation(study, scale.id, cohort),
        predictions=out_of_fold,
        model=reported_model(study, scale.id),
        agreement=_read(agreement_csv, "rater_a", "rater_b", "note"),
        tables={
            "profile": profile(out_of_fold, reported_model(study, scale.id), targets),
            **quality_tables(study, scale.id, cohort, label, known),
            **{
                name: _read(path, *TEXTS[QUESTIONS[name].stage])
                for name, path in question_files(study, scale.id, cohort).items()
            },
        },
        checklists={name: read_checklist(name, study.path) for name in names(FOLDER, study.path)},
        answers=study.settings.report.answers,
        stale=stale(study, scale.id, label),
        methods=methods_stated(study, scale.id, record, label),
        fingerprints={name: digest for name, digest in fingerprints.items() if "." in name},
        notices=tuple(_notices(study, label)),
    )


def _primary(study: Study, targets: pd.DataFrame) -> tuple[str, ...]:
    """Keep the primary targets that are this scale's; the study may have other scales too."""
    chosen, own = study.settings.report.primary, set(targets["target"])
    if chosen and len(study.settings.study.scales) == 1 and not own.issuperset(chosen):
        raise SettingsError(
            f"study.toml: report: primary = {list(chosen)}; allowed: {', '.join(targets['target'])}"
        )
    return tuple(target for target in chosen if target in own)


def question_files(study: Study, scale_id: str, cohort: str) -> dict[str, Path]:
    """Find the tables of `QUESTIONS` that the last runs of `fit` and `agree` left.

    Those of `fit` are of everyone: a report of a part of the cohort does without.
    """
    slug = cohort_slug(scale_id, cohort)
    folders = {"agree": study.agreement_csv(slug).with_suffix("")}
    stages = {"agree": agree_stage(scale_id, cohort)}
    if not cohort:
        folders["fit"], stages["fit"] = study.model_dir(scale_id), fit_stage(scale_id)
    # a file of an older run with other settings may still lie there
    made = {
        name: (study.provenance(stage) or {}).get("outputs", {}) for name, stage in stages.items()
    }
    places = {
        name: folders[asked.stage] / f"{asked.file}.csv"
        for name, asked in QUESTIONS.items()
        if asked.stage in folders
    }
    return {
        name: path
        for name, path in places.items()
        if study.relative(path) in made[QUESTIONS[name].stage] and path.is_file()
    }


def stale(study: Study, scale_id: str, label: str) -> str:
    """Say what has changed since the scale was fitted; empty where nothing has."""
    record = (study.provenance(fit_stage(scale_id)) or {}).get("inputs", {})
    ratings = study.stamp("", [*study.ratings_files(scale_id), scale_file(study, scale_id)], {})
    features = study.stamp("", feature_files(study, label), {})
    changed = [name for name, found in ratings.inputs.items() if record.get(name) != found]
    if any(record.get(name) != found for name, found in features.inputs.items()):
        changed.append("the recordings")
    return ", ".join(changed)


def quality_files(study: Study, label: str) -> tuple[Path, Path]:
    """Name the two tables: what `ingest` and what `encode` measured."""
    return study.quality_csv, study.features_dir(label) / "quality.csv"


def _read(path: Path, *texts: str) -> pd.DataFrame:
    """Read a table of the study; the columns named are text, also where they look like numbers."""
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])


def _of_recordings(table: pd.DataFrame, recordings: pd.DataFrame) -> pd.DataFrame:
    return table[table["recording"].isin(recordings["recording"])]


def _flow(
    recordings: pd.DataFrame, segments: pd.DataFrame, out_of_fold: pd.DataFrame
) -> pd.DataFrame:
    usable = recordings[recordings["status"] == "usable"]
    used = segments.loc[segments["status"] == "used", "recording"]
    steps = [
        ("found", "", recordings),
        ("usable", "ingest", usable),
        ("encoded", "encode", usable[usable["recording"].isin(used)]),
        ("analysed", "fit", usable[usable["recording"].isin(out_of_fold["recording"])]),
    ]
    return pd.DataFrame(
        [(step, stage, len(table), table["participant"].nunique()) for step, stage, table in steps],
        columns=["step", "stage", "n_recordings", "n_participants"],
    )


def _exclusions(
    study: Study,
    scale_id: str,
    recordings: pd.DataFrame,
    segments: pd.DataFrame,
    chosen: set[str] | None,
) -> pd.DataFrame:
    """List what each stage left out, by general reasons, of the cohort, and every target."""
    fitted = _read(study.model_dir(scale_id) / "exclusions.csv", "id", "reason")
    of_other_stages = fitted["id"].isin(unencoded(segments)["id"])
    own = fitted["unit"].eq("target") | fitted["id"].isin(recordings["recording"])
    if chosen is None:
        own[:] = True
    else:
        own |= fitted["unit"].eq("participant") & fitted["id"].isin(chosen)
    examined = exclusion_table(exclusions(recordings))
    parts = [
        examined.assign(reason=examined["reason"].map(general)),
        unencoded(_of_recordings(segments, recordings)),
        fitted[own & ~of_other_stages],
    ]
    return pd.concat(parts, ignore_index=True)


def _windows(segments: pd.DataFrame) -> pd.DataFrame:
    """Count the windows of each recording."""
    used = segments["status"].eq("used")
    table = segments.assign(n_used=used, n_excluded=~used & is_window(segments))
    by_recording = table.groupby("recording", sort=True)
    return by_recording.agg(
        n_used=("n_used", "sum"),
        n_excluded=("n_excluded", "sum"),
        face_fraction_mean=("face_fraction", "mean"),
    ).reset_index()


def _raters(rated: Rated, ratings: pd.DataFrame) -> pd.DataFrame:
    """Count the visits each rater rated, and the items missing in them."""
    visits = ratings.groupby(["rater", "participant", "session"]).size()
    by_rater = visits.groupby("rater")
    n_items = len(rated.scale.items)
    counts = pd.DataFrame({"n_visits": by_rater.size(), "rated": by_rater.sum()})
    missing = counts["n_visits"] * n_items - counts["rated"]
    return counts.assign(n_items_missing=missing).drop(columns="rated").reset_index()


def _performance(
    study: Study, out_of_fold: pd.DataFrame, targets: pd.DataFrame, cohort: str
) -> pd.DataFrame:
    """Read the performance of everyone; that of a part of the cohort is computed from its rows."""
    scale_id = str(out_of_fold["scale"].iloc[0])
    if not cohort:
        return _read(study.model_dir(scale_id) / "performance.csv", "note")
    return performance(
        out_of_fold,
        dict(zip(targets["target"], targets["kind"], strict=True)),
        n_resamples=study.settings.fit.resamples,
        seed=study.settings.study.seed,
    )


def _permutation(study: Study, scale_id: str, cohort: str) -> pd.DataFrame:
    """Read the permutation tests of everyone; a part of the cohort was not tested by itself."""
    path = study.model_dir(scale_id) / "permutation.csv"
    if cohort or not path.is_file():
        return pd.DataFrame(columns=["target", "metric", "p_max_t", "n_permutations"])
    return _read(path, "target", "note")


def _notices(study: Study, label: str) -> list[str]:
    notice = (study.provenance(encode_stage(label)) or {}).get("notice", "")
    return [notice] if notice else []
