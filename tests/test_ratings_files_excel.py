"""Workbooks: what is read of them, what is refused, and the one that raters fill in."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from emoclip_clinic import ratings, ratings_files
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Item, Scale
from emoclip_clinic.scales import load_scale
from emoclip_clinic.settings import RatingsSettings
from tests.rating_scales import make_scale

PANSS = load_scale("panss")
CAINS = load_scale("cains")


@dataclass(frozen=True)
class Coded(Item):
    """An item with a code that counts as 0."""

    counts_zero: tuple[float, ...] = ()


HEADER = ("participant", "session", "rater", "P1", "P2")


def book(
    folder: Path,
    rows: Sequence[Sequence[Any]],
    change: Callable[[Worksheet], object] = lambda sheet: None,
) -> Path:
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    change(sheet)
    made.save(folder / "ratings.xlsx")
    return folder / "ratings.xlsx"


def read(path: Path, scale: Scale = PANSS, **rules: Any) -> pd.DataFrame:
    settings = RatingsSettings(**rules)
    return ratings.read_ratings(
        path,
        scale,
        [].append,
        settings,
        lambda one: ratings_files.read(one, scale, settings, path.parent),
    )


def refusal(path: Path, scale: Scale = PANSS, **rules: Any) -> str:
    with pytest.raises(RatingsError) as caught:
        read(path, scale, **rules)
    return str(caught.value)


def cells(table: pd.DataFrame) -> list[tuple[object, ...]]:
    keys = ["participant", "session", "rater", "item", "value"]
    return [tuple(row) for row in table[keys].to_numpy().tolist()]


def test_a_workbook_is_read_as_its_text(tmp_path: Path) -> None:
    """Texts and numbers, empty rows and columns, blanks round a heading."""
    rows = [
        (" participant", None, "session", "rater", "P1", "P2 "),
        [],
        ("007", None, "01", "A", 3.0, 4),
    ]
    table = read(book(tmp_path, [*rows, [], [None, None]]))
    assert cells(table) == [("007", "01", "A", "P1", 3.0), ("007", "01", "A", "P2", 4.0)]


def test_an_id_that_is_shown_with_zeros_has_them(tmp_path: Path) -> None:
    """The number 7 in the format 000 is 007, as the sheet shows it."""

    def with_zeros(sheet: Worksheet) -> None:
        sheet["A2"].number_format = "000"

    table = read(book(tmp_path, [HEADER, (7, "01", "A", 3, 4)], with_zeros))
    assert table["participant"].unique().tolist() == ["007"]


def test_notes_above_the_table_need_a_header_row(tmp_path: Path) -> None:
    """The message names the row that looks like the headings; with the rule it is read."""
    path = book(
        tmp_path, [("Ratings of our study",), ("by A",), [], HEADER, ("1", "01", "A", 3, 4)]
    )
    assert "write header_row = 4 under [ratings]" in refusal(path)
    assert len(read(path, header_row=4)) == 2


def test_remarks_below_the_table_are_no_ratings(tmp_path: Path) -> None:
    """A row without participant and rating is left out; one with a rating is refused."""
    rows = [HEADER, ("1", "01", "A", 3, 4), (None, "see protocol")]
    assert len(read(book(tmp_path, rows))) == 2
    text = refusal(book(tmp_path, [*rows, (None, "01", "A", 3, 4)]))
    assert "row 4: the cell of participant is empty" in text


@pytest.mark.parametrize("merged", ["D1:E1", "D2:E2", "A2:A3"])
def test_merged_cells_are_refused(tmp_path: Path, merged: str) -> None:
    """In the header or below it, with the cure; above the header they do not matter."""
    rows = [HEADER, ("1", "01", "A", 3, 4), ("2", "01", "A", 3, 4)]
    text = refusal(book(tmp_path, rows, lambda sheet: sheet.merge_cells(merged)))
    assert f"the cells {merged} are merged" in text
    assert "Unmerge them" in text
    above = book(tmp_path, [("note",), *rows], lambda sheet: sheet.merge_cells("A1:C1"))
    assert len(read(above, header_row=2)) == 4


def test_a_date_in_an_items_cell_is_refused_with_the_cells_name(tmp_path: Path) -> None:
    """A spreadsheet makes a date of 3-4; the message says so."""
    path = book(tmp_path, [HEADER, ("1", "01", "A", datetime.datetime(2024, 4, 3), 4)])
    assert "cell D2: PANSS item P1 = 2024-04-03; allowed 1-7 (a date" in refusal(path)


@pytest.mark.parametrize(
    ("value", "said"),
    [("#DIV/0!", "an error of a formula"), (True, "yes or no"), ("3,5", "a decimal takes a point")],
)
def test_what_is_no_rating_says_why(tmp_path: Path, value: Any, said: str) -> None:
    """Errors of formulas, yes and no, decimal commas."""
    text = refusal(book(tmp_path, [HEADER, ("1", "01", "A", value, 4)]))
    assert "cell D2: PANSS item P1 = " in text
    assert said in text


def test_a_formula_without_a_kept_result_is_refused(tmp_path: Path) -> None:
    """It would be a missing rating; a spreadsheet program keeps the result when it saves."""
    path = book(tmp_path, [HEADER, ("1", "01", "A", "=1+2", 4)])
    text = refusal(path)
    assert "cell D2 holds a formula whose result the file does not have" in text


def test_a_formula_whose_result_is_an_empty_text_is_a_missing_rating(tmp_path: Path) -> None:
    """=IF(x="","",x) is how empty cells are carried over."""
    path = book(tmp_path, [HEADER, ("1", "01", "A", '=IF(F2="","",F2)', 4)])
    other = tmp_path / "kept.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            # what a spreadsheet program writes for such a result
            new.writestr(name, old.read(name).replace(b'<c r="D2">', b'<c r="D2" t="str">'))
    assert cells(read(other)) == [("1", "01", "A", "P2", 4.0)]


def test_the_sheet_with_items_is_read(tmp_path: Path) -> None:
    """Among several sheets the only one with items; two are refused, until one is named."""

    def more(sheet: Worksheet) -> None:
        about = sheet.parent.create_sheet("about")
        about.append(["who", "when"])
        about.append(["we", "now"])

    def twice(sheet: Worksheet) -> None:
        sheet.title = "first"
        second = sheet.parent.create_sheet("second")
        for row in [HEADER, ("9", "01", "A", 1, 1)]:
            second.append(row)

    def hide(sheet: Worksheet) -> None:
        sheet.sheet_state = "hidden"

    rows = [HEADER, ("Jose\u0301", "01", "A", 3, 4)]
    path = book(tmp_path, rows, more)
    assert read(path)["participant"].tolist() == ["Jos\u00e9"] * 2
    sheet = ratings_files.read(path, PANSS, RatingsSettings(), tmp_path)
    assert sheet.notes == ("other sheets of the workbook, not read: about",)
    path = book(tmp_path, rows, twice)
    assert "sheets first and second have items of PANSS" in refusal(path)
    assert read(path, sheet="second")["participant"].unique().tolist() == ["9"]
    hidden = book(tmp_path, rows, lambda sheet: (twice(sheet), hide(sheet.parent["second"])))
    assert read(hidden)["participant"].nunique() == 1
    assert read(hidden, sheet="second")["participant"].unique().tolist() == ["9"]
    path = book(tmp_path, rows, twice)
    assert "has no sheet 'third'" in refusal(path, sheet="third")
    assert "It has first, second" in refusal(path, sheet="third")


def test_columns_without_heading_and_double_headings(tmp_path: Path) -> None:
    """A column without heading is left out; two participants' columns are refused."""
    path = book(tmp_path, [(*HEADER, None, "x"), ("1", "01", "A", 3, 4, "note", 2)])
    assert len(read(path)) == 2
    path = book(tmp_path, [("participant", "participant", "P1"), ("1", "2", 3)])
    assert "has 2 columns participant" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"no zip", "cannot be read as an Excel workbook"),
        ("a.xlsx", b"PK\x03\x04", "cannot be read as an Excel workbook"),
        ("a.xls", b"", "Open it and save it as .xlsx"),
        ("a.ods", b"", "Open it and save it as .xlsx"),
        ("a.dta", b"", "Export it as CSV"),
    ],
)
def test_other_files_name_the_cure(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """A damaged workbook and kinds that are not read."""
    (tmp_path / name).write_bytes(content)
    assert said in refusal(tmp_path / name)


def test_dates_of_ratings_are_kept(tmp_path: Path) -> None:
    """A date cell or an ISO text is kept in a column of its own; another text is refused."""
    header = ("participant", "date", "P1")
    rows = [("1", datetime.datetime(2024, 3, 5), 3), ("2", "2024-03-06", 4), ("3", None, 5)]
    table = read(book(tmp_path, [header, *rows]))
    assert table.columns.tolist() == [*ratings.COLUMNS, "date"]
    assert table["date"].tolist()[:2] == ["2024-03-05", "2024-03-06"]
    assert table["date"].isna().tolist() == [False, False, True]
    text = refusal(book(tmp_path, [header, ("1", "5.3.2024", 3)]))
    assert "cell B2: date = 5.3.2024; a date is written 2024-03-05" in text


@pytest.mark.parametrize("scale", [PANSS, CAINS], ids=lambda scale: scale.id)
def test_the_workbook_for_raters_comes_back_as_it_was_filled(tmp_path: Path, scale: Scale) -> None:
    """Ids keep their zeros, every item its column, and an empty one has no rating."""
    path = tmp_path / "sheet.xlsx"
    ratings_files.write_template(path, ratings.template(scale, ["007"], ["A", "B"]), scale)
    assert "there is no rating" in refusal(path, scale)
    filled = openpyxl.load_workbook(path)
    sheet = filled[scale.id]
    for row in (2, 3):
        for column in range(4, 4 + len(scale.items)):
            sheet.cell(row, column).value = 1 + (row + column) % 3
    filled.save(path)
    table = read(path, scale)
    assert table[["participant", "rater"]].drop_duplicates().to_numpy().tolist() == [
        ["007", "A"], ["007", "B"],
    ]  # fmt: skip
    expected = [
        1 + (row + column) % 3 for row in (2, 3) for column in range(4, 4 + len(scale.items))
    ]
    assert table["value"].tolist() == expected
    assert table["item"].tolist() == [*scale.codes, *scale.codes]


def test_the_workbook_takes_only_what_is_allowed(tmp_path: Path) -> None:
    """Whole numbers in a range, or a list where not every number is; the header is protected."""
    items = [
        Item("A1", "First", 0, 4),
        Item("A2", "Second", 0, 8, (0, 2, 8)),
        Coded("A3", "Third", 0, 2, counts_zero=(3,)),
    ]
    scale = make_scale("s", items)
    ratings_files.write_template(tmp_path / "s.xlsx", ratings.template(scale, ["1"]), scale)
    sheet = openpyxl.load_workbook(tmp_path / "s.xlsx")["s"]
    rules = {str(rule.sqref).split(":")[0]: rule for rule in sheet.data_validations.dataValidation}
    whole, listed, coded = rules["D2"], rules["E2"], rules["F2"]
    assert (whole.type, whole.formula1, whole.formula2) == ("whole", "0", "4")
    assert (listed.type, listed.formula1) == ("list", '"0,2,8"')
    assert (coded.type, coded.formula1) == ("list", '"0,1,2,3"')
    assert sheet.freeze_panes == "D2"
    assert sheet.protection.sheet
    assert sheet["D1"].protection.locked
    assert not sheet["D2"].protection.locked
    assert sheet["D1"].comment.text == "First: 0-4"
