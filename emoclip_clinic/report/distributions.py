"""Histograms side by side: how a number is distributed over the recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from emoclip_clinic.report.theme import CLINICIANS, MODEL, REGULAR, shorten
from emoclip_clinic.report.vector import new_figure, styled

__all__ = ["Distribution", "histograms"]

ACROSS = 3
HEIGHT_PT = 92.0
N_BINS = 12


@dataclass(frozen=True)
class Distribution:
    """A number of each recording."""

    label: str
    """What it is, with its unit."""
    values: np.ndarray
    """One a recording, none missing."""
    span: tuple[float, float] | None = None
    """Ends of the axis, where it has natural ones."""


@styled
def histograms(panels: Sequence[Distribution], width: float, words: str) -> list[Figure]:
    """Draw a histogram each, three a figure, with a line at the median.

    Parameters
    ----------
    panels
        In the order of the page.
    width
        In points.
    words
        Of the upward axis.
    """
    size = width / ACROSS
    figures = []
    for start in range(0, len(panels), ACROSS):
        figure = new_figure(width, HEIGHT_PT)
        for column, panel in enumerate(panels[start : start + ACROSS]):
            place = (column * size + 28) / width, 24 / HEIGHT_PT
            axes = figure.add_axes((*place, (size - 40) / width, (HEIGHT_PT - 42) / HEIGHT_PT))
            low, high = panel.span or (panel.values.min(), panel.values.max())
            axes.hist(panel.values, bins=N_BINS, range=(low, high), color=CLINICIANS, alpha=0.75)
            axes.axvline(float(np.median(panel.values)), color=MODEL, linewidth=1.2)
            axes.set_title(shorten(panel.label, size - 30, REGULAR, 7.9))
            axes.set_ylabel(words if column == 0 else "")
            axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            axes.xaxis.set_major_locator(MaxNLocator(4))
        figures.append(figure)
    return figures
