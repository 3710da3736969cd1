"""The report's tables as a Word file, for the manuscript."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt

from emoclip_clinic.report.context import CONTROL
from emoclip_clinic.report.printed import Printed

__all__ = ["word_file"]

FONT, FONT_PT, NOTE_PT = "Calibri", 9, 8
THICK, THIN = 12, 6
"""Rules, in eighths of a point."""
NO_TIME = (1980, 1, 1, 0, 0, 0)
"""In place of the clock's: equal tables give equal bytes."""


def word_file(
    tables: Sequence[Printed], *, title: str, use: str, language: str, author: str
) -> bytes:
    """Make a .docx of tables, each with its caption above and its notes below.

    Parameters
    ----------
    tables
        As the report prints them; those without a caption are left out.
    title, author
        Of the document.
    use
        The limits of use, in the footer of every page.
    language
        ISO 639 code.

    Returns
    -------
    bytes
        Equal arguments give equal bytes.
    """
    document = docx.Document()
    _describe(document, title, author, language)
    footer = document.sections[0].footer.paragraphs[0]
    footer.text = use
    document.add_heading(_clean(title), level=1)
    for table in tables:
        if table.caption:
            _add(document, table)
    buffer = io.BytesIO()
    document.save(buffer)
    return _without_clock(buffer.getvalue())


def _describe(document: Any, title: str, author: str, language: str) -> None:
    about = document.core_properties
    about.title, about.author, about.language = _clean(title), _clean(author), language
    about.comments = ""
    about.created = about.modified = datetime(*NO_TIME, tzinfo=UTC)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(FONT_PT)


def _add(document: Any, table: Printed) -> None:
    caption = document.add_paragraph()
    caption.paragraph_format.keep_with_next = True
    caption.add_run(f"{table.label} ").bold = True
    caption.add_run(_clean(table.caption))
    made = document.add_table(rows=1, cols=len(table.columns))
    made.alignment = WD_TABLE_ALIGNMENT.LEFT
    _fill(made.rows[0].cells, table.columns, table.numeric, bold=True)
    _repeat(made.rows[0])
    for row in table.rows:
        cells = made.add_row().cells
        if len(row) == 1 and len(cells) > 1:
            _fill([cells[0].merge(cells[-1])], row, (False,), bold=True)
        else:
            _fill(cells, row, table.numeric)
    _rule(made.rows[0], top=THICK, bottom=THIN)
    _rule(made.rows[-1], bottom=THICK, top=THIN if len(made.rows) == 2 else 0)
    for note in table.notes:
        document.add_paragraph().add_run(_clean(note)).font.size = Pt(NOTE_PT)
    document.add_paragraph()


def _fill(
    cells: Sequence[Any], texts: Sequence[str], numeric: Sequence[bool], *, bold: bool = False
) -> None:
    for cell, text, right in zip(cells, texts, numeric, strict=True):
        paragraph = cell.paragraphs[0]
        paragraph.add_run(_clean(text)).bold = bold
        paragraph.paragraph_format.space_after = Pt(1)
        if right:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _clean(text: str) -> str:
    return CONTROL.sub(" ", text)


def _repeat(row: Any) -> None:
    """Have a row stand at the head of every page that the table goes on to."""
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)


def _rule(row: Any, *, top: int = 0, bottom: int = 0) -> None:
    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        for side, size in (("top", top), ("bottom", bottom)):
            if size:
                line = OxmlElement(f"w:{side}")
                line.set(qn("w:val"), "single")
                line.set(qn("w:sz"), str(size))
                borders.append(line)
        cell._tc.get_or_add_tcPr().append(borders)


def _without_clock(content: bytes) -> bytes:
    """Write the archive again, each file with the same time."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            about = zipfile.ZipInfo(entry.filename, NO_TIME)
            about.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(about, old.read(entry))
    return buffer.getvalue()
