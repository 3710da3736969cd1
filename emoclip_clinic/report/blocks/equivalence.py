"""Is the model as good as another clinician: the tests of it, by group and of change."""

from __future__ import annotations

from typing import Any

from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import (
    Named,
    absent,
    by_statistic,
    columns_of,
    introduced,
    of_targets,
    row_of,
)
from emoclip_clinic.report.context import Context
from emoclip_clinic.report.evidence import from_row
from emoclip_clinic.report.numbers import count, number, p_value
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
        rows.append(Subheading(_heading(context, target, own)))
        for row in own:
            each = from_row(context.data, row)
            name = context.texts.word("statistics", str(row["statistic"])).replace("\n", " ")
            cells = [name, count(each.n), notes.stacked(each)]
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


def _heading(context: Context, target: str, rows: list[dict[Any, Any]]) -> str:
    label, role = context.data.label(target), str(rows[0]["role"])
    margins = [row["margin"] for row in rows if row["margin"] == row["margin"]]
    role = context.texts.word("equivalence.roles", role)
    if not margins:
        return context.texts("equivalence.heading", target=label, role=role)
    margin = number(float(margins[0]), 2)
    return context.texts("equivalence.heading_margin", target=label, role=role, margin=margin)


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
            rows.append(
                row_of(context, target, name, by_statistic(context, mine), statistics, notes)
            )
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
            name = context.texts.word("limits_table.forms", form)
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
