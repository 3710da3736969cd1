"""One sheet of ratings, read cell by cell: what is a rating, what is missing, what is wrong."""

from __future__ import annotations

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from emoclip_clinic.headings import roles
from emoclip_clinic.item_columns import ItemColumns, find_columns, items_called, mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.recordings import DEFAULT_SESSION
from emoclip_clinic.scale import Item
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import MISSING, NUMBER, Sheet

__all__ = ["DEFAULT_RATER", "Cell", "SheetReader", "Visit", "counted"]

DEFAULT_RATER = "rater1"
"""The rater of a sheet that has no column for it."""

CELL_SHOWN = 20
DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?=$|[ T])")
Note = Callable[[str], object]


@dataclass(frozen=True)
class Visit:
    """A row of a sheet: who was rated, when and by whom."""

    file: str
    row: int
    participant: str
    session: str
    rater: str
    date: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Participant, session and rater."""
        return self.participant, self.session, self.rater


@dataclass(frozen=True)
class Cell:
    """One rating as it was typed."""

    visit: Visit
    place: str
    """Where it stands: "row 14", "cell C14"."""
    item: Item
    text: str
    heading: str
    """Of its column, or the item's name in a long sheet."""


@dataclass
class SheetReader:
    """Reads one sheet, collects its problems and goes on."""

    sheet: Sheet
    names: ItemNames
    settings: RatingsSettings
    note: Note
    problems: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Texts that are no ratings, and how often they occur."""
    unnamed_sessions: set[str] = field(default_factory=set)
    """What stands for a session in rows that name none, where others do."""
    given: dict[str, list[tuple[Visit, float]]] = field(default_factory=lambda: defaultdict(list))
    """Scores that stand in the sheet: "heading, score" to visit and value."""

    def __post_init__(self) -> None:
        self.scale = self.names.scale
        self.columns = roles(self.sheet, self.settings)
        self.sentinels: Counter[str] = Counter()
        self.visits: set[Visit] = set()
        self.missing_numbers = {one for one in self.settings.missing if isinstance(one, float)}
        self.missing_texts = {
            one.casefold() for one in self.settings.missing if isinstance(one, str)
        }
        self.as_filmed = {
            key.removeprefix("ses-").casefold(): value
            for key, value in self.settings.sessions.items()
        }
        # a column of sessions in which nothing stands is none
        sessions = {self._cell(cells, "session").casefold() for _, cells in self.sheet.rows}
        if sessions <= MISSING - self.as_filmed.keys():
            self.columns.pop("session", None)

    @property
    def dated(self) -> bool:
        """Whether the sheet says when it was rated."""
        return "date" in self.columns

    def ratings(self) -> Iterator[tuple[Cell, float]]:
        """Yield what is rated and allowed."""
        for text in self.sheet.notes:
            self.note(f"{self.sheet.name}: {text}")
        long = {"item", "value"} <= self.columns.keys()
        rated: set[Visit] = set()
        for cell in self._long() if long else self._wide():
            value = self._value(cell)
            if value is not None:
                rated.add(cell.visit)
                yield cell, value
        for text, count in self.sentinels.items():
            self.note(f"{self.sheet.name}: {text} means 'not rated' in {counted(count, 'cell')}")
        empty = self.visits - rated
        if rated and empty:
            self.note(
                f"{self.sheet.name}: {len(empty)} of {len(self.visits)} rows have no rating of "
                f"{self.scale.abbreviation}"
            )

    def _value(self, cell: Cell) -> float | None:
        """Give the rating; None for a missing one, and for a wrong one, which is noted."""
        value = float(cell.text) if NUMBER.fullmatch(cell.text) else None
        allowed = value is not None and cell.item.accepts(value)
        if cell.text.casefold() in MISSING or value in self.scale.not_assessed:
            return None
        if value in self.missing_numbers or cell.text.casefold() in self.missing_texts:
            self.sentinels[cell.text] += 1
            if allowed:
                self._problem(cell.place, f"{self._name(cell)}: an allowed rating, and in missing")
        elif allowed:
            return value
        else:
            self.refused[cell.text] += 1
            self._problem(cell.place, self._refusal(cell, value))
        return None

    def _name(self, cell: Cell) -> str:
        text = " ".join(cell.text.split())
        shown = text if len(text) <= CELL_SHOWN else text[:CELL_SHOWN] + "..."
        return f"{self.scale.abbreviation} item {cell.item.code} = {shown}"

    def _refusal(self, cell: Cell, value: float | None) -> str:
        hint = ""
        if value is None:
            hint = f" ({_why_no_number(cell.text)})"
        elif value < 0:
            hint = ", and an empty cell where it was not rated"
        return f"{self._name(cell)}; allowed {cell.item.range_text}{hint}"

    def _problem(self, place: str, text: str) -> None:
        self.problems.append(f"{self.sheet.name}, {place}: {text}")

    def _wide(self) -> Iterator[Cell]:
        mapped, _ = mapped_items(self.settings.columns, self.names)
        not_rated = self.missing_numbers | {*self.scale.not_assessed}
        taken = set(self.columns.values())
        found = find_columns(self.sheet, self.names, mapped, taken, not_rated)
        self.problems += found.problems
        self._note_columns(found)
        for visit, cells in self._rows(found.items):
            for column, item in found.items.items():
                place = self.sheet.place(visit.row, column)
                yield Cell(visit, place, item, cells[column], self.sheet.header[column])
            for column, score in found.scores.items():
                if NUMBER.fullmatch(cells[column]):
                    name = f"{self.sheet.header[column]}, {score}"
                    self.given[name].append((visit, float(cells[column])))

    def _note_columns(self, found: ItemColumns) -> None:
        name, scale = self.sheet.name, self.scale.abbreviation
        if not found.items:
            self.note(f"{name}: left out, no column is an item of {scale}")
            return
        for text in found.notes:
            self.note(text)
        for column, item in found.items.items():
            for text, count in self.sheet.column(column).missing.items():
                self.note(
                    f"{name}: {scale} item {item.code}: {text} is 'missing' by the file's own "
                    f"rule, in {counted(count, 'cell')}"
                )
        codes = {item.code for item in found.items.values()}
        absent = [code for code in self.scale.codes if code not in codes]
        if absent:
            self.note(f"{name}: no column for {scale} item {', '.join(absent)}: not rated")
        others = [*found.others, *(self.sheet.header[number] for number in found.scores)]
        if others:
            self.note(f"{name}: columns that are no {scale} item, left out: {', '.join(others)}")

    def _long(self) -> Iterator[Cell]:
        codes, column = self.columns["item"], self.columns["value"]
        rows = [*self._rows([column])]
        called = items_called({cells[codes] for _, cells in rows}, self.names)
        for visit, cells in rows:
            code = cells[codes]
            if code not in called:
                text = f"{self.scale.abbreviation} has no item {code}. {self.names.hint(code)}"
                self._problem(self.sheet.place(visit.row, codes), text.strip())
            else:
                place = self.sheet.place(visit.row, column)
                yield Cell(visit, place, called[code], cells[column], code)

    def _rows(self, rated: Collection[int]) -> Iterator[tuple[Visit, tuple[str, ...]]]:
        """Yield the rows of this scale; `rated` are the columns in which ratings stand."""
        names = {self.scale.id, self.scale.abbreviation.casefold()}
        others: set[str] = set()
        remarks: list[str] = []
        for row, cells in self.sheet.rows:
            owner = self._cell(cells, "scale", self.scale.id)
            if owner and owner.casefold() not in names:
                others.add(owner)
                continue
            visit = self._visit(row, cells)
            named = {role: getattr(visit, role) for role in ("participant", "session", "rater")}
            named["scale"] = owner
            if not visit.participant and not any(cells[column] for column in rated):
                remarks.append(str(row))
                continue
            blank = [name for name, text in named.items() if text.casefold() in MISSING]
            if blank:
                self._problem(f"row {row}", f"the cell of {', '.join(blank)} is empty")
                if blank == ["session"]:
                    self.unnamed_sessions.add(self._cell(cells, "session"))
            else:
                self.visits.add(visit)
                yield visit, cells
        if remarks:
            self.note(
                f"{self.sheet.name}: rows without participant and rating, left out: "
                f"{', '.join(remarks)}"
            )
        if others:
            left_out = ", ".join(sorted(others))
            self.note(f"{self.sheet.name}: rows of other scales, left out: {left_out}")

    def _visit(self, row: int, cells: Sequence[str]) -> Visit:
        session = self._cell(cells, "session", DEFAULT_SESSION).removeprefix("ses-")
        session = self.as_filmed.get(session.casefold(), session)
        return Visit(
            self.sheet.name,
            row,
            self._cell(cells, "participant").removeprefix("sub-"),
            session.removeprefix("ses-"),
            self._cell(cells, "rater", DEFAULT_RATER),
            self._date(row, self._cell(cells, "date")),
        )

    def _date(self, row: int, text: str) -> str | None:
        if text.casefold() in MISSING | self.missing_texts:
            return None
        found = DATE.match(text)
        try:
            return datetime.date.fromisoformat(found.group() if found else text).isoformat()
        except ValueError:
            heading = self.sheet.header[self.columns["date"]]
            self._problem(
                self.sheet.place(row, self.columns["date"]),
                f"{heading} = {text}; a date is written 2024-03-05 (year-month-day)",
            )
            return None

    def _cell(self, cells: Sequence[str], role: str, default: str = "") -> str:
        return cells[self.columns[role]] if role in self.columns else default


def counted(n: int, word: str) -> str:
    """Write a number and what it counts: "1 cell", "3 cells"."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _why_no_number(text: str) -> str:
    if DATE.match(text):
        return "a date: a spreadsheet made one of what was typed; format the column as text"
    if text == "#NULL!":
        return 'how SPSS writes a missing value; if so, write missing = ["#NULL!"] under [ratings]'
    if text.startswith("#"):
        return "an error of a formula: correct it in the spreadsheet"
    if text.upper() in ("TRUE", "FALSE"):
        return "yes or no: a spreadsheet makes it of 1 and 0; export the numbers"
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return "a decimal takes a point"
    return "not a number"
