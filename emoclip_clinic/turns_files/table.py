"""Tables of turns: CSV or TSV with headings, BIDS events, the exports of ELAN.

Source of BIDS events: Brain Imaging Data Structure 1.10, "Events" (onset, duration, trial_type).
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Stretch, Turn, clock_s, make_turn

__all__ = ["read"]

START, STOP, DURATION = ("start", "onset", "begin"), ("stop", "end", "offset"), ("duration",)
SPEAKER, SECTION, RECORDING = ("speaker", "tier", "role"), ("section", "part"), ("recording",)
EVENT = ("trial_type", "event_type")
"""One column of BIDS events: it stands for the speaker and the section where no other does."""
MISSING = frozenset({"", "n/a", "na", "nan"})
TIME = re.compile(
    r"(?P<what>start|onset|begin|stop|end|offset|duration)([_ ]time)?"
    r"([ _-]+(?P<unit>s|sec|seconds|ss\.msec|hh:mm:ss\.ms|ms|msec|milliseconds))?"
)
UNITS_S = {"ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3}
WITH_COMMA, WITH_POINT = re.compile(r"[+-]?\d*,\d+"), re.compile(r"[+-]?[\d,]*\.\d+")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""What may be a decimal comma, or a comma between thousands."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


Rows = list[tuple[int, list[str]]]
"""Number of the row and its cells."""


@dataclass(frozen=True)
class _Times:
    """The column of a time, and its unit."""

    column: int
    unit_s: float


@dataclass(frozen=True)
class _Columns:
    """Where everything stands."""

    start: _Times
    stop: _Times | None
    duration: _Times | None
    speaker: int | None
    section: int | None
    recording: int | None

    @property
    def times(self) -> list[int]:
        """Columns that hold times."""
        return [one.column for one in (self.start, self.stop, self.duration) if one]


def read(text: str) -> list[Turn]:
    """Read a table with a heading for start and for stop or duration.

    Raises
    ------
    TurnsError
        A column is missing, a row has too few or too many cells, or it cannot be told what a comma
        in the times means; the message has the row.
    """
    header, rows = _cut(text)
    columns = _columns(header)
    if _decimal_comma(rows, columns.times):
        rows = [(number, _with_points(row, columns.times)) for number, row in rows]
    return [_turn(row, columns, f"row {number}") for number, row in rows]


def _columns(header: list[str]) -> _Columns:
    start, stop, duration = (_times(header, names) for names in (START, STOP, DURATION))
    if start is None or (stop is None and duration is None):
        raise TurnsError(
            f"its headings are {', '.join(header) or 'missing'}; needed are start_s and stop_s (or "
            "duration_s), in seconds, or start_ms and stop_ms. Name the columns so."
        )
    names = (SPEAKER + EVENT, SECTION + EVENT, RECORDING)
    return _Columns(start, stop, duration, *(_column(header, some) for some in names))


def _decimal_comma(rows: Rows, columns: list[int]) -> bool:
    """Whether the table's times are written with a decimal comma, as in 0,5."""
    cells = [(number, row[column]) for number, row in rows for column in columns]
    commas = [(number, cell) for number, cell in cells if WITH_COMMA.fullmatch(cell)]
    if not commas:
        return False
    number, cell = commas[0]
    cure = "Write all times with a decimal point (1234.5), or as h:mm:ss."
    for other, with_point in cells:
        if WITH_POINT.fullmatch(with_point):
            raise TurnsError(
                f"row {number} has a comma in {cell!r}, row {other} a point in {with_point!r}: it "
                f"cannot be told what the comma means. {cure}"
            )
    if all(THOUSANDS.fullmatch(one) for _, one in commas):
        raise TurnsError(
            f"row {number}: {cell!r} may be {cell.replace(',', '.')} or {cell.replace(',', '')}. "
            f"{cure}"
        )
    return True


def _with_points(row: list[str], columns: list[int]) -> list[str]:
    return [cell.replace(",", ".") if n in columns else cell for n, cell in enumerate(row)]


def _turn(row: list[str], columns: _Columns, place: str) -> Turn:
    start_s = stop_s = math.nan
    problem = ""
    try:
        start_s, stop_s = _span(row, columns, place)
    except TurnsError as error:
        problem = str(error)
    return make_turn(
        start_s,
        stop_s,
        place,
        problem=problem,
        speaker=_cell(row, columns.speaker),
        section=_cell(row, columns.section),
        recording=_cell(row, columns.recording),
    )


def _cut(text: str) -> tuple[list[str], Rows]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise TurnsError(f"it cannot be cut into cells ({error}).") from error
    rows = [(n, [cell.strip() for cell in row]) for n, row in enumerate(lines, start=1)]
    header = [name.casefold() for name in rows[0][1]] if rows else []
    rows = [(n, row) for n, row in rows[1:] if any(row)]
    for number, row in rows:
        if len(row) < len(header) or any(row[len(header) :]):
            raise TurnsError(
                f"row {number} has {len(row)} cells, the header has {len(header)}. Each row needs "
                "a cell for every heading; decimals take a point, or semicolons between the cells."
            )
    return header, rows


def _times(header: list[str], names: tuple[str, ...]) -> _Times | None:
    for column, heading in enumerate(header):
        found = TIME.fullmatch(heading)
        if found and found["what"] in names:
            return _Times(column, UNITS_S.get(found["unit"] or "", 1.0))
    return None


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(row: list[str], column: int | None) -> str:
    cell = "" if column is None else row[column]
    return "" if cell.casefold() in MISSING else cell


def _time(row: list[str], times: _Times, place: str) -> float | None:
    """Read seconds; None where the cell says that there is no value."""
    cell = row[times.column]
    if cell.casefold() in MISSING:
        return None
    on_clock_s = clock_s(cell)
    if on_clock_s is not None:
        return on_clock_s
    if not NUMBER.fullmatch(cell):
        raise TurnsError(
            f"{place}: {cell!r} is no time. Allowed are numbers such as 83.5, m:ss and h:mm:ss, "
            "such as 1:23.5."
        )
    return float(cell) * times.unit_s


def _span(row: list[str], columns: _Columns, place: str) -> Stretch:
    """Give start and stop; the start twice where there is no stop: an event without a duration."""
    start_s = _time(row, columns.start, place)
    if start_s is None:
        raise TurnsError(f"{place} has no start. Give every row one.")
    if columns.stop is not None:
        stop_s = _time(row, columns.stop, place)
        return start_s, start_s if stop_s is None else stop_s
    lasts_s = None if columns.duration is None else _time(row, columns.duration, place)
    return start_s, start_s + (lasts_s or 0.0)
