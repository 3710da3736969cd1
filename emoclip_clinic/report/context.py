"""What a block is given: the data, the words, the page, and the numbering of tables and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from reportlab.platypus import Flowable, KeepTogether, Paragraph

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.report.data import ReportData
from emoclip_clinic.report.printed import Printed
from emoclip_clinic.report.texts import Texts
from emoclip_clinic.report.theme import STYLES, Page

__all__ = ["Block", "Context", "NoOptions", "Selection", "paragraph", "plain"]

KIND_ORDER = ("total", "subscale", "item")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class NoOptions:
    """A block that has nothing to choose."""


@dataclass(frozen=True)
class Selection:
    """Which targets a block shows; the primary ones always come first."""

    kinds: tuple[str, ...] = ("total", "subscale")
    """Of "total", "subscale", "item"."""
    targets: tuple[str, ...] = ()
    """More of them, by name."""


@dataclass(frozen=True)
class Block:
    """A part of a report that a template can name."""

    build: Callable[[Context, Any], list[Flowable]]
    """Makes its flowables."""
    options: type = NoOptions
    """The dataclass of its options."""


@dataclass
class Context:
    """What a block is given."""

    data: ReportData
    """What the report says."""
    texts: Texts
    """The fixed words."""
    page: Page
    """The sheet."""
    frame_height: float
    """Height of the text on a page, in points."""
    title: str = ""
    """Of the kind of report."""
    said: set[str] = field(default_factory=set)
    """What need not be said again."""
    numbers: dict[str, int] = field(default_factory=lambda: {"table": 0, "figure": 0})
    """Tables and figures so far."""
    printed: list[Printed] = field(default_factory=list)
    """Every table so far, to be printed elsewhere too."""
    pages: dict[str, int] = field(default_factory=dict)
    """Where each block began when the document was last laid out."""

    def say(self, key: str, style: str = "body", **values: Any) -> Paragraph:
        """Make a paragraph of a fixed text."""
        return paragraph(self.texts(key, **values), style)

    def caption(self, kind: str, key: str, *, again: bool = False, **values: Any) -> Paragraph:
        """Make the numbered caption of a "table" or "figure"; `again` continues the one before."""
        self.numbers[kind] += not again
        label = self.texts(f"words.{kind}", number=self.numbers[kind])
        style = "caption" if kind == "table" else "figure-caption"
        return Paragraph(
            f"<b>{escape(label)}</b> {plain(self.texts(key, **values))}", STYLES[style]
        )

    def figures(self, figures: Sequence[Flowable], key: str, **values: Any) -> list[Flowable]:
        """Keep each figure and its caption on one page; all have one number."""
        captions = [
            self.caption("figure", "words.continued" if place else key, again=place > 0, **values)
            for place in range(len(figures))
        ]
        return [KeepTogether(list(pair)) for pair in zip(figures, captions, strict=True)]

    def select(self, options: Selection) -> list[str]:
        """Targets in the order of the report: primary, totals, subscales, items.

        Raises
        ------
        SettingsError
            The template or study.toml names a target or kind that the scale has not.
        """
        table = self.data.targets
        known = [str(target) for target in table["target"]]
        named = [*self.data.primary, *options.targets]
        for name in named:
            if name not in known:
                raise SettingsError(
                    f"the report is to show target {name!r}, which {self.data.scale} has not. "
                    f"Allowed: {', '.join(known)}."
                )
        for kind in options.kinds:
            if kind not in KIND_ORDER:
                raise SettingsError(f"kinds = {kind!r}; allowed: {', '.join(KIND_ORDER)}")
        chosen = [
            str(target)
            for kind in KIND_ORDER
            for target in table.loc[table["kind"] == kind, "target"]
            if kind in options.kinds or target in named
        ]
        return [*self.data.primary, *(each for each in chosen if each not in self.data.primary)]


def plain(text: str) -> str:
    """Text as a paragraph's markup shows it unchanged, without characters that no page can show."""
    return escape(CONTROL.sub(" ", text))


def paragraph(text: str, style: str = "body") -> Paragraph:
    """Make a paragraph that shows `text` as it is."""
    return Paragraph(plain(text), STYLES[style])
