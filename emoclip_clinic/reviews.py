"""What a reviewer decided about who is who: review.csv."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.resources import close_matches
from emoclip_clinic.scan import plain_id
from emoclip_clinic.segments import Plan, Segment
from emoclip_clinic.sheets import read_sheet
from emoclip_clinic.turns import clock_s

__all__ = ["EXCLUDED", "REVIEW_COLUMNS", "Review", "leave_out", "read_reviews"]

REVIEW_COLUMNS = ("recording", "action", "participant_person", "start_s", "stop_s", "people")
"""Columns of review.csv; `people` names the people that were found, it may be empty."""
NEEDED = REVIEW_COLUMNS[:-1]
CHOOSE, EXCLUDE = "choose", "exclude"
EXCLUDED = "excluded in the review"

Row = Mapping[str, str]


@dataclass(frozen=True)
class Review:
    """What was decided about a recording."""

    people: tuple[int, ...] = ()
    """Numbers of the people who are the participant, ascending; several where one person was taken
    for several. Empty: the rule decides."""
    found: str = ""
    """Names the people that the numbers count; empty where it is not known."""
    stretches: tuple[tuple[float, float], ...] = ()
    """Start and stop of what is excluded, s, in order."""


def leave_out(plan: Plan, stretches: Sequence[tuple[float, float]]) -> Plan:
    """Exclude the windows of a plan that a stretch touches."""

    def cut(segment: Segment) -> Segment:
        touched = any(
            start_s < segment.stop_s and segment.start_s < stop_s for start_s, stop_s in stretches
        )
        return replace(segment, reason=EXCLUDED) if touched and not segment.reason else segment

    return replace(plan, segments=tuple(cut(segment) for segment in plan.segments))


def read_reviews(path: Path, recordings: Collection[str]) -> dict[str, Review]:
    """Read review.csv; where there is none, nothing was decided.

    Parameters
    ----------
    path
        UTF-8, with commas, semicolons or tabs.
    recordings
        The study's recordings. A row names one by its id, or plainly: "sub-Anna Mueller_ses-01"
        for "sub-Anna%20Mueller_ses-01".

    Returns
    -------
        By recording.

    Raises
    ------
    StudyError
        A row is wrong: the message says where, and what is allowed.
    """
    if not path.is_file():
        return {}
    found: dict[str, Review] = {}
    for number, row in _rows(path):
        try:
            name = _known(row["recording"], recordings)
            found[name] = _with(found.get(name, Review()), row)
        except ValueError as error:
            raise StudyError(
                f"{path.name}, row {number}: {error}. Correct the row, or remove it."
            ) from error
    return found


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        sheet = read_sheet(path)
    except RatingsError as error:
        raise StudyError(str(error)) from error
    missing = [name for name in NEEDED if name not in sheet.header]
    if missing:
        raise StudyError(
            f"{path.name} has no column {', '.join(missing)}. It needs {', '.join(NEEDED)}; "
            "'emoclip-clinic review' makes a page that writes it."
        )
    for number, cells in sheet.rows:
        yield number, dict(zip(sheet.header, cells, strict=False))


def _known(name: str, recordings: Collection[str]) -> str:
    """Give the id of the recording that a row names, by its id or plainly."""
    if name in recordings:
        return name
    meant = [one for one in recordings if plain_id(one) == name]
    if len(meant) > 1:
        raise ValueError(
            f"{name!r} can be any of {', '.join(meant)}: write its id as in recordings.csv"
        )
    if not meant:
        raise ValueError(
            f"there is no recording {name!r} in this study. {close_matches(name, list(recordings))}"
            "Names are those of recordings.csv"
        )
    return meant[0]


def _with(review: Review, row: Row) -> Review:
    """Add what a row says."""
    action, person = row["action"], row["participant_person"]
    times = row["start_s"], row["stop_s"]
    if action == CHOOSE:
        if any(times):
            raise ValueError("a person is chosen for the whole recording: leave the times empty")
        if not (person.isascii() and person.isdigit() and int(person)):
            raise ValueError(f"participant_person = {person!r}; allowed: a number from 1 on")
        found = row.get("people", "")
        if review.people and found != review.found:
            raise ValueError("it was chosen from other people than in an earlier row")
        return replace(review, people=tuple(sorted({*review.people, int(person)})), found=found)
    if action == EXCLUDE:
        if person:
            raise ValueError("a stretch is excluded for everybody: leave participant_person empty")
        return replace(review, stretches=tuple(sorted({*review.stretches, _stretch(*times)})))
    raise ValueError(f"action = {action!r}; allowed: {CHOOSE}, {EXCLUDE}")


def _stretch(start: str, stop: str) -> tuple[float, float]:
    """Read a start (empty: the beginning) and a stop (empty: the end), in seconds or m:ss."""
    try:
        start_s, stop_s = _seconds(start or "0"), _seconds(stop or "inf")
    except ValueError:
        start_s = stop_s = math.nan
    # also false where one is no number
    if not 0 <= start_s < stop_s:
        raise ValueError(
            f"{start!r} to {stop!r} is no stretch; allowed: seconds with a decimal point, or m:ss "
            "such as 1:20.5, from 0 on, the start before the stop"
        )
    return start_s, stop_s


def _seconds(text: str) -> float:
    on_clock_s = clock_s(text)
    return float(text) if on_clock_s is None else on_clock_s
