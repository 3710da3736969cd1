"""ratings: make the sheets that raters fill in, and say what the filled ones hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import files, matching, ratings, ratings_files, scales
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.sources import VISIT, Rated, read_rated
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import exclusion_table, read_recordings
from emoclip_clinic.study import SETTINGS_FILE, Study

__all__ = ["check_ratings", "rating_template"]

SUFFIXES = (".xlsx", ".csv")
BY_RATER = [*VISIT, "rater"]


def rating_template(
    folder: Path,
    scale_id: str,
    *,
    output: Path | None = None,
    raters: Sequence[str] = (ratings.DEFAULT_RATER,),
) -> StageResult:
    """Make an empty sheet of a scale, with a row a filmed visit and rater.

    Parameters
    ----------
    folder
        The study; its recordings.csv, where there is one, says who was filmed.
    scale_id
        A scale such as "cains".
    output
        An .xlsx, whose cells take only what the scale allows, or a .csv; ratings/SCALE.xlsx of the
        study, or SCALE.xlsx where there is no study, if it is not given.
    raters
        Who rates.

    Raises
    ------
    ScaleError
        The scale is unknown.
    RatingsError
        The file exists, or is of another kind.
    """
    scale = scales.load_scale(scale_id, folder)
    in_study = folder / "ratings" if (folder / SETTINGS_FILE).is_file() else folder
    target = output or in_study / f"{scale_id}.xlsx"
    if target.suffix not in SUFFIXES:
        raise RatingsError(f"{target}: allowed: a name that ends in {' or '.join(SUFFIXES)}.")
    if target.exists():
        raise RatingsError(f"{target} exists and may hold ratings: name another with --output.")
    visits = _filmed(folder)
    sheets = [ratings.template(scale, [who], raters, [when]) for who, when in visits]
    table = pd.concat(sheets) if sheets else ratings.template(scale)
    if target.suffix == ".csv":
        files.write_csv(target, table)
    else:
        ratings_files.write_template(target, table, scale)
    return StageResult(
        stage="ratings template",
        message=f"{len(scale.items)} items of {scale.abbreviation}, {len(table)} prepared rows.",
        written=(target,),
        summary={"n_rows": len(table)},
        next_command=f"emoclip-clinic ratings check --scale {scale_id}",
    )


def _filmed(folder: Path) -> list[tuple[str, str]]:
    path = folder / "recordings.csv"
    if not path.is_file():
        return []
    table = read_recordings(path)
    visits = table.loc[table["status"] == "usable", VISIT].drop_duplicates().sort_values(VISIT)
    return list(visits.itertuples(index=False, name=None))


def check_ratings(study: Study, scale_id: str) -> StageResult:
    """Read the ratings on a scale as `fit` does, and say what was found.

    Raises
    ------
    ScaleError, RatingsError
        The scale is unknown; there are no ratings, or some are wrong.
    """
    rated = read_rated(study, scale_id)
    found = _found(rated)
    exclusions, hints = exclusion_table([]), list[str]()
    if study.recordings_csv.is_file():
        recordings = read_recordings(study.recordings_csv)
        exclusions = matching.match(rated.consensus, recordings)[1]
        hints = matching.id_hints(rated.consensus, recordings)
    sheets = [study.relative(path) for path in study.ratings_files(scale_id)]
    return StageResult(
        stage="ratings check",
        message=f"{counted(found['n_participants'], 'participant')}, "
        f"{counted(len(found['sessions']), 'session')}, "
        f"{counted(len(found['raters']), 'rater')}: {found['n_ratings']} item ratings of "
        f"{rated.scale.abbreviation}, {sum(found['missing'].values())} missing.",
        exclusions=exclusions,
        notes=(f"read: {', '.join(sheets)}", *_sentences(found), *rated.notes, *hints),
        summary={"files": sheets, **found},
        next_command=f"emoclip-clinic fit --scale {scale_id}",
    )


def _found(rated: Rated) -> dict[str, Any]:
    """Count what the ratings hold; a visit that two raters rated is rated twice."""
    table, codes = rated.ratings, list(rated.scale.codes)
    wide = table.pivot(index=BY_RATER, columns="item", values="value").reindex(columns=codes)
    complete = rated.scored.groupby("target")["value"].count()
    missing = {code: int(count) for code, count in wide.isna().sum().items() if count}
    return {
        "n_participants": table["participant"].nunique(),
        "sessions": sorted(table["session"].unique()),
        "raters": {name: int(n) for name, n in wide.groupby("rater").size().items()},
        "n_visits": len(table[VISIT].drop_duplicates()),
        "n_visit_ratings": len(wide),
        "n_ratings": len(table),
        "missing": missing,
        "complete": {part.id: int(complete.get(part.id, 0)) for part in rated.scale.scores},
    }


def _sentences(found: dict[str, Any]) -> list[str]:
    visits, times = counted(found["n_visits"], "visit"), found["n_visit_ratings"]
    sentences = [
        f"sessions: {', '.join(found['sessions'])}",
        "raters: "
        + ", ".join(f"{name} ({counted(n, 'visit')})" for name, n in found["raters"].items()),
    ]
    if found["missing"]:
        counts = ", ".join(f"{code} ({n})" for code, n in found["missing"].items())
        sentences.append(f"not rated, by item: {counts}")
    sentences += [
        f"{score}: made for {n} of {counted(times, 'rating')} of {visits}"
        for score, n in found["complete"].items()
    ]
    return sentences
