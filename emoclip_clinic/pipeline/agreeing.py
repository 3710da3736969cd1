"""agree: the raters among themselves, and the model with the raters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import files, predictions
from emoclip_clinic.errors import TooFewError
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.agreement_tables import TABLES, Case, summary
from emoclip_clinic.pipeline.comparison_words import comparison_table, comparison_words
from emoclip_clinic.pipeline.sources import (
    cohort_slug,
    in_cohort,
    read_participants,
    read_rated,
    reported_model,
    scale_file,
    stale_predictions,
)
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.study import Study

__all__ = ["agree", "agree_stage"]


def agree_stage(scale_id: str, cohort: str = "") -> str:
    """Name the stage in provenance/: there is one a scale and cohort."""
    return f"agree-{cohort_slug(scale_id, cohort)}"


@alone
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
        Told after each table.

    Raises
    ------
    StudyError, ScaleError, RatingsError, TooFewError
        The cohort or the scale is unknown, ratings are missing or wrong, or nobody of the cohort
        was rated.
    """
    slug = cohort_slug(scale_id, cohort)
    source = study.predictions_csv(scale_id)
    chosen = study.settings
    settings = {
        **vars(chosen.agree),
        "seed": chosen.study.seed,
        "cohort": cohort,
        "model": reported_model(study, scale_id),
        "primary": chosen.report.primary,
        "visits": chosen.fit.visits,
    }
    inputs = [scale_file(study, scale_id), *study.ratings_files(scale_id), source]
    stamp = study.stamp(agree_stage(scale_id, cohort), [*inputs, study.participants_csv], settings)
    fresh = study.is_fresh(stamp)
    if not fresh:
        made = _agree(study, scale_id, cohort, source, progress)
        study.record(stamp, made.pop("written"), **made)
    return _result(study, scale_id, slug, source, fresh)


def _agree(
    study: Study, scale_id: str, cohort: str, source: Path, progress: Progress
) -> dict[str, Any]:
    """Write the tables; give their paths, and what was compared."""
    rated = read_rated(study, scale_id)
    chosen = in_cohort(study, cohort)
    scored = of_cohort(rated.scored, chosen)
    if scored.empty:
        raise TooFewError(f"nobody of the cohort {cohort} was rated on {scale_id}.")
    predicted = None
    if source.is_file():
        predicted = of_cohort(predictions.read_predictions(source), chosen)
    model = reported_model(study, scale_id)
    people = read_participants(study)
    case = Case(rated, scored, predicted, people, model, study.settings)
    tables = {}
    for done, (name, make) in enumerate({"": summary, **TABLES}.items()):
        progress("agreement", done, len(TABLES) + 1)
        tables[name] = make(case)
    progress("agreement", len(TABLES) + 1, len(TABLES) + 1)
    n_visits = len(scored[["participant", "session"]].drop_duplicates())
    return {
        "written": _write(study, cohort_slug(scale_id, cohort), tables),
        "n_raters": int(scored["rater"].nunique()),
        "n_visits": n_visits,
        "n_statistics": len(tables[""]),
        "notes": list(rated.notes),
    }


def _write(study: Study, slug: str, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write the tables that hold anything, take away those of an earlier run that do not."""
    folder = study.agreement_dir(slug)
    paths = {name: folder / f"{name}.csv" for name in tables if name}
    paths[""] = study.agreement_csv(slug)
    for name, table in tables.items():
        if len(table):
            files.write_csv(paths[name], table)
        else:
            paths.pop(name).unlink(missing_ok=True)
    everything = folder / "agreement.json"
    named = {name or "agreement": _columns(tables[name]) for name in paths}
    files.write_json(everything, {"format": 1, "scale and cohort": slug, "tables": named})
    return [*paths.values(), everything]


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Give each column at full precision; what is missing is null."""
    return {
        str(name): [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in table.items()
    }


def _result(study: Study, scale_id: str, slug: str, source: Path, fresh: bool) -> StageResult:
    record = study.provenance(f"agree-{slug}") or {}
    has_model = source.is_file()
    notes = [*record.get("notes", [])]
    notes += (
        stale_predictions(study, scale_id)
        if has_model
        else ["no predictions yet: the raters are compared alone"]
    )
    who = counted(int(record.get("n_raters", 0)), "rater") + " and the model" * has_model
    path = study.agreement_dir(slug) / "equivalence.csv"
    compared = pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.is_file() else None
    return StageResult(
        stage="agree",
        message="up to date." if fresh else f"{who}, {record.get('n_visits')} visits.",
        written=(study.agreement_csv(slug),),
        fresh=fresh,
        notes=tuple(notes),
        summary={name: record.get(name) for name in ("n_raters", "n_statistics")},
        table=None if compared is None else comparison_table(compared),
        words=() if compared is None else comparison_words(compared),
        next_command=f"emoclip-clinic {'report' if has_model else 'fit'} --scale {scale_id}",
    )


def of_cohort(table: pd.DataFrame, participants: set[str] | None) -> pd.DataFrame:
    """Keep the rows of those participants; all rows for None."""
    return table if participants is None else table[table["participant"].isin(participants)]
