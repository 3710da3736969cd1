"""Reliability among the raters: the six ICC forms, error in points, and agreement of categories."""

from __future__ import annotations

from dataclasses import dataclass
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
    undefined,
)
from emoclip_clinic.report.blocks.agreement import AllTargets, by_kind
from emoclip_clinic.report.context import Context, Selection
from emoclip_clinic.report.numbers import count
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table

__all__ = ["Categories", "categories", "icc_forms", "reliability"]

FORMS = ("ICC(1,1)", "ICC(1,k)", "ICC(A,1)", "ICC(A,k)", "ICC(C,1)", "ICC(C,k)")
MIXED = ("ICC(A,1) mixed", "ICC(C,1) mixed")
SHOWN = ("ICC(A,1)", "ICC(A,1) mixed", "ICC(A,k)", "SEM (agreement)", "SDC (agreement)")
KAPPAS = ("Cohen's kappa", "Fleiss' kappa")
CATEGORIES = (
    *("raw agreement", "within 1 point", *KAPPAS, "AC1", "AC2 (quadratic)", "alpha (ordinal)"),
)


@dataclass(frozen=True)
class Categories(Selection):
    """Which targets are shown; the items unless the template says otherwise."""

    kinds: tuple[str, ...] = ("item",)


def icc_forms(context: Context, options: Named) -> list[Flowable]:
    """All six forms by both names, for the primary targets and those that are named."""
    table = context.data.table("reliability")
    found = of_targets(table[table["statistic"].isin([*FORMS, *MIXED])], context.select(options))
    if not found:
        return absent(context, "reliability") if table.empty else []
    if table["value"].isna().all():
        return undefined(context, "reliability", table)
    notes = Notes()
    rows: list[Any] = []
    for target, own in found.items():
        estimates = by_statistic(context, own)
        rows.append(Subheading(context.data.label(target)))
        for form in (*FORMS, *MIXED):
            if form in estimates:
                words = context.texts.table(f"icc_forms.forms.{form}")
                each = estimates[form]
                rows.append([words["name"], words["shrout_fleiss"], words["asks"],
                             count(each.n), notes.stacked(each)])  # fmt: skip
    columns = [
        Column(context.texts("icc_forms.name"), 84, numeric=False),
        Column(context.texts("icc_forms.shrout_fleiss"), 70, numeric=False),
        Column(context.texts("icc_forms.asks"), numeric=False),
        Column("n", 26),
        Column("ICC", 66),
    ]
    caption = context.caption("table", "icc_forms.caption")
    intro = [context.say("icc_forms.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def reliability(context: Context, options: AllTargets) -> list[Flowable]:
    """ICC of single ratings and of the mean, and the error of a rating in points."""
    return _table(context, options, SHOWN, "reliability")


def categories(context: Context, options: Categories) -> list[Flowable]:
    """Raw agreement beside the coefficients that allow for chance, for ordered categories."""
    return _table(context, options, CATEGORIES, "categories")


def _table(
    context: Context, options: Selection, statistics: tuple[str, ...], key: str
) -> list[Flowable]:
    table = context.data.table("reliability")
    own = table[table["statistic"].isin(statistics)]
    if own.empty:
        return absent(context, "reliability") if table.empty else []
    if own["value"].isna().all():
        return undefined(context, "reliability", own)
    shown = _estimated(own, statistics)
    found = of_targets(own, context.select(options))
    notes = Notes()
    rows: list[Any] = []
    for target, heading in by_kind(context, list(found)):
        if heading:
            rows.append(Subheading(heading))
        estimates = by_statistic(context, found[target])
        rows.append(row_of(context, target, context.data.label(target), estimates, shown, notes))
    columns = columns_of(context, context.texts("words.target"), shown, 60)
    caption = context.caption("table", f"{key}.caption")
    intro = [context.say(f"{key}.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _estimated(table: Any, statistics: tuple[str, ...]) -> list[str]:
    """Keep the statistics that were asked for of some target."""
    known = set(table["statistic"])
    return [name for name in statistics if name in known]
