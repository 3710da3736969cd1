"""Write the workbook that raters fill in, which accepts only what the scale allows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from emoclip_clinic.files import atomic_path
from emoclip_clinic.scale import Item, Scale

if TYPE_CHECKING:
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["write_template"]

KEYS = 3
"""Columns before the items: participant, session, rater in A, B and C."""
SPARE_ROWS = 500
"""Rows below the prepared ones that can be filled in too."""


def write_template(path: Path, table: pd.DataFrame, scale: Scale) -> None:
    """Write an empty sheet of a scale as a workbook.

    A cell takes only what its item allows. The headings are frozen and protected (without a
    password), and each has its item's label as a comment; a second sheet lists items and ranges.

    Parameters
    ----------
    path
        An .xlsx file.
    table
        What `ratings.template` makes of the scale.
    scale
        The scale.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = scale.id[:31]
    for row in [list(table.columns), *table.to_numpy().tolist()]:
        sheet.append([cell or None for cell in row])
    last = len(table) + 1 + SPARE_ROWS
    _unlock(sheet, last)
    _describe(sheet, scale, last)
    sheet.freeze_panes = "D2"
    _list_items(book.create_sheet("items"), scale)
    with atomic_path(path) as temporary:
        book.save(temporary)


def _unlock(sheet: Worksheet, last: int) -> None:
    from openpyxl.styles import Font, Protection

    open_cell = Protection(locked=False)
    for row in sheet.iter_rows(min_row=2, max_row=last, max_col=sheet.max_column):
        for number, cell in enumerate(row):
            cell.protection = open_cell
            # a spreadsheet would make 7 of the id 007
            cell.number_format = "@" if number < KEYS else "General"
            # an id that begins with = is an id, and no formula
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type
    for column in range(1, sheet.max_column + 1):
        sheet.cell(1, column).font = Font(bold=True)
    sheet.protection.sheet = True
    sheet.protection.formatColumns = False


def _describe(sheet: Worksheet, scale: Scale, last: int) -> None:
    from openpyxl.comments import Comment
    from openpyxl.utils import get_column_letter

    for number, item in enumerate(scale.items, start=KEYS + 1):
        sheet.cell(1, number).comment = Comment(
            f"{item.label}: {item.range_text}", scale.abbreviation
        )
        rule = _validation(item, scale)
        letter = get_column_letter(number)
        rule.add(f"{letter}2:{letter}{last}")
        sheet.add_data_validation(rule)


def _validation(item: Item, scale: Scale) -> DataValidation:
    from openpyxl.worksheet.datavalidation import DataValidation

    # a code that the scale accepts may lie outside the range
    whole = range(int(item.minimum), int(item.maximum) + 1)
    values = [*(item.allowed or whole), *item.counts_zero]
    if len(values) > len(whole) or item.allowed:
        listed = ",".join(f"{value:g}" for value in values)
        rule = DataValidation(type="list", formula1=f'"{listed}"', allow_blank=True)
    else:
        rule = DataValidation(
            type="whole",
            operator="between",
            formula1=f"{item.minimum:g}",
            formula2=f"{item.maximum:g}",
            allow_blank=True,
        )
    rule.showErrorMessage = True
    rule.errorTitle = f"{scale.abbreviation} item {item.code}"
    rule.error = f"Allowed: {item.range_text}. Leave the cell empty where it was not rated."
    return rule


def _list_items(sheet: Worksheet, scale: Scale) -> None:
    sheet.append(["code", "label", "allowed"])
    for item in scale.items:
        sheet.append([item.code, item.label, item.range_text])
    sheet.append([])
    sheet.append([f"{scale.name}. {scale.licence}"])
    sheet.protection.sheet = True
    sheet.freeze_panes = "A2"
