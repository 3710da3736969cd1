"""matplotlib figures as vector graphics on a reportlab page, in the page's own fonts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.style
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from reportlab.lib.colors import Color
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from emoclip_clinic.report.theme import BOLD, INK, REGULAR, SUBDUED

__all__ = ["FigureFlowable", "new_figure", "styled"]

# a pixel of matplotlib is then a point of the page
DPI = 72
STYLE: Mapping[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SUBDUED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": SUBDUED,
    "ytick.color": SUBDUED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "text.color": INK,
    "path.simplify": False,
    # a label with two dollar signs is a label
    "text.parse_math": False,
}


styled = matplotlib.style.context(["default", dict(STYLE)])
"""Decorator and context: the report's look, whatever the settings of the user's matplotlib."""


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of `width` by `height` points, without pyplot's global state."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI)


class FigureFlowable(Flowable):  # type: ignore[misc]
    """A matplotlib figure in the flow of a report, as paths and selectable text."""

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self.figure = figure
        self.width, self.height = figure.get_size_inches() * DPI

    @styled
    def draw(self) -> None:
        """Draw on the page that the flow has reached."""
        self.figure.draw(_PageRenderer(self.canv, self.width, self.height))


class _PageRenderer(RendererBase):
    """The few primitives that matplotlib reduces a figure to, as operators of PDF."""

    def __init__(self, page: Canvas, width: float, height: float) -> None:
        super().__init__()
        self.page = page
        self.width = width
        self.height = height

    def flipy(self) -> bool:
        return False

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        font, size = _font(prop), prop.get_size_in_points()
        ascent, descent = pdfmetrics.getAscentDescent(font, size)
        # the font's own ascent leaves room for stacked accents, which would push lines apart
        return pdfmetrics.stringWidth(s, font, size), min(ascent, 0.8 * size) - descent, -descent

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False,
        mtext: Any = None,
    ) -> None:  # fmt: skip
        page = self.page
        page.saveState()
        page.setFillColor(_color(gc.get_rgb()))
        page.translate(x, y)
        page.rotate(angle)
        page.setFont(_font(prop), prop.get_size_in_points())
        page.drawString(0, 0, s)
        page.restoreState()

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803 - matplotlib's name
        line_width = gc.get_linewidth()
        red, green, blue, alpha = gc.get_rgb()
        stroke = line_width > 0 and alpha > 0
        page = self.page
        page.saveState()
        self._clip(gc)
        if rgbFace is not None:
            opacity = gc.get_alpha() if gc.get_forced_alpha() else _alpha(rgbFace)
            page.setFillColor(_color(rgbFace))
            page.setFillAlpha(opacity)
        if stroke:
            page.setStrokeColor(Color(red, green, blue))
            page.setStrokeAlpha(alpha)
            page.setLineWidth(line_width)
            page.setLineCap({"butt": 0, "round": 1, "projecting": 2}[str(gc.get_capstyle())])
            offset, dashes = gc.get_dashes()
            page.setDash(
                [float(dash) for dash in dashes] if dashes is not None else [], offset or 0
            )
        page.drawPath(
            _outline(page, path, transform), stroke=int(stroke), fill=int(rgbFace is not None)
        )
        page.restoreState()

    def _clip(self, gc: GraphicsContextBase) -> None:
        box = gc.get_clip_rectangle()
        if box is not None:
            outline = self.page.beginPath()
            outline.rect(*box.bounds)
            self.page.clipPath(outline, stroke=0, fill=0)


def _outline(page: Canvas, path: Path, transform: Affine2D) -> Any:
    outline = page.beginPath()
    here = (0.0, 0.0)
    for points, code in path.iter_segments(transform, simplify=False, curves=True):
        x, y = float(points[-2]), float(points[-1])
        if code == Path.MOVETO:
            outline.moveTo(x, y)
        elif code == Path.LINETO:
            outline.lineTo(x, y)
        elif code == Path.CURVE3:
            # PDF has cubic curves only: raise the degree
            (ax, ay), (bx, by) = here, points[:2]
            outline.curveTo(
                ax + 2 / 3 * (bx - ax), ay + 2 / 3 * (by - ay),
                x + 2 / 3 * (bx - x), y + 2 / 3 * (by - y), x, y,
            )  # fmt: skip
        elif code == Path.CURVE4:
            outline.curveTo(*(float(value) for value in points))
        elif code == Path.CLOSEPOLY:
            outline.close()
        here = (x, y)
    return outline


def _font(prop: Any) -> str:
    return BOLD if prop.get_weight() in ("bold", "semibold", 700) else REGULAR


def _color(rgb: Any) -> Color:
    return Color(*(float(value) for value in rgb[:3]))


def _alpha(rgb: Any) -> float:
    return float(rgb[3]) if len(rgb) > 3 else 1.0
