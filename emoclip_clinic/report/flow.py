"""The flow diagram: what was found, what was left out and why, what was analysed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.platypus import Flowable, Paragraph, Table, TableStyle

from emoclip_clinic.report.context import plain
from emoclip_clinic.report.theme import CLINICIANS, REGULAR, RULE, STYLES, SUBDUED, TINT, color

__all__ = ["FlowDiagram", "FlowStrip", "Step"]

GAP_PT = 22.0
PADDING_PT = 7.0
MAIN_SHARE = 0.42
SIDE_SHARE = 0.5
ARROW_PT = 46.0


@dataclass(frozen=True)
class Step:
    """A box of the diagram."""

    title: str
    """What the step is."""
    counts: str
    """How many there are."""
    lost: Sequence[str] = ()
    """Beside the arrow that leads here: a heading, then a reason a line."""


class FlowDiagram(Flowable):  # type: ignore[misc]
    """Boxes from top to bottom, with what was left out beside each arrow."""

    def __init__(self, steps: Sequence[Step], width: float) -> None:
        super().__init__()
        self.width = width
        self._boxes = [(_box([step.title], step.counts), _box(step.lost, "")) for step in steps]
        self._main_heights = [self._measure(main, MAIN_SHARE) for main, _ in self._boxes]
        self._side_heights = [
            self._measure(lost, SIDE_SHARE) if lost else 0.0 for _, lost in self._boxes
        ]
        gaps = [max(GAP_PT, side + 10 if side else 0) for side in self._side_heights[1:]]
        self._gaps = [0.0, *gaps]
        self.height = sum(self._main_heights) + sum(self._gaps) + 8

    def _measure(self, lines: Sequence[Paragraph], share: float) -> float:
        inner = share * self.width - 2 * PADDING_PT
        return sum((float(line.wrap(inner, 1e6)[1]) for line in lines), 2 * PADDING_PT)

    def draw(self) -> None:
        """Draw on the page that the flow has reached."""
        y = self.height - 4
        middle = MAIN_SHARE * self.width / 2
        for (main, lost), height, side, gap in zip(
            self._boxes, self._main_heights, self._side_heights, self._gaps, strict=True
        ):
            if gap:
                self._arrow(middle, y, middle, y - gap)
            if lost and gap:
                self._arrow(middle, y - gap / 2, (1 - SIDE_SHARE) * self.width, y - gap / 2)
                self._draw_box(
                    lost,
                    (1 - SIDE_SHARE) * self.width,
                    y - gap / 2 - side / 2,
                    SIDE_SHARE,
                    side,
                    False,
                )
            y -= gap + height
            self._draw_box(main, 0, y, MAIN_SHARE, height, True)

    def _draw_box(
        self,
        lines: Sequence[Paragraph],
        x: float,
        y: float,
        share: float,
        height: float,
        main: bool,
    ) -> None:
        page = self.canv
        page.setStrokeColor(color(CLINICIANS if main else RULE))
        page.setFillColor(color(TINT if main else "#FFFFFF"))
        page.setLineWidth(0.9 if main else 0.6)
        page.roundRect(x, y, share * self.width, height, 3, stroke=1, fill=1)
        top = y + height - PADDING_PT
        for line in lines:
            line.wrap(share * self.width - 2 * PADDING_PT, 1e6)
            line.drawOn(page, x + PADDING_PT, top - line.height)
            top -= line.height

    def _arrow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        page = self.canv
        page.setStrokeColor(color(SUBDUED))
        page.setFillColor(color(SUBDUED))
        page.setLineWidth(0.8)
        page.line(x0, y0, x1, y1)
        down = y0 != y1
        head = page.beginPath()
        head.moveTo(x1, y1)
        head.lineTo(x1 - (2.5 if down else 5), y1 + (5 if down else 2.5))
        head.lineTo(x1 + (2.5 if down else -5), y1 + (5 if down else -2.5))
        head.close()
        page.drawPath(head, stroke=0, fill=1)


class FlowStrip(Table):  # type: ignore[misc]
    """Steps from left to right: title, count and a line below; what was lost on each arrow."""

    def __init__(self, steps: Sequence[tuple[str, str, str, str]], width: float) -> None:
        arrows = len(steps) - 1
        box = (width - arrows * ARROW_PT) / max(len(steps), 1)
        cells: list[list[Paragraph]] = []
        styles: list[tuple[object, ...]] = [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            *((f"{side}PADDING", (0, 0), (-1, -1), 3) for side in ("TOP", "BOTTOM")),
            *((f"{side}PADDING", (0, 0), (-1, -1), 4) for side in ("LEFT", "RIGHT")),
        ]
        widths = []
        for place, (title, number, below, lost) in enumerate(steps):
            if place:
                cells.append([_centred("→"), *([_centred(plain(lost))] if lost else [])])
                widths.append(ARROW_PT)
            at = (len(cells), 0)
            styles += [("BOX", at, at, 0.8, color(CLINICIANS)), ("BACKGROUND", at, at, color(TINT))]
            cells.append(
                [
                    _centred(plain(title)),
                    _centred(f"<b>{plain(number)}</b>"),
                    _centred(plain(below)),
                ]
            )
            widths.append(box)
        super().__init__([cells], colWidths=widths, style=TableStyle(styles), spaceAfter=4)


def _centred(markup: str) -> Paragraph:
    return Paragraph(f'<para alignment="center">{markup}</para>', STYLES["cell"])


def _box(lines: Sequence[str], counts: str) -> list[Paragraph]:
    if not lines:
        return []
    first = Paragraph(f"<b>{plain(lines[0])}</b>", STYLES["box"])
    rest = [
        Paragraph(plain(line), STYLES["box"])
        for line in [*lines[1:], *([counts] if counts else [])]
    ]
    return [first, *rest]
