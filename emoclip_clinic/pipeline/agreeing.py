"""agree: the raters among themselves, and the model with the raters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import agreement, files, predictions, scales
from emoclip_clinic.errors import TooFewError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.sources import (
    cohort_slug,
    in_cohort,
    read_rated,
    reported_model,
    scale_file,
)
from emoclip_clinic.study import Study

__all__ = ["agree", "agree_stage"]


def agree_stage(scale_id: str, cohort: str = "") -> str:
    """Name the stage in provenance/: there is one a scale and cohort."""
    return f"agree-{cohort_slug(scale_id, cohort)}"


def agree(
    study: Study, scale_id: str, *, cohort: str = "", progress: Progress = quiet
) -> StageResult:
    """Estimate every agreement statistic of a scale, each with its interval.

    Without predictions (before `fit`) the raters are compared among themselves alone.

    Parameters
    ----------
    study
        Its ratings must be there.
    scale_id
        A scale such as "panss".
    cohort
        A part of the participants such as "site=A"; all if empty.
    progress
        Told at the beginning and the end.

    Raises
    ------
    StudyError, ScaleError, RatingsError, TooFewError
        The cohort or the scale is unknown, ratings are missing or wrong, or nobody of the cohort
        was rated.
    """
    target = study.agreement_csv(cohort_slug(scale_id, cohort))
    source = study.predictions_csv(scale_id)
    settings = {
        "resamples": study.settings.agree.resamples,
        "seed": study.settings.study.seed,
        "cohort": cohort,
        "model": reported_model(study, scale_id),
    }
    inputs = [scale_file(study, scale_id), *study.ratings_files(scale_id), source]
    if cohort:
        inputs.append(study.participants_csv)
    stamp = study.stamp(agree_stage(scale_id, cohort), inputs, settings)
    result = StageResult(
        stage="agree",
        message="up to date.",
        written=(target,),
        fresh=True,
        next_command=f"emoclip-clinic {'report' if source.is_file() else 'fit'} --scale {scale_id}",
    )
    if study.is_fresh(stamp):
        return result
    progress("agreement", 0, 1)
    made = _agree(study, scale_id, cohort, source)
    progress("agreement", 1, 1)
    study.record(stamp, [target])
    return replace(result, fresh=False, **made)


def _agree(study: Study, scale_id: str, cohort: str, source: Path) -> dict[str, Any]:
    """Write the table; say what was compared, as fields of the stage's result."""
    rated = read_rated(study, scale_id)
    chosen = in_cohort(study, cohort)
    scored = of_cohort(rated.scored, chosen)
    if scored.empty:
        raise TooFewError(f"nobody of the cohort {cohort} was rated on {scale_id}.")
    predicted = None
    if source.is_file():
        predicted = of_cohort(predictions.read_predictions(source), chosen)
    table = agreement.agree(
        scored,
        predicted,
        scale_id=scale_id,
        targets=scales.targets(rated.scale)["target"],
        model=reported_model(study, scale_id),
        n_resamples=study.settings.agree.resamples,
        seed=study.settings.study.seed,
    )
    files.write_csv(study.agreement_csv(cohort_slug(scale_id, cohort)), table)
    notes = [] if predicted is not None else ["no predictions yet: the raters are compared alone"]
    n_raters = scored["rater"].nunique()
    n_visits = len(scored[["participant", "session"]].drop_duplicates())
    who = f"{n_raters} raters{'' if predicted is None else ' and the model'}"
    return {
        "message": f"{who}, {n_visits} visits.",
        "notes": (*rated.notes, *notes),
        "summary": {"n_raters": int(n_raters), "n_statistics": len(table)},
    }


def of_cohort(table: pd.DataFrame, participants: set[str] | None) -> pd.DataFrame:
    """Keep the rows of those participants; all rows for None."""
    return table if participants is None else table[table["participant"].isin(participants)]
