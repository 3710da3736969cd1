"""What lies beside the PDF: tables for a spreadsheet, for a manuscript, and checklists."""

from __future__ import annotations

import io
import re
import zipfile

import docx
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError, SettingsError, StudyError
from emoclip_clinic.report import ReportData, load_template, make
from emoclip_clinic.report.checklists import check_answers
from emoclip_clinic.report.exports import csv_with_bom, dictionary, exported
from emoclip_clinic.report.printed import Printed
from emoclip_clinic.report.spec import parse_template
from emoclip_clinic.report.word import word_file
from tests.report_data import RATERS, report_data


@pytest.fixture(scope="module")
def data() -> ReportData:
    return report_data(answers={"grras": {"7": "Consecutive <b>patients</b> & raters on duty."}})


@pytest.fixture(scope="module")
def printed(data: ReportData) -> list[Printed]:
    return make(data, load_template())[1]


def word(tables: list[Printed]) -> bytes:
    return word_file(tables, title="A <b>study</b> \x07", use="Research use.", language="en",
                     author="Ward")  # fmt: skip


def test_the_word_file_has_every_captioned_table(printed: list[Printed]) -> None:
    """Captions, heads, cells and notes as they are printed, subheadings over the whole width."""
    document = docx.Document(io.BytesIO(word(printed)))
    captioned = [table for table in printed if table.caption]
    assert len(document.tables) == len(captioned) > 10
    for made, table in zip(document.tables, captioned, strict=True):
        assert tuple(cell.text for cell in made.rows[0].cells) == table.columns
        for row, texts in zip(made.rows[1:], table.rows, strict=True):
            found = [cell.text for cell in row.cells]
            assert found == list(texts) if len(texts) > 1 else set(found) == set(texts)
    paragraphs = "\n".join(one.text for one in document.paragraphs)
    assert all(f"{table.label} {table.caption}" in paragraphs for table in captioned)
    assert "A <b>study</b>" in paragraphs
    assert document.sections[0].footer.paragraphs[0].text == "Research use."


def test_equal_tables_give_equal_word_files(printed: list[Printed]) -> None:
    """Byte by byte, without a clock in the archive."""
    assert word(printed) == word(printed)
    with zipfile.ZipFile(io.BytesIO(word(printed))) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_an_estimate_stands_beside_its_interval_in_one_cell(printed: list[Printed]) -> None:
    """In the PDF it stands above it."""
    cells = [cell for table in printed for row in table.rows for cell in row]
    assert any(re.fullmatch(r"0\.\d\d \(−?0\.\d\d to −?0\.\d\d\)", cell) for cell in cells)


def test_exported_tables_name_no_rater_and_say_what_each_column_means(data: ReportData) -> None:
    """Letters in place of names; a column without a meaning is an error."""
    tables = exported(data)
    assert {"agreement", "performance", "reliability", "equivalence"} <= set(tables)
    text = "\n".join(csv_with_bom(table).decode("utf-8-sig") for table in tables.values())
    assert not any(rater in text for rater in RATERS)
    meanings = dict.fromkeys({str(c) for table in tables.values() for c in table}, "It.")
    found = dictionary(tables, meanings)
    assert len(found) == sum(len(table.columns) for table in tables.values())
    with pytest.raises(StudyError, match=r"column value of .*\.csv has no meaning"):
        dictionary(tables, {name: text for name, text in meanings.items() if name != "value"})


def test_the_csv_is_what_a_spreadsheet_takes_for_utf_8() -> None:
    """A byte order mark, full precision, Unix line ends."""
    table = pd.DataFrame({"value": [1 / 3], "note": ["ä"]})
    content = csv_with_bom(table)
    assert content.startswith(b"\xef\xbb\xbfvalue,note\n")
    assert float(pd.read_csv(io.BytesIO(content), encoding="utf-8-sig").value[0]) == 1 / 3


def rows_of(printed: list[Printed], title: str) -> dict[str, tuple[str, ...]]:
    (table,) = [one for one in printed if title in one.caption]
    return {row[0]: row for row in table.rows if len(row) > 1}


def test_checklists_are_filled_by_run_and_authors(printed: list[Printed]) -> None:
    """What neither knows is for the authors to supply; markup is shown as text."""
    grras, tripod = rows_of(printed, "GRRAS"), rows_of(printed, "TRIPOD+AI")
    assert (len(grras), len(tripod)) == (15, 27)
    assert grras["7"][3] == "Consecutive <b>patients</b> & raters on duty."
    assert grras["5"][3] == "Authors must supply."
    assert "38 participants, 3 raters" in grras["11"][3]


def test_a_checklist_names_the_pages_where_things_are_said(data: ReportData) -> None:
    """The page of the block that says it, also where the checklist stands before it."""
    import pypdf

    sections = [
        {"blocks": [{"block": "checklist", "name": "grras"}]},
        {"title": "Sheep", "new_page": True, "blocks": ["participants"]},
        {"title": "Goats", "new_page": True, "blocks": ["raters"]},
    ]
    pdf, _ = make(data, parse_template({"section": sections}, "own.toml"))
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    cohort = next(n for n, text in enumerate(pages, 1) if "Sheep" in text)
    raters = next(n for n, text in enumerate(pages, 1) if "Goats" in text)
    text = " ".join(" ".join(pages).split())
    assert re.search(rf"population of subjects is described\. {cohort} ", text)
    assert re.search(rf"population of raters is described\. {raters} ", text)


def test_what_is_no_checklist_and_no_item_is_an_error() -> None:
    """The allowed ones are named."""
    with pytest.raises(SettingsError, match=r"grras has no item '16'; allowed: 1, 2, .*, 15"):
        check_answers({"grras": {"16": "No."}})
    with pytest.raises(ClinicError, match=r"no templates/checklists/grass.toml. Did you mean"):
        check_answers({"grass": {"1": "Green."}})
