"""Read a CSV or TSV sheet as text, each row with the number that a spreadsheet shows."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emoclip_clinic.errors import RatingsError

__all__ = ["MISSING", "Sheet", "read_sheet"]

MISSING = frozenset({"", "na", "n/a", "nan"})
"""Cells that say "no value", compared in lower case and without spaces around."""

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Sheet:
    """A table as it was typed: text only, so that "007" stays "007"."""

    name: str
    """The file's name without its folder, for messages."""
    header: tuple[str, ...]
    """Headings, without spaces around."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Row number (the header is row 1) and cells, without spaces around; empty rows left out."""


def read_sheet(path: Path) -> Sheet:
    """Read a sheet; the delimiter (comma, semicolon, tab) is the one that cuts the header most.

    Raises
    ------
    RatingsError
        The file cannot be read, is not text in UTF-8 (with or without a byte order mark), is
        empty, has one column only, an unclosed quote, or rows longer or shorter than the header.
    """
    text = _text(path)
    try:
        delimiter = max(DELIMITERS, key=lambda mark: len(next(_records(text, mark))))
        cut = _records(text, delimiter, strict=True)
        records = [tuple(cell.strip() for cell in row) for row in cut]
    except csv.Error as error:
        raise RatingsError(
            f"{path.name} cannot be split into cells ({error}). "
            "Look for a quotation mark that is not closed, or save it again as CSV (UTF-8)."
        ) from error
    header = _without_empty_end(records[0])
    if len(header) < 2:
        raise RatingsError(
            f"{path.name}: row 1 must hold the headings, at least two, with comma, semicolon or "
            f"tab between them; it holds {', '.join(header) or 'nothing'}."
        )
    rows = [(n, _without_empty_end(row, len(header))) for n, row in enumerate(records, start=1)]
    rows = [(n, row) for n, row in rows[1:] if any(row)]
    ragged = [(n, len(row)) for n, row in rows if len(row) != len(header)]
    if ragged:
        number, cells = ragged[0]
        raise RatingsError(
            f"{path.name}, row {number} has {cells} cells, the header has {len(header)}; so in "
            f"{len(ragged)} rows. Each row needs a cell for every heading; decimals take a point."
        )
    return Sheet(path.name, header, tuple(rows))


def _text(path: Path) -> str:
    try:
        # an accent is one character or two, as the system that saved it likes: here always one
        text = unicodedata.normalize("NFC", path.read_bytes().decode("utf-8-sig"))
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
        raise RatingsError(f"{path.name} is empty. Row 1 holds the headings, then a row a rating.")
    return text


def _records(text: str, delimiter: str, strict: bool = False) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)


def _without_empty_end(cells: tuple[str, ...], keep: int = 0) -> tuple[str, ...]:
    # spreadsheets write empty cells after the last column
    while len(cells) > keep and not cells[-1]:
        cells = cells[:-1]
    return cells
