"""Ratings as clinicians hand them in, checked item by item against the scale."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from emoclip_clinic import duplicates, given_scores
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.headings import column_of
from emoclip_clinic.item_columns import mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.rating_cells import DEFAULT_RATER, Cell, Note, SheetReader, counted
from emoclip_clinic.recordings import DEFAULT_SESSION
from emoclip_clinic.resources import close_matches
from emoclip_clinic.scale import Scale
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import NUMBER, Sheet, read_sheet

__all__ = ["COLUMNS", "DEFAULT_RATER", "read_ratings", "template"]

COLUMNS = ["participant", "session", "rater", "scale", "item", "value"]
"""Columns of the tidy table of ratings; "date" follows where a sheet has one."""

PROBLEMS_SHOWN = 20
WORDS = re.compile(r"(?!(?i:true|false|#.*)$)\D+")
CODES_FOR_MISSING = ("8", "9", "88", "99", "888", "999", "8888", "9999")

_logger = logging.getLogger(__name__)


def read_ratings(
    paths: str | Path | Iterable[str | Path],
    scale: Scale,
    note: Note = _logger.warning,
    settings: RatingsSettings | None = None,
    read: Callable[[Path], Sheet] | None = None,
) -> pd.DataFrame:
    """Read rating sheets, wide (a column an item) or long (a row a rating), of several raters.

    Every sheet needs a column participant; session is "01" and rater "rater1" where the sheet has
    no such column. A long sheet has the columns item and value. An item is named by its code,
    alone or after the scale's name ("P1", "p01", "panss_p1"), by its label, or by `settings`.
    Empty cells, NA, n/a and NaN are missing ratings; missing is never zero. Rows that a column
    scale gives to another scale, and sheets without an item of this one, are left out.

    Parameters
    ----------
    paths
        CSV or TSV files in UTF-8, or whatever `read` reads.
    scale
        What the ratings are checked against.
    note
        Gets a sentence on whatever was left out or resolved; logs it unless told otherwise.
    settings
        Columns, codes for missing ratings, and what is done with ratings that are given twice.
    read
        Makes a sheet of a file.

    Returns
    -------
        participant, session, rater, scale, item, value (float); a missing rating is no row. Ids
        are text, without "sub-" and "ses-". Where a sheet has a date, also date (ISO text).

    Raises
    ------
    RatingsError
        A file cannot be read, there are no ratings, or any rating is out of range, not a number,
        given twice, or without participant, rater or a known item. The ratings of all files are
        looked at before it is raised.
    """
    rules = settings or RatingsSettings()
    given = [paths] if isinstance(paths, str | Path) else paths
    files = [Path(path) for path in given]
    sheets = [read(path) if read else read_sheet(path, rules.header_row) for path in files]
    names = ItemNames(scale)
    found = _Found(scale, names)
    found.problems += _mapping_problems(sheets, names, rules)
    for sheet in sheets:
        found.take(SheetReader(sheet, names, rules, note))
    kept, problems, notes = duplicates.resolve(found.rated, scale, rules.duplicates)
    if found.problems or problems:
        twice = bool(problems) and rules.duplicates == "error"
        raise RatingsError(_message([*found.problems, *problems], found, twice))
    if not kept:
        raise RatingsError(
            f"{', '.join(path.name for path in files) or 'no file'}: there is no rating of "
            f"{scale.abbreviation} yet. Its columns are called {', '.join(_headings(scale)[:3])} "
            "and so on, or are named under [ratings] in study.toml; 'emoclip-clinic ratings "
            f"template --scale {scale.id}' makes a sheet to fill in."
        )
    table = _table(kept, scale, found.dated)
    for text in (*notes, *duplicates.pasted_twice(kept), *found.compare(table)):
        note(text)
    return table


@dataclass
class _Found:
    """What all sheets hold."""

    scale: Scale
    names: ItemNames
    rated: list[tuple[Cell, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    readers: list[SheetReader] = field(default_factory=list)

    def take(self, reader: SheetReader) -> None:
        """Read a sheet."""
        self.rated += reader.ratings()
        self.problems += reader.problems
        self.refused += reader.refused
        self.readers.append(reader)

    @property
    def dated(self) -> bool:
        """Whether any sheet has a date."""
        return any(reader.dated for reader in self.readers)

    def compare(self, table: pd.DataFrame) -> Iterator[str]:
        """Compare the totals of every sheet with ours."""
        for reader in self.readers:
            yield from given_scores.compare(reader.given, table, self.scale)


def _table(kept: Iterable[tuple[Cell, float]], scale: Scale, dated: bool) -> pd.DataFrame:
    rows = [
        (*cell.visit.key, scale.id, cell.item.code, value, cell.visit.date) for cell, value in kept
    ]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "date"])
    return table if dated else table[COLUMNS]


def _mapping_problems(
    sheets: Sequence[Sheet], names: ItemNames, rules: RatingsSettings
) -> list[str]:
    """Name what study.toml maps and no file has: it would silently be a missing item."""
    mapped, problems = mapped_items(rules.columns, names)
    known = [heading.casefold() for sheet in sheets for heading in sheet.header]
    for heading, item in mapped.items():
        if item is not None and all(column_of(sheet, heading) is None for sheet in sheets):
            problems.append(
                f"study.toml, [ratings] columns: no file has a column {heading!r}. "
                f"{close_matches(heading, known)}If it is an item of another scale, write that "
                f'scale before the code: "SCALE.{item.code}"'
            )
    return problems


def _message(problems: Sequence[str], found: _Found, twice: bool) -> str:
    rows = "row" if len(problems) == 1 else "rows"
    advice = f"Correct the {rows}, or see 'emoclip-clinic scales show {found.scale.id}'."
    advised = [advice, *_suggestions(found.refused, len(found.rated))]
    unnamed = set[str]().union(*(one.unnamed_sessions for one in found.readers))
    advised += [
        "Where rows without a session are of one, say of which under [ratings] in study.toml: "
        f'sessions = {{"{text}" = "01"}}.'
        for text in sorted(unnamed)
    ]
    if twice:
        advised.append(
            "Delete what was entered or exported twice, or say which rating counts under [ratings] "
            'in study.toml: duplicates = "first", "last" or "mean".'
        )
    if len(problems) == 1:
        return " ".join([f"{problems[0].rstrip('.')}.", *advised])
    shown = [*problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        shown.append(f"... and {len(problems) - PROBLEMS_SHOWN} more of {len(problems)} problems")
    return "\n".join([*shown, *advised])


def _suggestions(refused: Counter[str], n_rated: int) -> Iterator[str]:
    """Say what rule the user may want, where the same text is refused again and again."""
    words = {text: n for text, n in refused.items() if re.fullmatch(WORDS, text)}
    if sum(words.values()) > n_rated:
        yield (
            f"Most ratings are words ({', '.join(list(words)[:4])}): export the numbers in place "
            "of the labels (REDCap: raw data; survey tools: choices as numbers). If they stand in "
            "other columns, name those under [ratings] in study.toml: columns = "
            '{"HEADING" = "ITEM"}.'
        )
        words = {}
    codes = [
        text for text, n in refused.most_common() if _is_code(text, n) or words.get(text, 0) > 1
    ]
    if codes:
        found = ", ".join(f"{text} occurs {counted(refused[text], 'time')}" for text in codes)
        listed = ", ".join(text if NUMBER.fullmatch(text) else f'"{text}"' for text in codes)
        yield (
            f"{found}: if it means 'not rated', write missing = [{listed}] under [ratings] in "
            "study.toml."
        )


def _is_code(text: str, count: int) -> bool:
    return bool(NUMBER.fullmatch(text)) and (
        text.startswith("-") or (text in CODES_FOR_MISSING and (count > 1 or len(text) > 1))
    )


def template(
    scale: Scale,
    participants: Sequence[str] = (),
    raters: Sequence[str] = (DEFAULT_RATER,),
    sessions: Sequence[str] = (DEFAULT_SESSION,),
) -> pd.DataFrame:
    """Make an empty wide sheet for the raters to fill in, one row a participant, session, rater.

    Returns
    -------
        participant, session, rater and a column an item, in the order of the scale: its code, or
        scale and code ("cains_1") where the code is only a number. Item cells are empty texts.
    """
    headings = _headings(scale)
    rows = [
        (participant, session, rater, *[""] * len(headings))
        for participant in participants
        for session in sessions
        for rater in raters
    ]
    return pd.DataFrame(rows, columns=["participant", "session", "rater", *headings], dtype="str")


def _headings(scale: Scale) -> list[str]:
    return [code if code[0].isalpha() else f"{scale.id}_{code}" for code in scale.codes]
