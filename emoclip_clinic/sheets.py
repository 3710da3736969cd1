"""A rating sheet as it was typed: text, each row with the number that its program shows."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emoclip_clinic.errors import RatingsError

__all__ = ["MISSING", "NUMBER", "Column", "Sheet", "clean", "make_sheet", "read_sheet"]

MISSING = frozenset({"", "na", "n/a", "nan"})
"""Cells that say "no value", compared in lower case and without spaces around."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
"""How a rating is written."""

DELIMITERS = (",", ";", "\t")

Records = Sequence[tuple[int, tuple[str, ...]]]
"""Row number and cells."""


@dataclass(frozen=True)
class Column:
    """What a file, or the dictionary beside it, says of one of its columns."""

    label: str = ""
    """Its name in words."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Values that it may hold, and what each means."""
    minimum: float | None = None
    """Lowest value that it may hold."""
    maximum: float | None = None
    """Highest value that it may hold."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """Values that the file itself calls missing, and in how many cells; those cells are empty."""
    no_item: bool = False
    """Whether it was computed from other columns, or is one box of several: no item by itself."""


@dataclass(frozen=True)
class Sheet:
    """A table as it was typed: text only, so that "007" stays "007"."""

    name: str
    """The file's name without its folder, for messages."""
    header: tuple[str, ...]
    """Headings, without spaces around."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Row number, as its program shows it, and cells without spaces around; no empty rows."""
    columns: tuple[Column, ...] = ()
    """What is said of each column; empty where nothing is said of any."""
    letters: tuple[str, ...] = ()
    """What a spreadsheet calls each column; empty where the file is none."""
    notes: tuple[str, ...] = ()
    """What was left out when it was read."""

    def column(self, number: int) -> Column:
        """Give what is said of a column."""
        return self.columns[number] if self.columns else Column()

    def place(self, row: int, column: int) -> str:
        """Say where a cell is: "row 14", or "cell C14" in a spreadsheet."""
        return f"cell {self.letters[column]}{row}" if self.letters else f"row {row}"


def make_sheet(name: str, records: Records, header_row: int = 0) -> Sheet:
    """Cut records into a header and rows.

    Parameters
    ----------
    name
        For messages.
    records
        Row number and cells, without spaces around; empty cells at the end do not count.
    header_row
        Number of the row of the headings; 0: the first record.

    Raises
    ------
    RatingsError
        The header row is not there or has fewer than two headings, or rows are longer or shorter
        than it.
    """
    header_row = header_row or (records[0][0] if records else 1)
    header = _without_empty_end(dict(records).get(header_row, ()))
    if len([heading for heading in header if heading]) < 2:
        raise RatingsError(
            f"{name}: row {header_row} must hold the headings, at least two (in CSV with comma, "
            f"semicolon or tab between them); it holds {', '.join(header) or 'nothing'}."
            f"{_advice(records)}"
        )
    rows = [(n, _without_empty_end(row, len(header))) for n, row in records if n > header_row]
    rows = [(n, row) for n, row in rows if any(row)]
    ragged = [(n, len(row)) for n, row in rows if len(row) != len(header)]
    if ragged:
        number, cells = ragged[0]
        raise RatingsError(
            f"{name}, row {number} has {cells} cells, the header has {len(header)}; so in "
            f"{len(ragged)} rows. Each row needs a cell for every heading; decimals take a point."
        )
    return Sheet(name, header, tuple(rows))


def _advice(records: Records) -> str:
    """Name the first row that is as full as most of those with several cells."""
    filled = [(n, sum(map(bool, row))) for n, row in records]
    several = sorted(count for _, count in filled if count > 1)
    if not several:
        return ""
    usual = several[len(several) // 2]
    row = next(n for n, count in filled if count >= usual)
    return f" If they are in row {row}, write header_row = {row} under [ratings] in study.toml."


def read_sheet(path: Path, header_row: int = 0) -> Sheet:
    """Read a CSV or TSV sheet; the delimiter is the one that cuts the header most.

    Parameters
    ----------
    path
        Text in UTF-8, with comma, semicolon or tab between the cells.
    header_row
        The row of the headings; 0: the first one.

    Raises
    ------
    RatingsError
        The file cannot be read, is not text in UTF-8 (with or without a byte order mark), is
        empty, has one column only, an unclosed quote, or rows longer or shorter than the header.
    """
    text = _text(path)
    try:
        delimiter = max(DELIMITERS, key=lambda mark: _n_headings(text, mark, header_row))
        cut = enumerate(_records(text, delimiter, strict=True), start=1)
        records = [(n, tuple(map(clean, row))) for n, row in cut]
    except csv.Error as error:
        raise RatingsError(
            f"{path.name} cannot be split into cells ({error}). "
            "Look for a quotation mark that is not closed, or save it again as CSV (UTF-8)."
        ) from error
    return make_sheet(path.name, records, header_row)


def _n_headings(text: str, delimiter: str, header_row: int) -> int:
    rows = _records(text, delimiter)
    return next((len(row) for n, row in enumerate(rows, start=1) if n >= header_row), 0)


def clean(text: str) -> str:
    """Write a text as all sheets do, without spaces around.

    An accent is one character or two, as the system that saved it likes: here it is always one.
    """
    return unicodedata.normalize("NFC", text).strip()


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RatingsError(
            f"{path} cannot be read: {error.strerror}. Give the path of a CSV or TSV file."
        ) from error
    except UnicodeDecodeError as error:
        raise RatingsError(
            f"{path.name} is not text in UTF-8. Save the sheet as 'CSV UTF-8' and try again."
        ) from error
    if "\0" in text:
        raise RatingsError(f"{path.name} is not a text file. Save the sheet as 'CSV UTF-8'.")
    if not text.strip():
        raise RatingsError(
            f"{path.name} is empty. Row 1 holds the headings, the rows below it the values."
        )
    return text


def _records(text: str, delimiter: str, strict: bool = False) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)


def _without_empty_end(cells: tuple[str, ...], keep: int = 0) -> tuple[str, ...]:
    # spreadsheets write empty cells after the last column
    while len(cells) > keep and not cells[-1]:
        cells = cells[:-1]
    return cells
