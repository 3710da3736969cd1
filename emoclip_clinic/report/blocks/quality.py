"""How well the participants can be seen, what was left out for it, and what hangs on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from reportlab.platypus import Flowable

from emoclip_clinic.quality import MEASURES, Measure, worst
from emoclip_clinic.report.asked import introduced, points_digits
from emoclip_clinic.report.context import Context, NoOptions
from emoclip_clinic.report.distributions import Distribution, histograms
from emoclip_clinic.report.numbers import count, digits_for, estimate, number, percent
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table
from emoclip_clinic.report.vector import FigureFlowable

__all__ = ["excluded_windows", "figure", "sensitivity", "thresholds", "worst_recordings"]

WHOLE_AXIS = ("face_fraction", "face_brightness")
"""Measures that are shown from 0 to 1, wherever their values lie."""


def _values(context: Context) -> Iterator[tuple[Measure, pd.Series]]:
    """Give each measure with its value in every recording (index recording), where there are any.

    What `ingest` measures of a whole recording stands in for the gaps of its windows.
    """
    table = context.data.quality
    for measure in MEASURES:
        name = "longest_gap" if measure.name == "longest_gap_s" else measure.name
        own = table[table["measure"] == name].drop_duplicates("recording", keep="last")
        values = pd.to_numeric(own.set_index("recording")["value"], errors="coerce").dropna()
        if len(values):
            yield measure, values


def _name(context: Context, measure: str, unit: str = "") -> str:
    name = context.texts.word("measures", measure)
    return f"{name} ({unit})" if unit else name


def figure(context: Context, options: NoOptions) -> list[Flowable]:
    """Show how each measure is distributed over the recordings."""
    panels = [
        Distribution(
            _name(context, measure.name, measure.unit),
            values.to_numpy(float),
            float(measure.name in WHOLE_AXIS),
        )
        for measure, values in _values(context)
    ]
    if not panels:
        return [context.say("quality.none")]
    made = histograms(panels, context.page.text_width, context.texts("quality.axis"))
    return context.figures([FigureFlowable(made)], "quality.figure")


def excluded_windows(context: Context, options: NoOptions) -> list[Flowable]:
    """Count the windows that were left out, by reason."""
    table = context.data.tables.get("window_reasons")
    if table is None:
        return []
    if table.empty:
        return [context.say("quality.all_used")]
    rows = [
        [
            context.data.masked(str(row["reason"])),
            count(row["n_windows"]),
            count(row["n_recordings"]),
        ]
        for row in table.to_dict("records")
    ]
    columns = [
        Column(context.texts("exclusions.reason"), numeric=False),
        Column(context.texts("quality.windows"), 70),
        Column(context.texts("quality.recordings"), 70),
    ]
    return data_table(context, context.caption("table", "quality.excluded"), columns, rows)


def worst_recordings(context: Context, options: NoOptions) -> list[Flowable]:
    """Name the worst recordings by each measure, by their rows in recordings.csv."""
    known = context.data.recordings
    if "row" not in known:
        return []
    places = dict(zip(known["recording"], known["row"], strict=True))
    rows = []
    for measure, values in _values(context):
        found = worst(values[values.index.isin(list(places))], measure)
        digits = digits_for(values)
        entries = [
            context.texts(
                "quality.entry", row=count(places[str(name)]), value=number(value, digits)
            )
            for name, value in found.items()
        ]
        if entries:
            rows.append([_name(context, measure.name, measure.unit), "; ".join(entries)])
    if not rows:
        return []
    columns = [
        Column(context.texts("quality.measure"), 190, numeric=False),
        Column(context.texts("quality.worst"), numeric=False),
    ]
    return data_table(context, context.caption("table", "quality.worst_caption"), columns, rows)


def thresholds(context: Context, options: NoOptions) -> list[Flowable]:
    """Say what would remain at other limits of each measure."""
    table = context.data.tables.get("quality_thresholds")
    if table is None or table.empty:
        return []
    now, n_used = table.iloc[0], max(int(table["n_windows"].iloc[0]), 1)
    known = table[table["n_unknown"] < n_used].iloc[1:]
    rows: list[Any] = [[context.texts("quality.as_encoded"), *_remaining(now, n_used)]]
    for name, of_measure in known.groupby("measure", sort=False):
        unit = next(measure.unit for measure in MEASURES if measure.name == name)
        rows.append(Subheading(_name(context, str(name), unit)))
        rows += [
            [_limit(context, row), *_remaining(row, n_used)]
            for row in of_measure.to_dict("records")
        ]
    columns = [
        Column(context.texts("quality.limit"), numeric=False),
        Column(context.texts("quality.windows"), 70),
        Column(context.texts("quality.share"), 70),
        Column(context.texts("quality.recordings"), 70),
        Column(context.texts("quality.participants"), 70),
    ]
    made = data_table(context, context.caption("table", "quality.thresholds"), columns, rows)
    return introduced(context, [context.say("quality.thresholds_intro")], made)


def _remaining(row: Any, n_used: int) -> list[str]:
    share = percent(row["n_windows"] / n_used)
    counts = (count(row[name]) for name in ("n_recordings", "n_participants"))
    return [count(row["n_windows"]), share, *counts]


def _limit(context: Context, row: Any) -> str:
    if pd.isna(row["threshold"]):
        return context.texts("quality.as_encoded")
    value = number(row["threshold"], 0 if float(row["threshold"]).is_integer() else 2)
    return context.texts(f"quality.{row['limit']}", value=value)


def sensitivity(context: Context, options: NoOptions) -> list[Flowable]:
    """Show the performance of models that were fitted again at other limits."""
    table = context.data.tables.get("quality_sensitivity")
    if table is None or table.empty:
        return [context.say("quality.not_refitted", scale=context.data.scale)]
    rows: list[Any] = []
    notes = Notes()
    for (measure, target), own in table.groupby(["measure", "target"], sort=False):
        label = f"{context.data.label(str(target))}: {_name(context, str(measure))}"
        rows.append(Subheading(label))
        for _, at_limit in own.groupby(["limit", "threshold"], sort=False, dropna=False):
            rows.append(_performance(context, str(target), at_limit, notes))
    columns = [
        Column(context.texts("quality.limit"), numeric=False),
        Column(context.texts("quality.windows"), 52),
        Column("n", 30),
        Column(context.texts.word("metrics", "pearson"), 96),
        Column(context.texts.word("metrics", "ccc"), 96),
        Column(context.texts("quality.beside"), 62),
        Column(context.texts.word("metrics", "mae"), 46),
    ]
    made = data_table(
        context, context.caption("table", "quality.sensitivity"), columns, rows, notes
    )
    return introduced(context, [context.say("quality.sensitivity_intro")], made)


def _performance(context: Context, target: str, rows: pd.DataFrame, notes: Notes) -> list[str]:
    first = rows.iloc[0]
    found = {str(row["metric"]): row for row in rows.to_dict("records")}
    shown = []
    for row in (found["pearson"], found["ccc"]):
        why = "" if pd.notna(row["value"]) or pd.isna(row["note"]) else str(row["note"])
        shown.append(estimate(row["value"], row["ci_low"], row["ci_high"]) + notes.mark(why))
    return [
        _limit(context, first), count(first["n_windows"]), count(first["n_participants"]), *shown,
        number(found["ccc"]["value_all_windows"]),
        number(found["mae"]["value"], points_digits(context, target)),
    ]  # fmt: skip
