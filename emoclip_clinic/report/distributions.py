"""Histograms side by side: how a number is distributed over the recordings."""

from __future__ import annotations

import math
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
    """One a recording, none missing, none below 0."""
    largest: float = 0.0
    """Where the axis ends; 0: at the largest value."""

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return self.largest or float(self.values.max()) or 1.0


@styled
def histograms(panels: Sequence[Distribution], width: float, words: str) -> Figure:
    """Draw a histogram each, three a row, with a line at the median.

    Parameters
    ----------
    panels
        In the order of the page.
    width
        In points.
    words
        Of the upward axis.
    """
    size, height = width / ACROSS, HEIGHT_PT * math.ceil(len(panels) / ACROSS)
    figure = new_figure(width, height)
    for place, panel in enumerate(panels):
        row, column = divmod(place, ACROSS)
        left, bottom = column * size + 28, height - (row + 1) * HEIGHT_PT + 24
        inner = (size - 40) / width, (HEIGHT_PT - 42) / height
        axes = figure.add_axes((left / width, bottom / height, *inner))
        axes.hist(panel.values, bins=N_BINS, range=(0, panel.end), color=CLINICIANS, alpha=0.75)
        axes.axvline(float(np.median(panel.values)), color=MODEL, linewidth=1.2)
        axes.set_title(shorten(panel.label, size - 30, REGULAR, 7.9))
        axes.set_ylabel(words if column == 0 else "")
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure
