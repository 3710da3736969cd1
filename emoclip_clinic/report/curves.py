"""Figures of a cohort that are one panel: the profile of items and the learning curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emoclip_clinic.report.evidence import Estimate
from emoclip_clinic.report.theme import CLINICIANS, MODEL, REGULAR, RULE, SUBDUED, shorten
from emoclip_clinic.report.vector import new_figure, styled

__all__ = ["Curve", "Means", "learning_curves", "profile_figure"]

ROW_PT = 15.0
AXIS_PT = 44.0
LABEL_SHARE = 0.36
HALF_GAP_PT = 2.6
CURVE_HEIGHT_PT = 165.0


@dataclass(frozen=True)
class Means:
    """An item of the profile."""

    label: str
    """In words."""
    observed: Estimate
    """Mean of the raters' consensus."""
    predicted: Estimate
    """Mean of the out-of-fold predictions."""


@dataclass(frozen=True)
class Curve:
    """Performance over the number of participants."""

    label: str
    """What is measured, of what."""
    sizes: np.ndarray
    """Participants, rising."""
    middle: np.ndarray
    """Mean over the draws, one a size."""
    low: np.ndarray
    """Lowest draw."""
    high: np.ndarray
    """Highest draw."""


@styled
def profile_figure(
    items: Sequence[Means],
    width: float,
    height: float,
    words: tuple[str, str, str],
    span: tuple[float, float],
) -> list[Figure]:
    """Draw mean scores with intervals, a row an item, on as many figures as the rows need.

    Parameters
    ----------
    items
        From top to bottom.
    width, height
        In points; no figure is higher.
    words
        For what was observed, for what was predicted, and of the axis.
    span
        Lowest and highest possible score.
    """
    rows = max(int((height - AXIS_PT) // ROW_PT), 1)
    # pages of equal length: none has a row alone
    n_pages = math.ceil(len(items) / rows)
    rows = math.ceil(len(items) / max(n_pages, 1))
    pages = [items[start : start + rows] for start in range(0, len(items), rows)]
    return [_profile_page(page, width, words, span) for page in pages]


def _profile_page(
    items: Sequence[Means], width: float, words: tuple[str, str, str], span: tuple[float, float]
) -> Figure:
    rows = len(items) * ROW_PT
    figure = new_figure(width, rows + AXIS_PT)
    axes = figure.add_axes(
        (LABEL_SHARE, 26 / (rows + AXIS_PT), 0.99 - LABEL_SHARE, rows / (rows + AXIS_PT))
    )
    margin = 0.03 * (span[1] - span[0])
    axes.set(xlim=(span[0] - margin, span[1] + margin), ylim=(rows, 0), yticks=[])
    axes.set_xlabel(words[2])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    left = LABEL_SHARE * width
    for place, item in enumerate(items):
        y = (place + 0.5) * ROW_PT
        if place % 2:
            start = -LABEL_SHARE / (0.99 - LABEL_SHARE)
            axes.axhspan(y - ROW_PT / 2, y + ROW_PT / 2, start, color=RULE, alpha=0.22,
                         linewidth=0, clip_on=False)  # fmt: skip
        axes.annotate(
            shorten(item.label, left - 8, REGULAR, 7), (0, y), (-left + 2, 0), va="center",
            xycoords=("axes fraction", "data"), textcoords="offset points",
        )  # fmt: skip
        for each, hue, marker, off in (
            (item.observed, CLINICIANS, "s", -HALF_GAP_PT),
            (item.predicted, MODEL, "o", HALF_GAP_PT),
        ):
            if each.defined:
                axes.plot([each.low, each.high], [y + off] * 2, color=hue, solid_capstyle="butt")
            if math.isfinite(each.value):
                axes.plot([each.value], [y + off], marker=marker, color=hue, markersize=3.6)
    handles = [
        axes.plot([], [], color=hue, marker=marker, markersize=4.5, linewidth=1.2, label=label)[0]
        for hue, marker, label in zip((CLINICIANS, MODEL), "so", words[:2], strict=True)
    ]
    figure.legend(
        handles=handles, loc="upper right", ncols=2, frameon=False, bbox_to_anchor=(0.99, 1.0)
    )
    return figure


@styled
def learning_curves(curves: Sequence[Curve], width: float, axis: str) -> list[Figure]:
    """Draw each curve's mean and range over the draws, side by side, three in a row."""
    across = 3
    figures = []
    for start in range(0, len(curves), across):
        row = curves[start : start + across]
        figure = new_figure(width, CURVE_HEIGHT_PT)
        size = width / across
        for place, curve in enumerate(row):
            axes = figure.add_axes(
                ((place * size + 32) / width, 30 / CURVE_HEIGHT_PT, (size - 42) / width,
                 (CURVE_HEIGHT_PT - 52) / CURVE_HEIGHT_PT)
            )  # fmt: skip
            axes.set_title(shorten(curve.label, size - 34, REGULAR, 7.9))
            axes.fill_between(curve.sizes, curve.low, curve.high, color=MODEL, alpha=0.2,
                              linewidth=0)  # fmt: skip
            axes.plot(curve.sizes, curve.middle, "o-", color=MODEL, markersize=3.4)
            axes.axhline(0, color=SUBDUED, linewidth=0.5) if min(curve.low) < 0 else None
            axes.set_xlabel(axis)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
        figures.append(figure)
    return figures
