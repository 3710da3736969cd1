"""Who was studied: flow, exclusions, participants, recordings, quality, raters."""

from __future__ import annotations

from typing import Any

import pandas as pd
from reportlab.platypus import Flowable, Spacer

from emoclip_clinic.report.context import Context, NoOptions
from emoclip_clinic.report.flow import FlowDiagram, Step
from emoclip_clinic.report.numbers import DASH, count, digits_for, number, percent
from emoclip_clinic.report.tables import Column, Subheading, data_table

__all__ = ["exclusions", "flow", "participants", "quality", "raters", "recordings"]

REASONS_IN_DIAGRAM = 5
LEVELS_SHOWN = 8


def flow(context: Context, options: NoOptions) -> list[Flowable]:
    """From recordings found to recordings analysed."""
    table = context.data.flow
    if table.empty:
        return [context.say("flow.none")]
    steps = []
    previous = None
    for row in table.to_dict("records"):
        counts = context.texts(
            "title.counts",
            recordings=count(row["n_recordings"]),
            participants=count(row["n_participants"]),
        )
        lost: list[str] = (
            [] if previous is None else _lost(context, row, int(previous - row["n_recordings"]))
        )
        steps.append(Step(context.texts.word("steps", str(row["step"])), counts, lost))
        previous = row["n_recordings"]
    diagram = FlowDiagram(steps, context.page.text_width)
    if diagram.height > context.frame_height - 60:
        # reasons are in the table of exclusions too
        steps = [Step(step.title, step.counts, step.lost[:1]) for step in steps]
        diagram = FlowDiagram(steps, context.page.text_width)
    return context.figures([diagram], "flow.caption")


def _lost(context: Context, row: dict[Any, Any], n_lost: int) -> list[str]:
    table = context.data.exclusions
    of_stage = table[(table["stage"] == row["stage"]) & (table["unit"] == "recording")]
    reasons = _counted(context, of_stage)
    if n_lost <= 0 and not reasons:
        return []
    lines = [context.texts("flow.lost", n=count(n_lost))]
    lines += [f"{reason}: {count(n)}" for reason, n in reasons[:REASONS_IN_DIAGRAM]]
    rest = reasons[REASONS_IN_DIAGRAM:]
    if rest:
        lines.append(context.texts("flow.others", n=count(sum(n for _, n in rest))))
    return lines


def _counted(context: Context, table: pd.DataFrame) -> list[tuple[str, int]]:
    reasons = table["reason"].map(lambda reason: context.data.masked(str(reason)))
    counts = reasons.value_counts()
    return sorted(
        ((str(k), int(v)) for k, v in counts.items()), key=lambda pair: (-pair[1], pair[0])
    )


def exclusions(context: Context, options: NoOptions) -> list[Flowable]:
    """All that was left out, counted by reason."""
    table = context.data.exclusions
    if table.empty:
        return [context.say("exclusions.none")]
    rows: list[Any] = []
    for stage, of_stage in table.groupby("stage", sort=False):
        rows.append(Subheading(context.texts.word("stages", str(stage))))
        for unit, of_unit in of_stage.groupby("unit", sort=False):
            unit_word = context.texts.word("units", str(unit))
            rows += [[unit_word, _reason(context, reason, str(unit), of_unit), count(n)]
                     for reason, n in _counted(context, of_unit)]  # fmt: skip
    columns = [
        Column(context.texts("exclusions.unit"), 90, numeric=False),
        Column(context.texts("exclusions.reason"), numeric=False),
        Column("n", 40),
    ]
    return data_table(context, context.caption("table", "exclusions.caption"), columns, rows)


def _reason(context: Context, reason: str, unit: str, table: pd.DataFrame) -> str:
    """Give the reason; a target, which is no person, is named with it."""
    if unit != "target":
        return reason
    known = set(context.data.targets["target"])
    named = table.loc[table["reason"].map(lambda r: context.data.masked(str(r))) == reason, "id"]
    targets = [str(each) for each in named if each in known]
    return f"{reason} ({', '.join(targets)})" if targets else reason


def participants(context: Context, options: NoOptions) -> list[Flowable]:
    """Describe the participants by every column that was given: mean and SD, or counts."""
    table = context.data.participants
    if table.empty:
        return [context.say("participants.none")]
    rows: list[Any] = []
    for name in table.columns.drop("participant"):
        values = table[name].replace("", None)
        if values.notna().any():
            rows += _described(context, context.texts.word("columns", str(name)), values)
    columns = [
        Column(context.texts("participants.what"), numeric=False),
        Column("n", 40),
        Column(context.texts("participants.value"), 130),
        Column(context.texts("participants.range"), 100),
    ]
    caption = context.caption("table", "participants.caption", n=count(len(table)))
    if not rows:
        return [context.say("participants.bare", n=count(len(table)))]
    return data_table(context, caption, columns, rows)


def _described(context: Context, name: str, values: pd.Series) -> list[Any]:
    numbers = pd.to_numeric(values, errors="coerce")
    missing = int(values.isna().sum())
    rows: list[Any] = []
    if numbers.notna().sum() == values.notna().sum():
        spread = f"{number(float(numbers.mean()), 1)} ({number(float(numbers.std()), 1)})"
        low, high = (
            number(end, digits_for(numbers.dropna())) for end in (numbers.min(), numbers.max())
        )
        ends = context.texts("words.range", low=low, high=high)
        label = context.texts("participants.mean_sd", name=name)
        rows.append([label, count(numbers.notna().sum()), spread, ends])
    else:
        counts = values.dropna().astype(str).value_counts()
        levels = sorted(counts.items(), key=lambda pair: (-int(pair[1]), str(pair[0])))
        for level, n in levels[:LEVELS_SHOWN]:
            rows.append([f"{name}: {level}", count(n), percent(n / len(values)), ""])
        if len(levels) > LEVELS_SHOWN:
            rest = sum(int(n) for _, n in levels[LEVELS_SHOWN:])
            others = context.texts(
                "participants.others", name=name, n=count(len(levels) - LEVELS_SHOWN)
            )
            rows.append([others, count(rest), percent(rest / len(values)), ""])
    if missing:
        rows.append([context.texts("participants.missing", name=name), count(missing),
                     percent(missing / len(values)), ""])  # fmt: skip
    return rows


def recordings(context: Context, options: NoOptions) -> list[Flowable]:
    """Describe the recordings: duration, size, frame rate, windows, faces."""
    table, windows = context.data.recordings, context.data.segments
    if table.empty:
        return [context.say("recordings.none")]
    visits = table.groupby("participant")["session"].nunique()
    described = [
        ("visits", visits, 1),
        ("duration_min", pd.to_numeric(table["duration_s"]) / 60, 2),
        ("height", pd.to_numeric(table["height"]), 0),
        ("fps_mean", pd.to_numeric(table["fps_mean"]), 2),
        ("windows_used", pd.to_numeric(windows["n_used"]), 0),
        ("windows_excluded", pd.to_numeric(windows["n_excluded"]), 0),
        ("face_fraction", pd.to_numeric(windows["face_fraction_mean"]), 2),
    ]
    rows = [
        _quartiles(context, f"measures.{key}", values, digits) for key, values, digits in described
    ]
    variable = int(table["variable_rate"].astype(str).str.lower().isin(["true", "1", "1.0"]).sum())
    columns = [
        Column(context.texts("recordings.what"), numeric=False),
        *(
            Column(context.texts(f"recordings.{key}"), 62)
            for key in ("n", "median", "quartiles", "range")
        ),
    ]
    columns[3:] = [Column(context.texts(f"recordings.{key}"), 92) for key in ("quartiles", "range")]
    caption = context.caption("table", "recordings.caption")
    note = context.say("recordings.variable", "note", n=count(variable), of=count(len(table)))
    return [*data_table(context, caption, columns, rows), note, Spacer(1, 6)]


def _quartiles(context: Context, key: str, values: pd.Series, digits: int) -> list[str]:
    known = values.dropna()
    if known.empty:
        return [context.texts(key), count(0), DASH, DASH, DASH]
    low, lower, middle, upper, high = (
        number(float(known.quantile(q)), digits) for q in (0, 0.25, 0.5, 0.75, 1)
    )
    both = [context.texts("words.range", low=a, high=b) for a, b in ((lower, upper), (low, high))]
    return [context.texts(key), count(len(known)), middle, *both]


def quality(context: Context, options: NoOptions) -> list[Flowable]:
    """Give each measure of quality, and how many recordings it warns of."""
    table = context.data.quality
    if table.empty:
        return [context.say("quality.none")]
    rows = []
    for (measure, unit), group in table.groupby(["measure", "unit"], sort=False, dropna=False):
        values = pd.to_numeric(group["value"], errors="coerce").dropna()
        middle, ends = DASH, DASH
        if len(values):
            digits = digits_for(values)
            middle = number(values.median(), digits)
            low, high = number(values.min(), digits), number(values.max(), digits)
            ends = context.texts("words.range", low=low, high=high)
        name = context.texts.word("measures", str(measure))
        shown = f"{name} ({unit})" if unit and unit == unit else name
        warned = group.loc[group["flag"] == "warn", "recording"].nunique()
        known = group.loc[values.index, "recording"].nunique()
        rows.append([shown, count(known), middle, ends, count(warned)])
    columns = [
        Column(context.texts("quality.measure"), numeric=False),
        Column(context.texts("recordings.n"), 62),
        Column(context.texts("recordings.median"), 62),
        Column(context.texts("recordings.range"), 110),
        Column(context.texts("quality.warned"), 62),
    ]
    caption = context.caption("table", "quality.caption")
    return [*data_table(context, caption, columns, rows), *_warnings(context)]


def _warnings(context: Context) -> list[Flowable]:
    table = context.data.quality
    notes = table.loc[
        (table["flag"] == "warn") & table["note"].notna() & (table["note"] != ""), "note"
    ]
    found = notes.map(lambda note: context.data.masked(str(note))).value_counts()
    if found.empty:
        return []
    listed = "; ".join(f"{note} ({count(n)})" for note, n in sorted(found.items()))
    return [context.say("quality.warnings", "note", listed=listed), Spacer(1, 6)]


def raters(context: Context, options: NoOptions) -> list[Flowable]:
    """How much each rater rated."""
    table = context.data.raters
    if table.empty:
        return [context.say("raters.none")]
    named = {str(row["rater"]): row for row in table.to_dict("records")}
    rows = [
        [context.texts("words.rater", letter=letter), count(named[name]["n_visits"]),
         count(named[name]["n_items_missing"])]
        for name, letter in context.data.rater_names.items()
        if name in named
    ]  # fmt: skip
    columns = [
        Column(context.texts("raters.rater"), numeric=False),
        Column(context.texts("raters.visits"), 100),
        Column(context.texts("raters.missing"), 100),
    ]
    return data_table(context, context.caption("table", "raters.caption"), columns, rows)
