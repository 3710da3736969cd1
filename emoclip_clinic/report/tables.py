"""Tables as journals print them: three rules, numbers right-aligned digit under digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    KeepTogether,
    LongTable,
    Paragraph,
    Spacer,
    TableStyle,
)

from emoclip_clinic.report.context import Context, paragraph, plain
from emoclip_clinic.report.evidence import Estimate
from emoclip_clinic.report.numbers import DASH, interval, number
from emoclip_clinic.report.printed import Printed
from emoclip_clinic.report.theme import INK, REGULAR, RULE, STYLES, SUBDUED, TINT, color

__all__ = ["Column", "Notes", "Subheading", "data_table"]

FONT_PT = 7.5
LEADING_PT = 10.0
KEPT_WHOLE = 0.35
BEGINNING_PT = 130.0
SUPERSCRIPTS = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
LETTERS = "abcdefghijklmnoprstuvwxyz"

RULES = (
    ("FONT", (0, 0), (-1, -1), REGULAR, FONT_PT, LEADING_PT),
    ("TEXTCOLOR", (0, 0), (-1, -1), color(INK)),
    ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ("VALIGN", (0, 1), (-1, -1), "TOP"),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ("LEFTPADDING", (0, 0), (-1, -1), 3),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("LINEABOVE", (0, 0), (-1, 0), 1, color(INK)),
    ("LINEBELOW", (0, 0), (-1, 0), 0.6, color(INK)),
    ("LINEBELOW", (0, 1), (-1, -1), 0.25, color(RULE)),
    ("LINEBELOW", (0, -1), (-1, -1), 1, color(INK)),
)


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    """Its head; a line break is one."""
    width: float = 0.0
    """In points; the columns with 0 share what is left."""
    numeric: bool = True
    """Right-aligned and never wrapped; text is left-aligned and wraps."""


@dataclass(frozen=True)
class Subheading:
    """A row that names the rows below it."""

    text: str
    """What it says."""


class Stacked(Paragraph):  # type: ignore[misc]
    """A value above its interval, the interval smaller."""

    def __init__(self, value: str, ends: str) -> None:
        self.words = value if ends == DASH else f"{value} ({ends})"
        shown = plain(value)
        if ends != DASH:
            shown += f'<br/><font size="6.2" color="{SUBDUED}">{plain(ends)}</font>'
        super().__init__(shown, STYLES["cell-right"])


@dataclass
class Notes:
    """Reasons for dashes, collected while the rows are made and printed below the table."""

    reasons: list[str] = field(default_factory=list)
    """In the order they were met; the first is note a."""

    def mark(self, reason: str) -> str:
        """Give the superscript letter of a reason, "" for no reason."""
        if not reason:
            return ""
        if reason not in self.reasons:
            self.reasons.append(reason)
        place = self.reasons.index(reason)
        return SUPERSCRIPTS[place % len(LETTERS)] * (place // len(LETTERS) + 1)

    def value(self, estimate: Estimate, digits: int = 2) -> str:
        """Print an estimate; where it or its interval is undefined, with the mark of the reason."""
        return number(estimate.value, digits) + self.mark("" if estimate.defined else estimate.note)

    def stacked(self, estimate: Estimate, digits: int = 2) -> Paragraph:
        """Print an estimate above its interval, the interval smaller."""
        return Stacked(self.value(estimate, digits), interval(estimate.low, estimate.high, digits))

    def flowables(self) -> list[Flowable]:
        """Give the notes as paragraphs."""
        return [
            paragraph(
                f"{SUPERSCRIPTS[n % len(LETTERS)] * (n // len(LETTERS) + 1)} {reason}", "note"
            )
            for n, reason in enumerate(self.reasons)
        ]


def data_table(
    context: Context,
    caption: Paragraph | None,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any] | Subheading],
    notes: Notes | None = None,
) -> list[Flowable]:
    """Make a table with its caption above and its notes below.

    Parameters
    ----------
    context
        Gives the width.
    caption
        Kept with the table.
    columns
        Titles, widths and alignment.
    rows
        Cells: texts as they are to be shown, or flowables.
    notes
        Printed below.
    """
    head = [_head_row(columns)]
    styles = list(RULES)
    for place, column in enumerate(columns):
        styles.append(("ALIGN", (place, 0), (place, -1), "RIGHT" if column.numeric else "LEFT"))
    body = []
    for place, row in enumerate(rows, len(head)):
        if isinstance(row, Subheading):
            body.append([paragraph(row.text, "head"), *[""] * (len(columns) - 1)])
            ends = (0, place), (-1, place)
            styles += [("SPAN", *ends), ("BACKGROUND", *ends, color(TINT))]
            styles += [("NOSPLIT", (0, place), (-1, place + 1))]
        else:
            body.append([_cell(cell, column) for cell, column in zip(row, columns, strict=True)])
    table = LongTable(
        head + body, colWidths=_widths(columns, context.page.text_width), repeatRows=len(head),
        style=TableStyle(styles), hAlign="LEFT", spaceAfter=4,
    )  # fmt: skip
    context.printed.append(_printed(caption, columns, rows, notes))
    above = [caption] if caption else []
    below = notes.flowables() if notes else []
    _, height = table.wrap(context.page.text_width, context.frame_height)
    if height < KEPT_WHOLE * context.frame_height:
        return [KeepTogether([*above, table, *below]), Spacer(1, 6)]
    # a long table begins where its caption, head and some rows have room
    return [CondPageBreak(BEGINNING_PT), *above, table, *below, Spacer(1, 6)]


def _printed(
    caption: Paragraph | None,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any] | Subheading],
    notes: Notes | None,
) -> Printed:
    label, _, words = _text(caption).partition(". ") if caption else ("", "", "")
    return Printed(
        label=label and f"{label}.",
        caption=words,
        columns=tuple(column.title.replace("-\n", "").replace("\n", " ") for column in columns),
        numeric=tuple(column.numeric for column in columns),
        rows=tuple(
            (row.text,) if isinstance(row, Subheading) else tuple(map(_text, row)) for row in rows
        ),
        notes=tuple(map(_text, notes.flowables())) if notes else (),
    )


def _text(cell: Any) -> str:
    """Give the words of a cell."""
    if isinstance(cell, Stacked):
        return str(cell.words)
    return str(cell.getPlainText()) if isinstance(cell, Flowable) else str(cell)


def _head_row(columns: Sequence[Column]) -> list[Paragraph]:
    return [
        Paragraph(
            plain(column.title).replace("\n", "<br/>"),
            STYLES["head-right" if column.numeric else "head"],
        )
        for column in columns
    ]


def _cell(cell: Any, column: Column) -> Any:
    if isinstance(cell, Flowable):
        return cell
    # reportlab draws a string as it is, without markup
    return str(cell) if column.numeric else paragraph(str(cell), "cell")


def _widths(columns: Sequence[Column], total: float) -> list[float]:
    free = sum(column.width == 0 for column in columns)
    rest = (total - sum(column.width for column in columns)) / max(free, 1)
    return [column.width or rest for column in columns]
