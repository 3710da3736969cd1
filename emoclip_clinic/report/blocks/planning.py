"""Would more participants help, and how many does the next study need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import Named, absent, introduced, of_targets
from emoclip_clinic.report.context import Context
from emoclip_clinic.report.curves import Curve, learning_curves
from emoclip_clinic.report.numbers import count, number
from emoclip_clinic.report.tables import Column, Subheading, data_table
from emoclip_clinic.report.vector import FigureFlowable

__all__ = ["LearningCurve", "learning_curve", "precision"]

WIDTH = 0.2


@dataclass(frozen=True)
class LearningCurve(Named):
    """Which targets, besides the primary ones, and by which metrics."""

    metrics: tuple[str, ...] = ("mae", "pearson", "ccc")
    """Of mae, r2, pearson, ccc."""


def learning_curve(context: Context, options: LearningCurve) -> list[Flowable]:
    """Show performance in smaller studies drawn from this one."""
    table = context.data.table("learning_curve")
    curves = []
    for target in context.select(options):
        for metric in options.metrics:
            own = table[
                (table["target"] == target)
                & (table["metric"] == metric)
                & (table["model"] == context.data.model)
            ].dropna(subset=["value"])
            if len(own):
                curves.append(_curve(context, target, metric, own))
    if not curves:
        return absent(context, "learning_curve")
    axis = context.texts("learning_curve.axis")
    figures = learning_curves(curves, context.page.text_width, axis)
    flowables = [FigureFlowable(figure) for figure in figures]
    return [
        context.say("learning_curve.intro"),
        *context.figures(flowables, "learning_curve.caption"),
    ]


def _curve(context: Context, target: str, metric: str, rows: pd.DataFrame) -> Curve:
    by_size = rows.groupby("n_participants")["value"].agg(["mean", "min", "max"])
    word = context.texts.word("metrics", metric).replace("\n", " ")
    return Curve(
        label=f"{context.data.label(target)}: {word}",
        sizes=by_size.index.to_numpy(float),
        middle=by_size["mean"].to_numpy(),
        low=by_size["min"].to_numpy(),
        high=by_size["max"].to_numpy(),
    )


def precision(context: Context, options: Named) -> list[Flowable]:
    """Participants that a next study needs, for intervals of several widths."""
    table = context.data.table("precision")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "precision")
    widths = sorted({float(row["width"]) for rows in found.values() for row in rows})
    body: list[Any] = []
    sentences = []
    for target, mine in found.items():
        body.append(Subheading(context.data.label(target)))
        by_statistic: dict[str, list[dict[Any, Any]]] = {}
        for row in mine:
            by_statistic.setdefault(str(row["statistic"]), []).append(row)
        for statistic, rows in by_statistic.items():
            name = context.texts.word("metrics", statistic).replace("\n", " ")
            needed = {float(row["width"]): row["n"] for row in rows}
            planned = number(rows[0]["planning"], 2)
            body.append([name, planned, *(count(needed.get(width)) for width in widths)])
            if statistic == "ccc" and WIDTH in needed:
                sentences.append(
                    context.say(
                        "precision.needs",
                        target=context.data.label(target), found=planned,
                        n=count(needed[WIDTH]), half=number(WIDTH / 2, 1),
                    )
                )  # fmt: skip
    columns = [
        Column(context.texts("precision.statistic"), numeric=False),
        Column(context.texts("precision.planning"), 80),
        *(Column(context.texts("precision.width", half=number(w / 2, 2)), 62) for w in widths),
    ]
    caption = context.caption("table", "precision.caption")
    intro = context.say("precision.intro")
    made = data_table(context, caption, columns, body)
    return introduced(context, [intro, *sentences], made)
