"""Figures of one participant: items beside the raters' scores, and the windows in time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emoclip_clinic.report.evidence import Estimate
from emoclip_clinic.report.theme import (
    CLINICIANS,
    INK,
    MODEL,
    REGULAR,
    RULE,
    shorten,
)
from emoclip_clinic.report.vector import new_figure, styled

__all__ = ["PersonItem", "Timeline", "items_page", "timelines"]

ROW_PT = 18.0
AXIS_PT = 30.0
LABEL_SHARE = 0.36
PANEL_PT = 118.0
LETTER_PT = 6.0
OFF_PT = 3.6
MINUTE_S = 60.0
# recordings up to so long are shown in seconds
SHORT_S = 180.0


@dataclass(frozen=True)
class PersonItem:
    """An item of a participant's visit."""

    label: str
    """In words."""
    predicted: Estimate
    """With the prediction interval."""
    ratings: Mapping[str, float] = field(default_factory=dict)
    """Letter of the rater -> score."""
    span: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest possible score."""


@dataclass(frozen=True)
class Timeline:
    """The windows of a recording."""

    label: str
    """Above the panel."""
    start_s: np.ndarray
    """Of each window that was used."""
    stop_s: np.ndarray
    """Their ends."""
    contribution: np.ndarray
    """In points of the scale."""
    left_out: Sequence[tuple[float, float]] = ()
    """Start and stop of the windows that were not."""


@styled
def items_page(items: Sequence[PersonItem], width: float, axis: str) -> Figure:
    """Draw each item's prediction, interval and ratings, a row an item."""
    rows = len(items) * ROW_PT
    height = rows + AXIS_PT
    figure = new_figure(width, height)
    axes = figure.add_axes((LABEL_SHARE, 26 / height, 0.99 - LABEL_SHARE, rows / height))
    low, high = min(item.span[0] for item in items), max(item.span[1] for item in items)
    margin = 0.04 * (high - low)
    axes.set(xlim=(low - margin, high + margin), ylim=(rows, 0), yticks=[], xlabel=axis)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    left = LABEL_SHARE * width
    for place, item in enumerate(items):
        y = (place + 0.5) * ROW_PT
        axes.annotate(
            shorten(item.label, left - 8, REGULAR, 7), (0, y), (-left + 2, 0), va="center",
            xycoords=("axes fraction", "data"), textcoords="offset points",
        )  # fmt: skip
        _item(axes, item, y)
    return figure


def _item(axes: Axes, item: PersonItem, y: float) -> None:
    axes.plot(item.span, [y, y], color=RULE, linewidth=13, alpha=0.3, solid_capstyle="butt")
    own = item.predicted
    below = y + OFF_PT
    if own.defined:
        axes.plot([own.low, own.high], [below] * 2, color=MODEL, linewidth=1.6,
                  solid_capstyle="butt")  # fmt: skip
    if math.isfinite(own.value):
        axes.plot([own.value], [below], "o", color=MODEL, markersize=4.6)
    # raters who gave the same score stand in one word
    by_score: dict[float, str] = {}
    for letter, score in item.ratings.items():
        by_score[score] = by_score.get(score, "") + letter
    for score, letters in by_score.items():
        axes.annotate(
            letters, (score, y - OFF_PT), ha="center", va="center",
            color=CLINICIANS, fontsize=LETTER_PT, fontweight="bold",
            bbox={"boxstyle": "square,pad=0.08", "facecolor": "white", "edgecolor": CLINICIANS,
                  "linewidth": 0.5},
        )  # fmt: skip


@styled
def timelines(
    panels: Sequence[Timeline], width: float, words: tuple[str, str, str]
) -> list[Figure]:
    """Draw a panel a recording; all have the same axis of contributions.

    Parameters
    ----------
    panels
        From top to bottom, each a figure, so that pages can break between them.
    width
        In points.
    words
        Of the axis of time in seconds, in minutes, and of that of contributions.
    """
    largest = max((float(np.abs(one.contribution).max()) for one in panels), default=0.0) or 1.0
    return [_timeline(one, width, words, 1.1 * largest) for one in panels]


def _timeline(panel: Timeline, width: float, words: tuple[str, str, str], reach: float) -> Figure:
    figure = new_figure(width, PANEL_PT)
    axes = figure.add_axes((42 / width, 28 / PANEL_PT, (width - 50) / width, 72 / PANEL_PT))
    axes.set_title(shorten(panel.label, width - 50, REGULAR, 7.9))
    last = max([float(panel.stop_s.max()), *(high for _, high in panel.left_out)])
    unit, word = (1.0, words[0]) if last <= SHORT_S else (MINUTE_S, words[1])
    start, stop = panel.start_s / unit, panel.stop_s / unit
    for low, high in panel.left_out:
        axes.axvspan(low / unit, high / unit, color=RULE, alpha=0.6, linewidth=0)
    # overlapping windows: each is drawn from its start to the next one's
    ends = np.minimum(stop, np.append(start[1:], np.inf))
    axes.bar(start, panel.contribution, ends - start, align="edge", color=MODEL,
             edgecolor="white", linewidth=0.3)  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set(xlim=(0, last / unit), ylim=(-reach, reach), xlabel=word, ylabel=words[2])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return figure
