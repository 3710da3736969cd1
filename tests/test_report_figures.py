from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.report.evidence import Estimate
from emoclip_clinic.report.figures import Group, Panel, bland_altman, forest, scatter

WORDS = ("x", "y")
SCORES = st.lists(st.tuples(st.floats(-50, 250), st.floats(-50, 250)), min_size=1, max_size=20)


def panel(pairs: list[tuple[float, float]], **more: object) -> Panel:
    observed, predicted = np.array(pairs).T
    return Panel("Label", observed, predicted, **more)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(SCORES)
def test_scatter_axes_cover_the_data_and_are_equal(pairs: list[tuple[float, float]]) -> None:
    """Every point lies inside, and the line of equality is the diagonal."""
    (figure,) = scatter([panel(pairs)], 480, WORDS)
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    low, high = axes.get_xlim()
    assert all(low < value < high for pair in pairs for value in pair)


@settings(max_examples=15, deadline=None)
@given(SCORES)
def test_bland_altman_axes_cover_points_and_limits(pairs: list[tuple[float, float]]) -> None:
    """Differences, means, the limits of agreement and their bands all lie inside."""
    limits = Estimate(-30, -44, -20), Estimate(30, 20, 41)
    (figure,) = bland_altman([panel(pairs, limits=limits)], 480, WORDS)
    (left, right), (low, high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert low < -44
    assert high > 41
    assert all(low < y - x < high and left < (x + y) / 2 < right for x, y in pairs)


def test_undefined_limits_draw_no_line() -> None:
    """Where the table has no limits, the figure invents none."""
    (figure,) = bland_altman([panel([(1, 2), (2, 4), (3, 3)])], 480, WORDS)
    horizontal = [line for line in figure.axes[0].lines if len(set(line.get_ydata())) == 1]
    assert [line.get_ydata()[0] for line in horizontal] == [0]


def test_a_forest_plot_shows_every_estimate_once() -> None:
    """However many pages it takes, each estimate has one marker, inside the axis."""
    groups = [
        Group(f"Item {n}", [Estimate(0.8, 0.7, 0.9)], [Estimate(0.01 * n, 0.01 * n - 0.6, 0.9)] * 3)
        for n in range(60)
    ]
    figures = forest(groups, 480, 600, ("a", "b"), "ICC")
    markers = []
    for figure in figures:
        axes = figure.axes[0]
        assert figure.get_size_inches()[1] * 72 <= 600
        low, high = axes.get_xlim()
        for line in axes.lines:
            if line.get_marker() in ("s", "o") and len(line.get_xdata()):
                markers.append(float(line.get_xdata()[0]))
                assert low < markers[-1] < high
    assert len(figures) > 1
    expected = [each.value for g in groups for each in [*g.clinicians, *g.model]]
    assert markers == pytest.approx(expected)
    assert len({figure.axes[0].get_xlim() for figure in figures}) == 1


def test_what_is_undefined_is_said_in_the_forest_plot() -> None:
    """A score without an estimate keeps its row, with the word in place of the marker."""
    (figure,) = forest([Group("N1", [Estimate()], [Estimate(math.nan)])], 480, 600, WORDS, "ICC")
    assert [t.get_text() for t in figure.axes[0].texts].count("undefined") == 2


def test_a_figure_leaves_the_settings_of_matplotlib_alone() -> None:
    """A user's own look neither changes nor is changed."""
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red"}):
        (figure,) = scatter([panel([(1, 2), (3, 4)])], 480, WORDS)
        assert mpl.rcParams["font.size"] == 31
    assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
