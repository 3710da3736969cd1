"""Is the model as good as another clinician: the tests of it, by group and of change."""

from __future__ import annotations

import math
from typing import Any

from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import (
    Named,
    absent,
    by_statistic,
    columns_of,
    introduced,
    of_targets,
    one_line,
    row_of,
)
from emoclip_clinic.report.context import Context
from emoclip_clinic.report.evidence import from_row
from emoclip_clinic.report.numbers import DASH, count, number, p_value
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table

__all__ = ["agreement_by_group", "agreement_of_change", "equivalence", "limits_table"]

ACROSS = 4
LIMITS = ("bias", "LoA lower", "LoA upper")


def equivalence(context: Context, options: Named) -> list[Flowable]:
    """Everything that sets the model beside the clinicians, a row a statistic."""
    table = context.data.table("equivalence")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "equivalence")
    tested = bool("p" in table and table["p"].notna().any())
    notes = Notes()
    rows: list[Any] = []
    for target, own in found.items():
        role = context.texts.word("equivalence.roles", str(own[0]["role"]))
        heading = context.texts("equivalence.heading", target=context.data.label(target), role=role)
        rows.append(Subheading(heading))
        for row in own:
            each = from_row(context.data, row)
            cells = [_named(context, row), count(each.n), notes.stacked(each)]
            rows.append([*cells, *[_p(row, key) for key in ("p", "p_corrected")] * tested])
    columns = [
        Column(context.texts("equivalence.statistic"), numeric=False),
        Column("n", 30),
        Column(context.texts("equivalence.value"), 90),
        *[Column("p", 50), Column(context.texts("equivalence.corrected"), 60)] * tested,
    ]
    caption = context.caption("table", "equivalence.caption")
    intro = [context.say("equivalence.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _named(context: Context, row: dict[Any, Any]) -> str:
    """Name a statistic, with the margin that was set for it."""
    name = one_line(context.texts.word("statistics", str(row["statistic"])))
    if row["margin"] != row["margin"]:
        return name
    return context.texts("equivalence.with_margin", name=name, margin=number(row["margin"], 2))


def _p(row: dict[Any, Any], key: str) -> str:
    p = row.get(key)
    return "" if p is None or p != p else p_value(p).removeprefix("p ").removeprefix("= ")


def agreement_by_group(context: Context, options: Named) -> list[Flowable]:
    """Agreement by site, visit, sex and what else there is, for the primary targets."""
    table = context.data.table("groups")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "groups")
    statistics = [str(name) for name in table["statistic"].unique()][:ACROSS]
    notes = Notes()
    rows: list[Any] = []
    for target, own in found.items():
        rows.append(Subheading(context.data.label(target)))
        for label, mine in _grouped(own, "group", "level").items():
            column = context.texts.word("columns", label[0])
            name = f"{column}: {context.data.masked(label[1])}"
            estimates = by_statistic(context, mine)
            row = row_of(context, target, name, estimates, statistics, notes)
            if not any(math.isfinite(each.value) for each in estimates.values()):
                # how small a hidden group is stays hidden
                row[1] = DASH
            rows.append(row)
    columns = columns_of(context, context.texts("subgroups.group"), statistics, 82)
    caption = context.caption("table", "groups.caption")
    intro = [context.say("groups.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def agreement_of_change(context: Context, options: Named) -> list[Flowable]:
    """Agreement of the change between visits, for the primary targets."""
    table = context.data.table("rated_change")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "rated_change")
    statistics = [str(name) for name in table["statistic"].unique()][:ACROSS]
    notes = Notes()
    rows = [
        row_of(
            context, target, context.data.label(target), by_statistic(context, own), statistics,
            notes,
        )
        for target, own in found.items()
    ]  # fmt: skip
    columns = columns_of(context, context.texts("words.target"), statistics, 76)
    caption = context.caption("table", "change.caption")
    intro = [context.say("change.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def limits_table(context: Context, options: Named) -> list[Flowable]:
    """Bias and limits of agreement of model and consensus, in every form, for primary targets."""
    table = context.data.table("limits")
    own = table[(table["rater_a"] == "model") & (table["rater_b"] == "consensus")]
    found = of_targets(own, context.select(options))
    if not found:
        return absent(context, "limits")
    notes = Notes()
    rows: list[Any] = []
    for target, mine in found.items():
        rows.append(Subheading(context.data.label(target)))
        for (form,), of_form in _grouped(mine, "form").items():
            estimates = by_statistic(context, of_form)
            note = next((each.note for each in estimates.values() if each.defined), "")
            name = context.texts.word("limits_table.forms", form) + notes.mark(note)
            if set(LIMITS) & set(estimates):
                rows.append(row_of(context, target, name, estimates, LIMITS, notes))
    columns = columns_of(context, context.texts("limits_table.form"), LIMITS, 92)
    caption = context.caption("table", "limits_table.caption")
    intro = [context.say("limits_table.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _grouped(rows: list[dict[Any, Any]], *keys: str) -> dict[tuple[str, ...], list[dict[Any, Any]]]:
    found: dict[tuple[str, ...], list[dict[Any, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(_text(row[key]) for key in keys), []).append(row)
    return found


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)
