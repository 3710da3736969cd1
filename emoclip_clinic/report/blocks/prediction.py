"""Predictions against ratings: performance, scatter plots, Bland-Altman plots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import introduced, points_digits
from emoclip_clinic.report.blocks.agreement import AllTargets, by_kind
from emoclip_clinic.report.context import Context, Selection, paragraph
from emoclip_clinic.report.differences import Limits, limits_of
from emoclip_clinic.report.evidence import Estimate, performance
from emoclip_clinic.report.figures import Panel, bland_altman, scatter
from emoclip_clinic.report.numbers import count, estimate, p_value
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table
from emoclip_clinic.report.vector import FigureFlowable

__all__ = [
    "Performance",
    "bland_altman_panels",
    "panel_rows",
    "performance_table",
    "scatter_panels",
]

IN_POINTS = ("mae", "rmse")


@dataclass(frozen=True)
class Performance(AllTargets):
    """Which targets and metrics are shown."""

    metrics: tuple[str, ...] = ("mae", "r2", "pearson", "ccc")
    """Of mae, rmse, r2, pearson, spearman, ccc; four fit on the page."""


def performance_table(context: Context, options: Performance) -> list[Flowable]:
    """Out-of-fold performance with intervals, and the error of predicting the mean beside it."""
    data = context.data
    if data.performance.empty:
        return [context.say("performance.none")]
    notes = Notes()
    tested = _corrected_p(context)
    rows: list[Any] = []
    for target, heading in by_kind(context, context.select(options)):
        if heading:
            rows.append(Subheading(heading))
        digits = points_digits(context, target)
        found = [(metric, performance(data, target, metric)) for metric in options.metrics]
        cells = [
            notes.stacked(each, digits if metric in IN_POINTS else 2) for metric, each in found
        ]
        baseline = notes.value(performance(data, target, "mae", "mean"), digits)
        n = count(max(each.n for _, each in found))
        rows.append([data.label(target), n, *cells, *tested(target), baseline])
    columns = [
        Column(context.texts("words.target"), numeric=False),
        Column("n", 26),
        *(Column(context.texts.word("metrics", name), 63) for name in options.metrics),
        *([Column(context.texts("performance.p"), 40)] * bool(len(data.permutation))),
        Column(context.texts("performance.baseline"), 58),
    ]
    caption = context.caption("table", "performance.caption")
    intro = ["performance.intro", *(["performance.tested"] * bool(len(data.permutation)))]
    table = data_table(context, caption, columns, rows, notes)
    return introduced(context, [context.say(key) for key in intro], table)


def _corrected_p(context: Context) -> Callable[[str], list[str]]:
    """Give the cells of a target's corrected p for Pearson; none where nothing was tested."""
    table = context.data.permutation
    p = table[table["metric"] == "pearson"].set_index("target")["p_max_t"]

    def cells(target: str) -> list[str]:
        return [p_value(p.get(target)).removeprefix("p ").removeprefix("= ")] * bool(len(p))

    return cells


def scatter_panels(context: Context, options: Selection) -> list[Flowable]:
    """Predicted against observed scores."""
    words = context.texts("scatter.x"), context.texts("scatter.y")
    panels = _panels(context, options)
    figures = scatter(panels, context.page.text_width, words)
    return _captioned(context, figures, "scatter")


def bland_altman_panels(context: Context, options: Selection) -> list[Flowable]:
    """Differences against means."""
    words = context.texts("bland_altman.x"), context.texts("bland_altman.y")
    panels = _panels(context, options, limits=True)
    figures = bland_altman(panels, context.page.text_width, words)
    forms = {limits_of(context.data, target).form for target in context.select(options)}
    known = context.texts.table("bland_altman_forms")
    notes = [paragraph(known[form], "note") for form in sorted(forms) if form in known]
    return [*_captioned(context, figures, "bland_altman"), *notes]


def panel_rows(context: Context, figures: list[Figure], key: str) -> list[Flowable]:
    """Let rows of panels break over pages; the caption stays with the last."""
    if not figures:
        return []
    *rows, last = (FigureFlowable(figure) for figure in figures)
    return [*rows, *context.figures([last], key)]


def _captioned(context: Context, figures: list[Figure], key: str) -> list[Flowable]:
    return panel_rows(context, figures, f"{key}.caption") or [context.say("scatter.none")]


def _panels(context: Context, options: Selection, limits: bool = False) -> list[Panel]:
    data = context.data
    table = data.predictions[data.predictions["model"] == data.model]
    panels = []
    for target in context.select(options):
        rows = table[table["target"] == target].dropna(subset=["observed", "predicted"])
        if rows.empty:
            continue
        if limits:
            # bias and limits are of visits: recordings of one visit are averaged, as in agreement
            visit = ["participant", "session"]
            rows = rows.groupby(visit, sort=False)[["observed", "predicted"]].mean()
        found = limits_of(data, target) if limits else Limits()
        panels.append(
            Panel(
                label=data.label(target),
                observed=rows["observed"].to_numpy(np.float64),
                predicted=rows["predicted"].to_numpy(np.float64),
                note=_note(context, target, len(rows), found.bias if limits else None),
                bias=found.bias,
                limits=(found.lower, found.upper),
                line=found.line,
            )
        )
    return panels


def _note(context: Context, target: str, n: int, bias: Estimate | None) -> str:
    if bias is not None:
        digits = points_digits(context, target)
        words = f"bias {estimate(bias.value, bias.low, bias.high, digits)}"
    else:
        ccc = performance(context.data, target, "ccc")
        words = f"CCC {estimate(ccc.value, ccc.low, ccc.high)}"
    return f"n = {count(n)}, {words}"
