"""What the predictions depend on: the model, the group, the visit; and whether intervals hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import Named, absent, introduced, of_targets, points_digits
from emoclip_clinic.report.blocks.agreement import AllTargets, by_kind
from emoclip_clinic.report.context import Context
from emoclip_clinic.report.evidence import Estimate, from_row, performance
from emoclip_clinic.report.numbers import count, interval, number, p_value, percent
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table

__all__ = ["Measured", "comparison", "coverage", "sensitivity", "subgroups"]

SUMMED = ":summed"
MEAN = "mean"
METRICS = ("mae", "r2", "pearson", "ccc")


@dataclass(frozen=True)
class Measured(Named):
    """Which targets, besides the primary ones, and by which metrics."""

    metrics: tuple[str, ...] = ("mae", "ccc")
    """Of mae, rmse, r2, pearson, spearman, ccc."""


def comparison(context: Context, options: Measured) -> list[Flowable]:
    """Set the reported model beside each other one, with the difference and its tests."""
    table = context.data.table("comparison")
    own = table[table["metric"].isin(options.metrics)]
    found = of_targets(own, context.select(options))
    if not found:
        return absent(context, "comparison")
    notes = Notes()
    rows: list[Any] = []
    for target, mine in found.items():
        rows.append(Subheading(context.data.label(target)))
        rows += [_compared(context, target, row, notes) for row in mine]
    columns = [
        Column(context.texts("comparison.with"), numeric=False),
        Column(context.texts("comparison.metric"), 70, numeric=False),
        *(Column(context.texts(f"comparison.{key}"), 62) for key in ("own", "other")),
        Column(context.texts("comparison.difference"), 84),
        Column(context.texts("comparison.p"), 56),
    ]
    caption = context.caption("table", "comparison.caption")
    intro = [context.say("comparison.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _compared(context: Context, target: str, row: dict[Any, Any], notes: Notes) -> list[Any]:
    digits = _digits(context, target, row["metric"])
    renamed = {**row, "value": row["difference"]}
    difference = from_row(context.data, renamed, "n_participants")
    return [
        _model(context, str(row["model_b"])),
        _metric(context, row["metric"]),
        number(row["value_a"], digits),
        number(row["value_b"], digits),
        notes.stacked(difference, digits),
        p_value(row["p_corrected_t"]).removeprefix("p ").removeprefix("= "),
    ]


def subgroups(context: Context, options: Measured) -> list[Flowable]:
    """Give performance by sex, age, site, rater and quality; what is small is not shown."""
    data = context.data
    table = data.table("subgroups")
    own = table[(table["model"] == data.model) & table["metric"].isin(options.metrics)]
    found = of_targets(own, context.select(options))
    if not found:
        return absent(context, "subgroups")
    notes = Notes()
    rows: list[Any] = []
    for target, mine in found.items():
        rows.append(Subheading(data.label(target)))
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for row in mine:
            key = str(row["column"]), str(row["group"])
            groups.setdefault(key, {})[str(row["metric"])] = row
        for (column, group), by_metric in groups.items():
            name = f"{context.texts.word('columns', column)}: {_group(context, column, group)}"
            rows.append([name, *_group_cells(context, target, by_metric, options.metrics, notes)])
    metrics = [_metric(context, name) for name in options.metrics]
    columns = [
        Column(context.texts("subgroups.group"), numeric=False),
        Column("n", 26),
        *(
            Column(title, 78)
            for name in metrics
            for title in (name, context.texts("subgroups.difference", metric=name))
        ),
    ]
    caption = context.caption("table", "subgroups.caption")
    intro = [context.say("subgroups.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _group_cells(
    context: Context,
    target: str,
    by_metric: dict[str, Any],
    metrics: tuple[str, ...],
    notes: Notes,
) -> list[Any]:
    sizes = [row["n_participants"] for row in by_metric.values()]
    cells: list[Any] = [count(sizes[0])]
    for name in metrics:
        row = by_metric.get(name)
        if row is None:
            cells += ["", ""]
            continue
        digits = _digits(context, target, name)
        each = from_row(context.data, row, "n_participants")
        value, low, high = (float(row[f"difference{end}"]) for end in ("", "_ci_low", "_ci_high"))
        difference = Estimate(value, low, high, note=each.note)
        cells += [notes.stacked(each, digits), notes.stacked(difference, digits)]
    return cells


def _group(context: Context, column: str, group: str) -> str:
    """Name a group; raters are letters, also where they are called by numbers."""
    if column != "rater":
        return context.data.masked(group)
    names = context.data.rater_names
    letters = [names.get(name, name) for name in group.split(" and ")]
    return ", ".join(context.texts("words.rater", letter=letter) for letter in letters)


def coverage(context: Context, options: AllTargets) -> list[Flowable]:
    """How often the prediction intervals held the score, and how wide they are."""
    found = of_targets(context.data.table("coverage"), context.select(options))
    if not found:
        return absent(context, "coverage")
    notes = Notes()
    rows: list[Any] = []
    for target, heading in by_kind(context, list(found)):
        if heading:
            rows.append(Subheading(heading))
        row = found[target][0]
        shares = [100 * float(row[key]) for key in ("coverage", "ci_low", "ci_high")]
        note = context.data.masked(_text(row["note"]))
        rows.append(
            [
                context.data.label(target),
                count(row["n_participants"]),
                percent(row["level"]),
                f"{number(shares[0], 0)} ({interval(shares[1], shares[2], 0)})",
                number(row["mean_width"], points_digits(context, target)) + notes.mark(note),
            ]
        )
    columns = [
        Column(context.texts("words.target"), numeric=False),
        Column("n", 30),
        *(
            Column(context.texts(f"coverage.{key}"), width)
            for key, width in (("level", 60), ("covered", 110), ("width", 90))
        ),
    ]
    caption = context.caption("table", "coverage.caption")
    intro = [context.say("coverage.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def sensitivity(context: Context, options: Named) -> list[Flowable]:
    """Give the main result again: by the mean, other models, sums of items, and of change."""
    data = context.data
    if data.performance.empty:
        return [context.say("performance.none")]
    notes = Notes()
    rows: list[Any] = []
    models = [data.model, *(name for name in dict.fromkeys(data.performance["model"])
                            if name != data.model)]  # fmt: skip
    for target in context.select(options):
        found = [
            (_model(context, model), [performance(data, target, m, model) for m in METRICS])
            for model in models
            if (target, METRICS[0], model) in data.performance_rows
        ]
        changed = _of_change(context, target)
        found += [(context.texts("sensitivity.change"), changed)] if changed else []
        if found:
            rows.append(Subheading(data.label(target)))
        for name, cells in found:
            shown = [
                notes.stacked(each, _digits(context, target, metric))
                for metric, each in zip(METRICS, cells, strict=True)
            ]
            rows.append([name, count(cells[0].n), *shown])
    columns = [
        Column(context.texts("sensitivity.analysis"), numeric=False),
        Column("n", 30),
        *(Column(context.texts.word("metrics", name), 76) for name in METRICS),
    ]
    caption = context.caption("table", "sensitivity.caption")
    intro = [context.say("sensitivity.intro"), *_steadiness(context, options)]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _of_change(context: Context, target: str) -> list[Estimate]:
    table = context.data.table("predicted_change")
    own = table[(table["target"] == target) & (table["model"] == context.data.model)]
    rows = {str(row["metric"]): row for row in own.to_dict("records")}
    if METRICS[0] not in rows:
        return []
    return [from_row(context.data, rows[name], "n_participants") for name in METRICS]


def _steadiness(context: Context, options: Named) -> list[Flowable]:
    """Say for the first target how far the folds' models agree about what matters."""
    table = context.data.table("stability")
    found = of_targets(table, context.select(options)[:1])
    lines = []
    for target, (row, *_) in found.items():
        if row["cosine"] == row["cosine"]:
            lines.append(
                context.say(
                    "sensitivity.stability",
                    target=context.data.label(target),
                    n=count(row["n_models"]),
                    cosine=number(row["cosine"], 2),
                    signs=percent(row["sign_agreement"]),
                )
            )
    return lines


def _model(context: Context, name: str) -> str:
    """Name a model in words: the reported one, the baseline, a sum of predicted items."""
    model = context.data.model
    known = {model: "reported", MEAN: "baseline", model + SUMMED: "summed"}
    return context.texts(f"models.{known[name]}") if name in known else name


def _metric(context: Context, name: str) -> str:
    return context.texts.word("metrics", name).replace("\n", " ")


def _digits(context: Context, target: str, metric: str) -> int:
    return points_digits(context, target) if metric in ("mae", "rmse") else 2


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
