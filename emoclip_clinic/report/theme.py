"""How a report looks: fonts, colours, paragraph styles and the page."""

from __future__ import annotations

from dataclasses import dataclass

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics

from emoclip_clinic.report.fonts import BOLD, REGULAR, use_fonts

__all__ = [
    "BOLD",
    "CLINICIANS",
    "INK",
    "MODEL",
    "PAGES",
    "REGULAR",
    "RULE",
    "STYLES",
    "SUBDUED",
    "TINT",
    "Page",
    "color",
    "shorten",
]

# blue and orange differ for every kind of colour vision, dark and light in grey
CLINICIANS = "#12466F"
MODEL = "#DB7B00"
INK = "#1A1A1A"
SUBDUED = "#5A6169"
RULE = "#B4BBC2"
TINT = "#F1F4F7"

PAGES = {"a4": A4, "letter": LETTER}
MARGIN_PT = 56.0


@dataclass(frozen=True)
class Page:
    """The sheet and the frame that text stands in, in points (1/72 inch)."""

    width: float
    """Of the sheet."""
    height: float
    """Of the sheet."""
    margin: float = MARGIN_PT
    """On each side."""

    @property
    def text_width(self) -> float:
        """Width of a line."""
        return self.width - 2 * self.margin


def shorten(text: str, width: float, font: str, size: float) -> str:
    """`text` cut to `width` points, an ellipsis in place of what did not fit."""
    if pdfmetrics.stringWidth(text, font, size) <= width:
        return text
    while text and pdfmetrics.stringWidth(text + "…", font, size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def color(code: str) -> Color:
    """Colour of reportlab for a code such as "#12466F"."""
    return HexColor(code)


def _styles() -> dict[str, ParagraphStyle]:
    use_fonts()
    body = ParagraphStyle(
        "body", fontName=REGULAR, fontSize=9, leading=13.5, textColor=color(INK), spaceAfter=6,
        bulletFontName=REGULAR,
        allowWidows=0, allowOrphans=0, splitLongWords=1,
    )  # fmt: skip
    heading = {"fontName": BOLD, "textColor": color(CLINICIANS), "keepWithNext": 1}
    cell = ParagraphStyle("cell", body, fontSize=7.5, leading=10, spaceAfter=0)
    styles = [
        body,
        cell,
        ParagraphStyle("title", body, fontName=BOLD, fontSize=24, leading=30,
                       textColor=color(CLINICIANS), spaceAfter=10),
        ParagraphStyle("subtitle", body, fontSize=13, leading=18, textColor=color(SUBDUED)),
        ParagraphStyle("h1", body, fontSize=15, leading=19, spaceBefore=20, spaceAfter=8,
                       **heading),
        ParagraphStyle("h2", body, fontSize=10.5, leading=14, spaceBefore=10, spaceAfter=4,
                       **heading),
        ParagraphStyle("lead", body, fontSize=11.5, leading=17, spaceAfter=0),
        ParagraphStyle("caption", cell, fontSize=8, leading=11, spaceBefore=8, spaceAfter=4),
        ParagraphStyle("figure-caption", cell, fontSize=8, leading=11, spaceBefore=3,
                       spaceAfter=12),
        ParagraphStyle("note", cell, fontSize=7, leading=9.5, textColor=color(SUBDUED),
                       spaceAfter=2),
        ParagraphStyle("head", cell, fontName=BOLD),
        ParagraphStyle("head-right", cell, fontName=BOLD, alignment=TA_RIGHT),
        ParagraphStyle("cell-right", cell, alignment=TA_RIGHT),
        ParagraphStyle("bullet", body, leftIndent=14, bulletIndent=3, spaceAfter=3),
        ParagraphStyle("reference", body, fontSize=8, leading=11.5, leftIndent=18,
                       bulletFontSize=8, spaceAfter=4),
        ParagraphStyle("mono", cell, fontSize=6.5, leading=9),
        ParagraphStyle("box", cell, fontSize=8, leading=11),
        ParagraphStyle("notice", cell, fontName=BOLD, fontSize=7.5, leading=10),
        ParagraphStyle("toc1", body, leading=13, spaceAfter=0),
    ]  # fmt: skip
    return {style.name: style for style in styles}


STYLES = _styles()
"""Paragraph styles by name."""
