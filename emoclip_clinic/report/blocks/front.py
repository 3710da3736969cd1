"""The first page: title, what is stale, limits of use, contents."""

from __future__ import annotations

import io
from collections.abc import Sequence

from reportlab.platypus import (
    Flowable,
    HRFlowable,
    Image,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

from emoclip_clinic.report.context import Context, NoOptions, paragraph
from emoclip_clinic.report.numbers import count
from emoclip_clinic.report.theme import CLINICIANS, MODEL, REGULAR, RULE, STYLES, TINT, color

__all__ = ["contents", "facts_table", "limits", "stale", "stale_notice", "tinted", "title"]


LOGO_PT = 48.0
"""Height of the logo."""


def title(context: Context, options: NoOptions) -> list[Flowable]:
    """Title, institution and what the report is about."""
    data = context.data
    lines = [
        *_logo(context),
        Spacer(1, 24),
        paragraph(context.title, "subtitle"),
        paragraph(data.title, "title"),
        *([paragraph(data.institution, "subtitle")] if data.institution else []),
        HRFlowable(
            width="100%", thickness=1.5, color=color(CLINICIANS), spaceBefore=8, spaceAfter=10
        ),
    ]
    facts = [
        (context.texts("title.scale"), data.scale_name),
        (context.texts("title.cohort"), data.cohort or context.texts("title.whole_study")),
        (context.texts("title.analysed"), _analysed(context)),
        (context.texts("title.raters"), count(len(data.rater_names))),
        (
            context.texts("title.encoder"),
            data.methods.encoder or context.texts("words.not_recorded"),
        ),
    ]
    return [*lines, facts_table(context, facts), Spacer(1, 10), *stale(context)]


def _logo(context: Context) -> list[Flowable]:
    """Give the picture of the institution, of the height of two lines of the title."""
    if not context.data.logo:
        return []
    picture = Image(io.BytesIO(context.data.logo), hAlign="LEFT")
    scale = min(LOGO_PT / picture.drawHeight, context.page.text_width / 2 / picture.drawWidth)
    picture.drawWidth, picture.drawHeight = picture.drawWidth * scale, picture.drawHeight * scale
    return [picture]


def stale(context: Context) -> list[Flowable]:
    """Warn that the predictions are older than what they are compared with."""
    if not context.data.stale:
        return []
    lines = [
        context.say("stale.heading", "head"),
        context.say("stale.why", "box", changed=context.data.stale, scale=context.data.scale),
    ]
    return [tinted(context, lines, MODEL), Spacer(1, 10)]


def _analysed(context: Context) -> str:
    flow = context.data.flow
    if flow.empty:
        return context.texts("words.not_recorded")
    last = flow.iloc[-1]
    return context.texts(
        "title.counts",
        recordings=count(last["n_recordings"]),
        participants=count(last["n_participants"]),
    )


def stale_notice(context: Context, options: NoOptions) -> list[Flowable]:
    """Give the warning of `stale` as a block."""
    return stale(context)


def facts_table(context: Context, facts: Sequence[tuple[str, str]]) -> Table:
    """Give names and values in two columns."""
    rows = [[paragraph(name, "head"), paragraph(value, "cell")] for name, value in facts]
    style = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, color(RULE)),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    return Table(rows, colWidths=[120, context.page.text_width - 120], style=style, hAlign="LEFT")


def limits(context: Context, options: NoOptions) -> list[Flowable]:
    """Say what the report may not be used for."""
    lines = [context.say("limits.heading", "head")]
    lines += [paragraph(line, "box") for line in context.texts.table("limits.lines").values()]
    return [tinted(context, lines, CLINICIANS), Spacer(1, 10)]


def tinted(context: Context, lines: Sequence[Paragraph], edge: str) -> Table:
    """Put paragraphs on a tinted ground, with a bar of `edge` before them."""
    style = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("BACKGROUND", (0, 0), (-1, -1), color(TINT)),
            ("LINEBEFORE", (0, 0), (0, -1), 3, color(edge)),
            ("LEFTPADDING", (0, 0), (-1, -1), 12),
            ("RIGHTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
    )
    return Table(
        [[line] for line in lines], colWidths=[context.page.text_width], style=style, hAlign="LEFT"
    )


def contents(context: Context, options: NoOptions) -> list[Flowable]:
    """Sections and their pages, each a link."""
    sides = ("TOPPADDING", "BOTTOMPADDING", "LEFTPADDING", "RIGHTPADDING")
    close = TableStyle(
        [*((side, (0, 0), (-1, -1), 0) for side in sides), ("FONTNAME", (0, 0), (-1, -1), REGULAR)]
    )
    table = TableOfContents(dotsMinLevel=0, rightColumnWidth=30, tableStyle=close)
    table.levelStyles = [STYLES["toc1"]]
    return [context.say("words.contents", "h2"), table]
