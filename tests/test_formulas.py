"""Names that look like formulas, which come from folder names, are never run by a spreadsheet."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl

from emoclip_clinic import ratings
from emoclip_clinic.ratings_files import write_template
from emoclip_clinic.scales import load_scale

ID = '=HYPERLINK("http://a.example","P1")'


def test_a_participant_who_is_called_as_a_formula_is_text_in_the_rating_sheet(
    tmp_path: Path,
) -> None:
    """The workbook holds the id as it is, and nothing that a spreadsheet would compute."""
    scale, path = load_scale("cains"), tmp_path / "cains.xlsx"
    write_template(path, ratings.template(scale, [ID, "P2"], ["@ann"], ["-1"]), scale)
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [sheet.cell(2, column).value for column in (1, 2, 3)] == [ID, "-1", "@ann"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    with zipfile.ZipFile(path) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
