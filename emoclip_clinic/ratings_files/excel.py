"""Read Excel workbooks: the values that were typed or computed, and no guesses."""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.headings import roles
from emoclip_clinic.item_columns import find_columns, mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import Sheet, clean, make_sheet

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell, MergedCell
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["read", "read_worksheet"]


def read(path: Path, names: ItemNames, settings: RatingsSettings) -> Sheet:
    """Read the sheet of a workbook that has a scale's items.

    That is the one that study.toml names, or else the only one with such columns. Hidden sheets
    are read only where they are named.

    Raises
    ------
    RatingsError
        The file is no workbook, the sheet is not there, several sheets or none have items, or the
        sheet cannot be read cell by cell.
    """
    values, formulas = _open(path, data_only=True), _open(path, data_only=False)
    sheets = _worksheets(values)
    if settings.sheet and settings.sheet not in sheets:
        raise RatingsError(
            f"{path.name} has no sheet {settings.sheet!r}, which study.toml names under "
            f"[ratings]. It has {', '.join(sheets)}."
        )
    if settings.sheet:
        return read_worksheet(path.name, sheets[settings.sheet], formulas, settings)
    shown = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible"]
    if len(shown) == 1:
        return read_worksheet(path.name, shown[0], formulas, settings)
    return _only_one(path.name, shown, formulas, names, settings)


def _worksheets(book: Workbook) -> dict[str, Worksheet]:
    from openpyxl.worksheet.worksheet import Worksheet

    # a chart can be a sheet too
    everything = [book[name] for name in book.sheetnames]
    return {sheet.title: sheet for sheet in everything if isinstance(sheet, Worksheet)}


def _only_one(
    name: str,
    shown: list[Worksheet],
    formulas: Workbook,
    names: ItemNames,
    settings: RatingsSettings,
) -> Sheet:
    found: dict[str, Sheet] = {}
    refusals = []
    for worksheet in shown:
        try:
            sheet = read_worksheet(name, worksheet, formulas, settings)
            if _has_items(sheet, names, settings):
                found[worksheet.title] = sheet
        except RatingsError as error:
            refusals.append(str(error))
    titles = [worksheet.title for worksheet in shown]
    if len(found) == 1:
        ((title, sheet),) = found.items()
        others = ", ".join(one for one in titles if one != title)
        note = f"other sheets of the workbook, not read: {others}"
        return replace(sheet, notes=(*sheet.notes, note))
    which = f"sheets {' and '.join(found)} have" if found else "no sheet has"
    raise RatingsError(
        f"{name}: {which} items of {names.scale.abbreviation}, and one must. Name it under "
        f'[ratings] in study.toml: sheet = "NAME"; there are {", ".join(titles)}. '
        f"{' '.join(refusals)}".rstrip()
    )


def _has_items(sheet: Sheet, names: ItemNames, settings: RatingsSettings) -> bool:
    columns = roles(sheet, settings)
    mapped, _ = mapped_items(settings.columns, names)
    long = {"item", "value"} <= columns.keys()
    found = find_columns(sheet, names, mapped, set(columns.values()))
    return long or bool(found.items or found.problems)


def _open(path: Path, *, data_only: bool) -> Workbook:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            # what it cannot keep of styles and extensions is no part of a cell's value
            warnings.simplefilter("ignore", UserWarning)
            return openpyxl.load_workbook(path, data_only=data_only)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise RatingsError(
            f"{path.name} cannot be read as an Excel workbook: {error}. Open it and save it as "
            ".xlsx without a password, or as 'CSV UTF-8'."
        ) from error


def read_worksheet(
    name: str, worksheet: Worksheet, formulas: Workbook, settings: RatingsSettings
) -> Sheet:
    """Read one sheet of a workbook.

    Columns without a heading are left out. Cells hold what the workbook kept of its formulas'
    results; dates are ISO text.

    Raises
    ------
    RatingsError
        There is no header row, a cell is merged with others, or the result of a formula was never
        kept.
    """
    from openpyxl.utils import get_column_letter

    name = f"{name}, sheet {worksheet.title}"
    rows = [row for row in worksheet.iter_rows() if any(_text(cell) for cell in row)]
    records = [(row[0].row or 0, tuple(map(_text, row))) for row in rows]
    header_row = settings.header_row or (records[0][0] if records else 1)
    headings = dict(records).get(header_row, ())
    wanted = [number for number, heading in enumerate(headings) if heading]
    _refuse_merged(name, worksheet, header_row, header_row)
    _refuse_unknown_results(name, worksheet, formulas[worksheet.title])
    kept = [(n, tuple(cells[number] for number in wanted)) for n, cells in records]
    # the advice on another header row needs the rows as they are
    sheet = make_sheet(name, kept if len(wanted) > 1 else records, header_row)
    _refuse_merged(name, worksheet, header_row + 1, worksheet.max_row)
    left_out = [
        get_column_letter(number + 1)
        for number in range(len(headings))
        if number not in wanted and any(cells[number] for n, cells in records if n > header_row)
    ]
    return replace(
        sheet,
        letters=tuple(get_column_letter(number + 1) for number in wanted),
        notes=tuple(f"column {letter} has no heading: left out" for letter in left_out),
    )


def _refuse_merged(name: str, worksheet: Worksheet, first_row: int, last_row: int) -> None:
    for merged in worksheet.merged_cells.ranges:
        if merged.max_row >= first_row and merged.min_row <= last_row:
            raise RatingsError(
                f"{name}: the cells {merged.coord} are merged, so that it is not known which row "
                "and column the text belongs to. Unmerge them, and write a heading over each "
                "column and a value into each row."
            )


def _refuse_unknown_results(name: str, values: Worksheet, formulas: Worksheet) -> None:
    """Refuse formulas without a kept result: they would be missing ratings."""
    for row in formulas.iter_rows():
        for cell in row:
            kept = values[cell.coordinate]
            # a result that is an empty text has a type
            if cell.data_type == "f" and kept.value is None and kept.data_type == "n":
                raise RatingsError(
                    f"{name}, cell {cell.coordinate} holds a formula whose result the file does "
                    "not have. Open it in a spreadsheet program, save it, and try again."
                )


def _text(cell: Cell | MergedCell) -> str:
    """Write a cell's value as the sheet shows it: 3 for 3.0, 007 where the format says so."""
    value: Any = cell.value
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    return "" if value is None else clean(str(value))


def _number(value: float, number_format: str) -> str:
    if not float(value).is_integer():
        return repr(value)
    zeros = re.fullmatch("0+", number_format)
    return f"{int(value):0{len(number_format) if zeros else 1}d}"
