"""Reporting checklists, filled from the run where it knows, with the pages where it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.report.checklists import Item
from emoclip_clinic.report.context import Context, paragraph
from emoclip_clinic.report.numbers import DASH
from emoclip_clinic.report.tables import Column, Subheading, data_table
from emoclip_clinic.report.theme import STYLES

__all__ = ["Named", "checklist"]


@dataclass(frozen=True)
class Named:
    """Which checklist is shown."""

    name: str = "grras"
    """A file of templates/checklists/."""


def checklist(context: Context, options: Named) -> list[Flowable]:
    """Every item of a checklist: where it is said, and by whom."""
    known = context.data.checklists
    if not known:
        return []
    if options.name not in known:
        raise SettingsError(
            f"there is no checklist {options.name!r}; allowed: {', '.join(known) or 'none'}."
        )
    wanted = known[options.name]
    answers = context.data.answers.get(options.name, {})
    facts = _facts(context)
    rows: list[Any] = []
    section = ""
    for item in wanted.item:
        if item.section != section:
            section = item.section
            rows.append(Subheading(section))
        said = answers.get(item.id) or _fact(context, item, facts)
        rows.append([item.id, item.text, _Pages(context.pages, item.blocks), said])
    columns = [
        Column(context.texts("checklist.item"), 30, numeric=False),
        Column(context.texts("checklist.asks"), numeric=False),
        Column(context.texts("checklist.pages"), 44, numeric=False),
        Column(context.texts("checklist.said"), 180, numeric=False),
    ]
    caption = context.caption(
        "table",
        "checklist.caption",
        title=wanted.title,
        version=wanted.version,
        reference=wanted.reference,
    )
    parts = data_table(context, caption, columns, rows)
    return [*parts, paragraph(wanted.licence, "note")]


def _fact(context: Context, item: Item, facts: Mapping[str, Any]) -> str:
    if not item.fact:
        return context.texts("checklist.missing")
    return context.texts(f"checklist.facts.{item.fact}", **facts)


def _facts(context: Context) -> dict[str, Any]:
    """Give what the sentences of [checklist.facts] may name."""
    data = context.data
    own = data.predictions[data.predictions["model"] == data.model]
    return {
        "scale": data.scale_name,
        "n_raters": len(data.rater_names),
        "n_participants": own["participant"].nunique(),
        "n_visits": len(own[["participant", "session"]].drop_duplicates()),
        "n_targets": own["target"].nunique(),
        "encoder": data.methods.encoder or DASH,
        "estimator": data.methods.estimator or DASH,
        "folds": data.methods.folds or DASH,
        "missing": context.texts("checklist.missing"),
    }


class _Pages(Flowable):  # type: ignore[misc]
    """Pages where blocks begin, known once the document was laid out."""

    def __init__(self, pages: Mapping[str, int], blocks: tuple[str, ...]) -> None:
        super().__init__()
        self._pages, self._blocks = pages, blocks

    def _shown(self) -> Paragraph:
        found = sorted({self._pages[name] for name in self._blocks if name in self._pages})
        return Paragraph(", ".join(map(str, found)) or DASH, STYLES["cell"])

    def getPlainText(self) -> str:  # noqa: N802 - reportlab's name
        """Nothing: a Word file has other pages."""
        return ""

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Lay out what is known by now."""
        self._inner = self._shown()
        self.width, self.height = self._inner.wrap(width, height)
        return self.width, self.height

    def drawOn(self, canvas: Canvas, x: float, y: float, _sW: float = 0) -> None:  # noqa: N802, N803
        """Draw it."""
        self._inner.drawOn(canvas, x, y, _sW)
