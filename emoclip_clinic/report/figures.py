"""The figures of a report; each function gives figures that no global state touches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    SUBDUED,
    shorten,
)
from emoclip_clinic.report.vector import new_figure, styled

__all__ = ["Group", "Panel", "bland_altman", "calibration", "forest", "scatter"]

LINE_PT = 7.0
ROW_GAP_PT = 8.0
LABEL_SHARE = 0.34
AXIS_PT = 46.0
PANELS_ACROSS = 3
PANEL_LABEL_PT = 6.5
UNKNOWN = Estimate()


@dataclass(frozen=True)
class Group:
    """A target in a forest plot: what is compared there."""

    label: str
    """In words."""
    clinicians: Sequence[Estimate]
    """Agreement of clinicians with each other: together, or a pair each."""
    model: Sequence[Estimate]
    """Agreement of the model with the clinicians: together, or with each."""


@dataclass(frozen=True)
class Panel:
    """Observed and predicted scores of a target."""

    label: str
    """In words."""
    observed: np.ndarray
    """Consensus of the raters, one a visit."""
    predicted: np.ndarray
    """Out-of-fold prediction, in the same order."""
    note: str = ""
    """A line below the label ("CCC 0.61 (0.42 to 0.75)")."""
    bias: Estimate = UNKNOWN
    """Mean of predicted minus observed."""
    limits: tuple[Estimate, Estimate] = (UNKNOWN, UNKNOWN)
    """Lower and upper limit of agreement."""
    line: tuple[float, float] | None = None
    """Intercept and slope of a line that is drawn over the points."""


@styled
def forest(
    groups: Sequence[Group], width: float, height: float, legend: tuple[str, str], axis: str
) -> list[Figure]:
    """Draw estimates with intervals, a row a target, on as many figures as the rows need.

    Parameters
    ----------
    groups
        From top to bottom.
    width, height
        In points; no figure is higher.
    legend
        Words for the clinicians and for the model.
    axis
        Label of the axis of values.

    Returns
    -------
    list of matplotlib.figure.Figure
        All have the same axis, so that pages can be compared.
    """
    limits = _forest_limits(groups)
    pages = _pages(groups, height - AXIS_PT)
    return [_forest_page(page, width, limits, legend, axis) for page in pages if page]


def _pages(groups: Sequence[Group], height: float) -> list[list[Group]]:
    """Deal the rows over as few pages as hold them, of about equal length."""
    heights = np.array([_group_height(group) for group in groups])
    middles = np.cumsum(heights) - heights / 2
    for n_pages in range(1, len(groups) + 1):
        page_of = (middles / heights.sum() * n_pages).astype(int)
        if n_pages == len(groups) or np.bincount(page_of, weights=heights).max() <= height:
            break
    else:
        return []
    return [
        [group for group, own in zip(groups, page_of, strict=True) if own == page]
        for page in range(n_pages)
    ]


def _forest_page(
    groups: Sequence[Group],
    width: float,
    limits: tuple[float, float],
    legend: tuple[str, str],
    axis: str,
) -> Figure:
    rows = sum(map(_group_height, groups))
    figure = new_figure(width, rows + AXIS_PT)
    left = LABEL_SHARE * width
    axes = figure.add_axes(
        (LABEL_SHARE, 26 / (rows + AXIS_PT), 0.99 - LABEL_SHARE, rows / (rows + AXIS_PT))
    )
    axes.set(xlim=limits, ylim=(rows, 0), xlabel=axis, yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.axvline(0, color=SUBDUED, linewidth=0.7)
    top = 0.0
    for place, group in enumerate(groups):
        height = _group_height(group)
        if place % 2:
            start = -LABEL_SHARE / (0.99 - LABEL_SHARE)
            axes.axhspan(
                top, top + height, start, color=RULE, alpha=0.22, linewidth=0, clip_on=False
            )
        axes.annotate(
            shorten(group.label, left - 8, REGULAR, 7), (0, top + height / 2), (-left + 2, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
        )  # fmt: skip
        _forest_group(axes, group, top)
        top += height
    handles = [
        axes.plot([], [], color=hue, marker=marker, markersize=4.5, linewidth=1.2, label=words)[0]
        for hue, marker, words in zip((CLINICIANS, MODEL), "so", legend, strict=True)
    ]
    figure.legend(
        handles=handles, loc="upper right", ncols=2, frameon=False, bbox_to_anchor=(0.99, 1.0)
    )
    return figure


def _forest_group(axes: Axes, group: Group, top: float) -> None:
    y = top + ROW_GAP_PT / 2 + LINE_PT / 2
    edge = axes.get_xlim()[0]
    for estimates, hue, marker in ((group.clinicians, CLINICIANS, "s"), (group.model, MODEL, "o")):
        for each in estimates:
            if each.defined:
                axes.plot([each.low, each.high], [y, y], color=hue, solid_capstyle="butt")
                if each.low < edge:
                    axes.plot([edge], [y], marker="<", color=hue, markersize=3.5, clip_on=False)
            if math.isfinite(each.value):
                axes.plot([each.value], [y], marker=marker, color=hue, markersize=4)
            else:
                axes.annotate(
                    "undefined", (edge, y), (2, 0), color=SUBDUED, va="center",
                    fontsize=5.5, textcoords="offset points",
                )  # fmt: skip
            y += LINE_PT


def _group_height(group: Group) -> float:
    return ROW_GAP_PT + LINE_PT * max(len(group.clinicians) + len(group.model), 1)


def _forest_limits(groups: Sequence[Group]) -> tuple[float, float]:
    values = [
        value
        for group in groups
        for each in [*group.clinicians, *group.model]
        for value in (each.value, each.low, each.high)
        if math.isfinite(value)
    ]
    # intervals of few visits reach far below zero, where an ICC says no more than "none"
    return max(min([0.0, *values]) - 0.04, -1.04), min(max([1.0, *values]), 1.0) + 0.02


@styled
def scatter(panels: Sequence[Panel], width: float, axes_words: tuple[str, str]) -> list[Figure]:
    """Draw predicted against observed scores, with the line on which they are equal."""
    return _grids(panels, width, axes_words, _scatter_panel)


@styled
def bland_altman(
    panels: Sequence[Panel], width: float, axes_words: tuple[str, str]
) -> list[Figure]:
    """Draw differences (predicted minus observed) against means, with bias and limits.

    The lines and their bands are the estimates of the agreement table; nothing is estimated here.
    """
    return _grids(panels, width, axes_words, _bland_altman_panel)


@styled
def calibration(panels: Sequence[Panel], width: float, axes_words: tuple[str, str]) -> list[Figure]:
    """Draw observed against predicted scores, with the line that calibrates and the ideal one.

    The line is that of the table; nothing is estimated here.
    """
    return _grids(panels, width, axes_words, _calibration_panel)


def _grids(
    panels: Sequence[Panel],
    width: float,
    words: tuple[str, str],
    draw: Callable[[Axes, Panel], None],
) -> list[Figure]:
    """Make a figure a row of panels, so that pages can break between rows."""
    across = min(PANELS_ACROSS, max(len(panels), 1))
    size = width / PANELS_ACROSS
    height = size + 12
    figures = []
    for start in range(0, len(panels), across):
        figure = new_figure(width, height)
        for column, panel in enumerate(panels[start : start + across]):
            left, bottom = (column * size + 30) / width, 25 / height
            axes = figure.add_axes((left, bottom, (size - 38) / width, (height - 59) / height))
            _decorate(axes, panel, words, size - 34)
            draw(axes, panel)
        figures.append(figure)
    return figures


def _decorate(axes: Axes, panel: Panel, words: tuple[str, str], width: float) -> None:
    axes.set_title(shorten(panel.label, width, REGULAR, 7.9), pad=13)
    axes.annotate(
        shorten(panel.note, width, REGULAR, PANEL_LABEL_PT), (0, 1), (0, 4), color=SUBDUED,
        xycoords="axes fraction", textcoords="offset points", fontsize=PANEL_LABEL_PT,
    )  # fmt: skip
    axes.set(xlabel=words[0], ylabel=words[1])
    axes.xaxis.labelpad = axes.yaxis.labelpad = 2
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(MaxNLocator(5, integer=False))


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    size = 3.4 if len(x) < 150 else 2.4
    axes.plot(x, y, "o", color=CLINICIANS, markersize=size, markeredgewidth=0, alpha=0.55)


def _scatter_panel(axes: Axes, panel: Panel) -> None:
    limits = _padded(np.concatenate([panel.observed, panel.predicted]))
    axes.plot(limits, limits, color=SUBDUED, linewidth=0.7, dashes=(4, 2))
    _points(axes, panel.observed, panel.predicted)
    axes.set(xlim=limits, ylim=limits)


def _calibration_panel(axes: Axes, panel: Panel) -> None:
    limits = _padded(np.concatenate([panel.observed, panel.predicted]))
    axes.plot(limits, limits, color=SUBDUED, linewidth=0.7, dashes=(4, 2))
    _points(axes, panel.predicted, panel.observed)
    _line(axes, panel, panel.predicted)
    axes.set(xlim=limits, ylim=limits)


def _line(axes: Axes, panel: Panel, x: np.ndarray) -> None:
    """Draw the panel's line, as far as the points reach."""
    if panel.line is None or not all(map(math.isfinite, panel.line)) or not len(x):
        return
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, panel.line[0] + panel.line[1] * ends, color=MODEL, linewidth=1.6)


def _bland_altman_panel(axes: Axes, panel: Panel) -> None:
    difference = panel.predicted - panel.observed
    mean = (panel.predicted + panel.observed) / 2
    lines = [panel.bias, *panel.limits]
    ends = [value for each in lines for value in (each.value, each.low, each.high)]
    axes.set(xlim=_padded(mean), ylim=_padded(np.concatenate([difference, [0.0], ends])))
    axes.axhline(0, color=INK, linewidth=0.5)
    for each, dashes in zip(lines, ((), (4, 2), (4, 2)), strict=True):
        if each.defined:
            axes.axhspan(each.low, each.high, color=MODEL, alpha=0.18, linewidth=0)
        if math.isfinite(each.value):
            axes.axhline(each.value, color=MODEL, linewidth=1.0, dashes=dashes or (None, None))
    _points(axes, mean, difference)
    if panel.line is not None and all(map(math.isfinite, panel.line)):
        reach = np.array([mean.min(), mean.max()])
        axes.plot(reach, panel.line[0] + panel.line[1] * reach, color=INK, dashes=(1, 1.5))


def _padded(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin
