"""Ratings as clinicians hand them in: read from CSV, checked item by item against the scale."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.headings import find_item, item_columns, item_hint, roles
from emoclip_clinic.recordings import DEFAULT_SESSION
from emoclip_clinic.scale import Item, Scale
from emoclip_clinic.sheets import MISSING, Sheet, read_sheet

__all__ = ["COLUMNS", "DEFAULT_RATER", "read_ratings", "template"]

COLUMNS = ["participant", "session", "rater", "scale", "item", "value"]
"""Columns of the tidy table of ratings."""

DEFAULT_RATER = "rater1"
"""The rater of a sheet that has no column for it."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
PROBLEMS_SHOWN = 20
CELL_SHOWN = 20

Note = Callable[[str], object]
_logger = logging.getLogger(__name__)


class _Cell(NamedTuple):
    """One rating as it was typed."""

    file: str
    row: int
    participant: str
    session: str
    rater: str
    item: Item
    text: str


def read_ratings(
    paths: str | Path | Iterable[str | Path],
    scale: Scale,
    note: Note = _logger.warning,
) -> pd.DataFrame:
    """Read rating sheets, wide (a column an item) or long (a row a rating), of several raters.

    Every sheet needs a column participant; session is "01" and rater "rater1" where the sheet has
    no such column. A long sheet has the columns item and value. An item is named by its code,
    alone or after the scale's id: "P1", "p01", "panss_p1". Empty cells, NA, n/a and NaN are
    missing ratings; missing is never zero. Rows that a column scale gives to another scale, and
    sheets without an item of this one, are left out.

    Parameters
    ----------
    paths
        CSV or TSV files in UTF-8.
    scale
        What the ratings are checked against.
    note
        Gets a sentence on whatever was left out; logs it unless told otherwise.

    Returns
    -------
        participant, session, rater, scale, item, value (float); a missing rating is no row. Ids
        are text, without "sub-" and "ses-".

    Raises
    ------
    RatingsError
        A file cannot be read, there are no ratings, or any rating is out of range, not a number,
        given twice, or without participant, rater or a known item. The ratings of all files are
        looked at before it is raised.
    """
    problems: list[str] = []
    rated: list[tuple[_Cell, float]] = []
    given = [paths] if isinstance(paths, str | Path) else paths
    files = [Path(path) for path in given]
    for path in files:
        reader = _SheetReader(read_sheet(path), scale, note)
        rated += reader.ratings()
        problems += reader.problems
    problems += _given_twice([cell for cell, _ in rated], scale)
    if problems:
        raise RatingsError(_message(problems, scale))
    if not rated:
        raise RatingsError(
            f"{', '.join(path.name for path in files) or 'no file'}: there is no rating of "
            f"{scale.abbreviation} yet. Its columns are called {', '.join(_headings(scale)[:3])} "
            f"and so on; 'emoclip-clinic scales template {scale.id}' makes a sheet to fill in."
        )
    rows = [(*cell[2:5], scale.id, cell.item.code, value) for cell, value in rated]
    return pd.DataFrame(rows, columns=COLUMNS)


class _SheetReader:
    """Reads one sheet, collects its problems and goes on.

    Parameters
    ----------
    sheet, scale, note
        As in `read_ratings`.
    """

    def __init__(self, sheet: Sheet, scale: Scale, note: Note) -> None:
        self.sheet = sheet
        self.scale = scale
        self.note = note
        self.problems: list[str] = []
        self.columns = roles(sheet)
        sessions = {self._cell(cells, "session").casefold() for _, cells in sheet.rows}
        if sessions <= MISSING:
            self.columns.pop("session", None)

    def ratings(self) -> Iterator[tuple[_Cell, float]]:
        """Yield what is rated and allowed."""
        long = {"item", "value"} <= self.columns.keys()
        for cell in self._long() if long else self._wide():
            if cell.text.casefold() in MISSING:
                continue
            value = float(cell.text) if NUMBER.fullmatch(cell.text) else None
            if value in self.scale.not_assessed:
                continue
            if value is not None and cell.item.accepts(value):
                yield cell, value
            else:
                self._problem(cell.row, self._out_of_range(cell, value))

    def _out_of_range(self, cell: _Cell, value: float | None) -> str:
        text = " ".join(cell.text.split())
        shown = text if len(text) <= CELL_SHOWN else text[:CELL_SHOWN] + "..."
        hint = ""
        if value is None:
            hint = " (a decimal takes a point)" if "," in text else " (not a number)"
        elif value < 0:
            hint = ", and an empty cell where it was not rated"
        name = f"{self.scale.abbreviation} item {cell.item.code}"
        return f"{name} = {shown}; allowed {cell.item.range_text}{hint}"

    def _problem(self, row: int, text: str) -> None:
        self.problems.append(f"{self.sheet.name}, row {row}: {text}")

    def _wide(self) -> Iterator[_Cell]:
        found = item_columns(self.sheet, self.scale, self.columns)
        self.problems += found.problems
        self._note_columns([item.code for item in found.items.values()], found.others)
        for row, cells, keys in self._rows():
            for column, item in found.items.items():
                yield _Cell(self.sheet.name, row, *keys, item, cells[column])

    def _note_columns(self, codes: Sequence[str], others: Sequence[str]) -> None:
        name, scale = self.sheet.name, self.scale.abbreviation
        if not codes:
            self.note(f"{name}: left out, no column is an item of {scale}")
            return
        absent = [code for code in self.scale.codes if code not in codes]
        if absent:
            self.note(f"{name}: no column for {scale} item {', '.join(absent)}: not rated")
        if others:
            self.note(f"{name}: columns that are no {scale} item, left out: {', '.join(others)}")

    def _long(self) -> Iterator[_Cell]:
        for row, cells, keys in self._rows():
            code = cells[self.columns["item"]]
            item = find_item(code, self.scale)
            if item is None:
                hint = item_hint(code, self.scale)
                self._problem(row, f"{self.scale.abbreviation} has no item {code}. {hint}".strip())
            else:
                yield _Cell(self.sheet.name, row, *keys, item, cells[self.columns["value"]])

    def _rows(self) -> Iterator[tuple[int, tuple[str, ...], tuple[str, str, str]]]:
        names = {self.scale.id, self.scale.abbreviation.casefold()}
        others: set[str] = set()
        for row, cells in self.sheet.rows:
            owner = self._cell(cells, "scale", self.scale.id)
            if owner and owner.casefold() not in names:
                others.add(owner)
                continue
            keys = (
                self._cell(cells, "participant").removeprefix("sub-"),
                self._cell(cells, "session", DEFAULT_SESSION).removeprefix("ses-"),
                self._cell(cells, "rater", DEFAULT_RATER),
            )
            named = {"participant": keys[0], "session": keys[1], "rater": keys[2], "scale": owner}
            blank = [name for name, text in named.items() if text.casefold() in MISSING]
            if blank:
                self._problem(row, f"the cell of {', '.join(blank)} is empty")
            else:
                yield row, cells, keys
        if others:
            left_out = ", ".join(sorted(others))
            self.note(f"{self.sheet.name}: rows of other scales, left out: {left_out}")

    def _cell(self, cells: Sequence[str], role: str, default: str = "") -> str:
        return cells[self.columns[role]] if role in self.columns else default


def _given_twice(cells: Iterable[_Cell], scale: Scale) -> list[str]:
    first: dict[tuple[str, ...], _Cell] = {}
    again: dict[tuple[tuple[str, int], tuple[str, int]], list[_Cell]] = defaultdict(list)
    for cell in cells:
        earlier = first.setdefault((*cell[2:5], cell.item.code), cell)
        if earlier is not cell:
            again[cell[:2], earlier[:2]].append(cell)
    problems = []
    for ((file, row), (other, other_row)), repeated in again.items():
        one = repeated[0]
        codes = ", ".join(cell.item.code for cell in repeated[:3])
        more = f" and {len(repeated) - 3} more" if len(repeated) > 3 else ""
        problems.append(
            f"{file}, row {row}: participant {one.participant}, session {one.session}, rater "
            f"{one.rater}: {scale.abbreviation} item {codes}{more} rated already in "
            f"{'' if other == file else f'{other}, '}row {other_row}"
        )
    return problems


def _message(problems: Sequence[str], scale: Scale) -> str:
    rows = "row" if len(problems) == 1 else "rows"
    advice = f"Correct the {rows}, or see 'emoclip-clinic scales show {scale.id}'."
    if len(problems) == 1:
        return f"{problems[0].rstrip('.')}. {advice}"
    shown = [*problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        shown.append(f"... and {len(problems) - PROBLEMS_SHOWN} more of {len(problems)} problems")
    return "\n".join([*shown, advice])


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
