"""The document: pages, header and footer, metadata; identical data give identical bytes."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    KeepTogether,
    PageBreak,
    PageTemplate,
    Paragraph,
)

from emoclip_clinic.report.blocks import BLOCKS
from emoclip_clinic.report.context import Context, paragraph, plain
from emoclip_clinic.report.data import ReportData
from emoclip_clinic.report.fonts import use_fonts
from emoclip_clinic.report.numbers import Custom, written
from emoclip_clinic.report.printed import Printed
from emoclip_clinic.report.spec import Template
from emoclip_clinic.report.theme import (
    PAGES,
    REGULAR,
    RULE,
    STYLES,
    SUBDUED,
    Page,
    color,
    shorten,
)
from emoclip_clinic.schema import from_table

__all__ = ["build", "make"]

HEADER_PT = 22.0
FOOTER_PT = 20.0
SMALL_PT = 7.0
# a heading needs this much room below it, or goes to the next page
HEADING_ROOM_PT = 240.0
HEADING_PT = 50.0
CREATOR = "emoclip-clinic"


def build(data: ReportData, template: Template) -> bytes:
    """Make the report's PDF: the first of what `make` gives."""
    return make(data, template)[0]


def make(data: ReportData, template: Template) -> tuple[bytes, list[Printed]]:
    """Make the report's PDF, and give its tables as they are printed.

    Parameters
    ----------
    data
        What it says.
    template
        What it looks like; see `spec.load_template`.

    Returns
    -------
    pdf : bytes
        No clock, no path and no random number goes in: equal data and template give equal bytes.
    tables : list of Printed
        In the order of the report.

    Raises
    ------
    SettingsError
        The template or study.toml names a target that the scale has not.
    """
    custom = from_table(Custom, dict(template.texts.table("numbers")), "[numbers]")
    with written(custom):
        return _make(data, template)


def _make(data: ReportData, template: Template) -> tuple[bytes, list[Printed]]:
    use_fonts([*_strings(template.texts.words), *_strings(data)], data.font)
    page = Page(*PAGES[template.page])
    title = template.title or template.texts("title.kind", scale=data.scale_name)
    document = _Document(data, template, page, title)
    context = Context(
        data, template.texts, page, document.frame_height, title, pages=document.pages
    )
    document.multiBuild(_story(template, context))
    return document.content(), context.printed


def _strings(value: Any) -> Iterator[str]:
    """Give every text in data, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, pd.DataFrame):
        for name in value.select_dtypes(exclude="number"):
            yield from (each for each in value[name].unique() if isinstance(each, str))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from _strings(getattr(value, one.name))


def _story(template: Template, context: Context) -> list[Flowable]:
    story: list[Flowable] = []
    number = 0
    for section in template.sections:
        if section.new_page and story:
            story.append(PageBreak())
        heading = None
        if section.title:
            number += 1
            heading = _Heading(number, template.texts.word("sections", section.title))
        body: list[Flowable] = []
        for use in section.blocks:
            body += _marked(BLOCKS[use.name].build(context, use.options), use.name)
        story += _headed(heading, body) if heading else body
    return story or [paragraph("")]


def _marked(block: list[Flowable], name: str) -> list[Flowable]:
    """Have the first of a block that is drawn tell its name, and so its page."""
    for flowable in block:
        first = flowable
        while isinstance(first, KeepTogether) and first._content:
            first = first._content[0]
        if not isinstance(first, CondPageBreak | PageBreak):
            first.block = name
            break
    return block


def _headed(heading: Flowable, body: list[Flowable]) -> list[Flowable]:
    """Put the heading where what follows it has room too."""
    if body and isinstance(body[0], CondPageBreak):
        # a long table says how much room its beginning needs; kept together with the heading it
        # would go to the next page as a whole
        heading.keepWithNext = 0
        return [CondPageBreak(HEADING_PT + body[0].height), heading, *body[1:]]
    if body and isinstance(body[0], KeepTogether):
        # else what is kept together would go to the next page without its heading
        first = KeepTogether([heading, *body[0]._content])
        return [CondPageBreak(HEADING_ROOM_PT), first, *body[1:]]
    return [CondPageBreak(HEADING_ROOM_PT), heading, *body]


class _Heading(Paragraph):  # type: ignore[misc]
    """The heading of a section: a bookmark, an entry of the outline and of the contents."""

    def __init__(self, number: int, title: str) -> None:
        self._words = f"{number}  {title}"
        self._key = f"section-{number}"
        super().__init__(plain(self._words), STYLES["h1"])

    def draw(self) -> None:
        """Draw, and tell outline and contents where the section begins."""
        self.canv.bookmarkPage(self._key)
        self.canv.addOutlineEntry(self._words, self._key, level=0)
        document = self.canv._doctemplate
        document.notify("TOCEntry", (0, plain(self._words), document.page, self._key))
        super().draw()


class _Document(BaseDocTemplate):  # type: ignore[misc]
    """A document whose pages all carry the limits of use, the notices and their number."""

    def __init__(self, data: ReportData, template: Template, page: Page, title: str) -> None:
        self._buffer = io.BytesIO()
        words = template.texts
        super().__init__(
            self._buffer, pagesize=(page.width, page.height), invariant=1, lang=words.language,
            initialFontName=REGULAR, title=f"{data.title}: {title}",
            author=data.institution or CREATOR, creator=CREATOR, producer=CREATOR,
            subject=words("page.subject", scale=data.scale_name), keywords=data.scale,
        )  # fmt: skip
        self._sheet = page
        self._words = words
        self._running_title = data.title
        self._version = " ".join([CREATOR, data.methods.versions.get(CREATOR, "")]).strip()
        self._notices = [paragraph(notice, "notice") for notice in data.notices]
        notice_height = sum(each.wrap(page.text_width, 1e6)[1] for each in self._notices)
        self._top = page.height - page.margin + 8
        top = HEADER_PT + (notice_height + 6 if self._notices else 0)
        self.frame_height = page.height - 2 * page.margin - top + 8 - FOOTER_PT / 2
        self._n_pages = 0
        self._settled = False
        self.pages: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        frame = Frame(
            page.margin, page.margin + FOOTER_PT / 2, page.text_width, self.frame_height,
            leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
        )  # fmt: skip
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._furnish))

    def content(self) -> bytes:
        """Give the finished PDF."""
        return self._buffer.getvalue()

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - reportlab's name
        """Note where each block begins."""
        if name := getattr(flowable, "block", ""):
            self._seen.setdefault(name, self.page)

    def _endBuild(self) -> None:  # noqa: N802 - reportlab's name
        # the pass that is kept has the page numbers of the pass before
        self._settled = (self._n_pages, self.pages) == (self.page, self._seen)
        self._n_pages = self.page
        self.pages.clear()
        self.pages.update(self._seen)
        self._seen.clear()
        super()._endBuild()

    def _allSatisfied(self) -> bool:  # noqa: N802 - reportlab's name
        # without contents nothing else would ask for the second pass
        return self._settled and bool(super()._allSatisfied())

    def _furnish(self, canvas: Canvas, document: Any) -> None:
        sheet = self._sheet
        left, right = sheet.margin, sheet.width - sheet.margin
        canvas.saveState()
        canvas.setFont(REGULAR, SMALL_PT)
        canvas.setFillColor(color(SUBDUED))
        canvas.setStrokeColor(color(RULE))
        canvas.setLineWidth(0.5)
        use = self._words("page.use")
        y = self._top - SMALL_PT
        canvas.drawRightString(right, y, use)
        room = sheet.text_width - canvas.stringWidth(use, REGULAR, SMALL_PT) - 20
        canvas.drawString(left, y, shorten(self._running_title, room, REGULAR, SMALL_PT))
        canvas.line(left, y - 4, right, y - 4)
        y -= 8
        for notice in self._notices:
            _, height = notice.wrap(sheet.text_width, 1e6)
            notice.drawOn(canvas, left, y - height)
            y -= height
        canvas.line(left, sheet.margin - 4, right, sheet.margin - 4)
        canvas.drawString(left, sheet.margin - 14, self._version)
        pages = self._words("page.number", page=document.page, pages=self._n_pages)
        canvas.drawRightString(right, sheet.margin - 14, pages)
        canvas.setViewerPreference("DisplayDocTitle", "true")
        canvas.restoreState()
