"""Whether predictions mean what they say: the profile of the items, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import introduced, of_targets, points_digits
from emoclip_clinic.report.blocks.agreement import AllTargets, by_kind
from emoclip_clinic.report.blocks.prediction import panel_rows
from emoclip_clinic.report.context import Context, NoOptions, Selection
from emoclip_clinic.report.curves import Means, profile_figure
from emoclip_clinic.report.evidence import Estimate, performance
from emoclip_clinic.report.figures import Panel
from emoclip_clinic.report.figures import calibration as draw_calibration
from emoclip_clinic.report.numbers import count, estimate
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table
from emoclip_clinic.report.vector import FigureFlowable

__all__ = ["calibration_panels", "calibration_table", "item_profile"]

INTERCEPT, SLOPE = "calibration_intercept", "calibration_slope"


def item_profile(context: Context, options: NoOptions) -> list[Flowable]:
    """Mean observed and predicted score of each item, with their intervals."""
    data = context.data
    table = data.tables.get("profile")
    items = data.targets[data.targets["kind"] == "item"]
    found = {} if table is None else of_targets(table, items["target"].astype(str))
    if not found:
        return [context.say("profile.none")]
    rows = []
    for target, mine in found.items():
        by_source = {str(row["source"]): _mean(row) for row in mine}
        rows.append(Means(data.label(target), by_source["observed"], by_source["predicted"]))
    words = (
        context.texts("profile.observed"),
        context.texts("profile.predicted"),
        context.texts("profile.axis"),
    )
    shown = items[items["target"].isin(found)]
    span = float(shown["minimum"].min()), float(shown["maximum"].max())
    # two on a page: what goes to the next page leaves no more than a half of this one empty
    height = context.frame_height / 2 - 40
    figures = profile_figure(rows, context.page.text_width, height, words, span)
    flowables = context.figures([FigureFlowable(figure) for figure in figures], "profile.caption")
    return [context.say("profile.intro"), *flowables]


def _mean(row: dict[Any, Any]) -> Estimate:
    value, low, high, n = (float(row[k]) for k in ("mean", "ci_low", "ci_high", "n_participants"))
    return Estimate(value, low, high, n)


def calibration_table(context: Context, options: AllTargets) -> list[Flowable]:
    """Bias, intercept and slope of the observed on the predicted scores, with intervals."""
    data = context.data
    known = [
        target
        for target in context.select(options)
        if (target, SLOPE, data.model) in data.performance_rows
    ]
    if not known:
        return [context.say("calibration.none")]
    notes = Notes()
    rows: list[Any] = []
    for target, heading in by_kind(context, known):
        if heading:
            rows.append(Subheading(heading))
        digits = points_digits(context, target)
        found = [performance(data, target, name) for name in ("bias", INTERCEPT, SLOPE)]
        cells = [
            notes.stacked(each, places)
            for each, places in zip(found, (digits, digits, 2), strict=True)
        ]
        rows.append([data.label(target), count(found[0].n), *cells])
    columns = [
        Column(context.texts("words.target"), numeric=False),
        Column("n", 30),
        *(Column(context.texts(f"calibration.{key}"), 92) for key in ("bias", "level", "slope")),
    ]
    caption = context.caption("table", "calibration.caption")
    intro = [context.say("calibration.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def calibration_panels(context: Context, options: Selection) -> list[Flowable]:
    """Observed against predicted scores, with the line of the table of calibration."""
    data = context.data
    table = data.predictions[data.predictions["model"] == data.model]
    panels = []
    for target in context.select(options):
        rows = table[table["target"] == target].dropna(subset=["observed", "predicted"])
        level, slope = (performance(data, target, name) for name in (INTERCEPT, SLOPE))
        if rows.empty or slope.value != slope.value:
            continue
        ends = estimate(slope.value, slope.low, slope.high)
        panels.append(
            Panel(
                label=data.label(target),
                observed=rows["observed"].to_numpy(np.float64),
                predicted=rows["predicted"].to_numpy(np.float64),
                note=context.texts("calibration.note", n=count(len(rows)), slope=ends),
                line=(level.value, slope.value),
            )
        )
    words = context.texts("calibration.x"), context.texts("calibration.y")
    figures = draw_calibration(panels, context.page.text_width, words)
    return panel_rows(context, figures, "calibration.figure")
