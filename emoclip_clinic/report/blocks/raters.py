"""The raters one by one: lenient or strict, wide or narrow, steady or drifting; and their pairs."""

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
    undefined,
)
from emoclip_clinic.report.context import Context
from emoclip_clinic.report.numbers import pair_name
from emoclip_clinic.report.tables import Notes, Subheading, data_table

__all__ = ["rater_diagnostics", "rater_pairs"]

ACROSS = 5
PREFERRED = (
    "within 1 point", "kappa (quadratic)", "raw agreement", "AC1", "kappa",
    "Spearman", "RMSE",
)  # fmt: skip


def rater_diagnostics(context: Context, options: Named) -> list[Flowable]:
    """Leniency, spread and drift of each rater on the primary targets."""
    table = context.data.table("rater_diagnostics")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "rater_diagnostics")
    if table["value"].isna().all():
        return undefined(context, "rater_diagnostics", table)
    statistics = [str(name) for name in table["statistic"].unique()][:ACROSS]
    notes = Notes()
    rows: list[Any] = []
    for target, own in found.items():
        rows.append(Subheading(context.data.label(target)))
        for rater, letter in context.data.rater_names.items():
            mine = [row for row in own if str(row["rater"]) == rater]
            if mine:
                label = context.texts("words.rater", letter=letter)
                estimates = by_statistic(context, mine)
                rows.append(row_of(context, target, label, estimates, statistics, notes))
    columns = columns_of(context, context.texts("raters.rater"), statistics, 76)
    caption = context.caption("table", "rater_diagnostics.caption")
    intro = [context.say("rater_diagnostics.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def rater_pairs(context: Context, options: Named) -> list[Flowable]:
    """How far each pair of raters agrees on the primary targets; pairs that share no visit too."""
    table = context.data.table("rater_pairs")
    found = of_targets(table, context.select(options))
    if not found:
        return absent(context, "rater_pairs")
    known = set(table["statistic"])
    statistics = [name for name in PREFERRED if name in known][:ACROSS]
    if not statistics:
        return _without_common(context) or absent(context, "rater_pairs")
    notes = Notes()
    rows: list[Any] = []
    for target, own in found.items():
        rows.append(Subheading(context.data.label(target)))
        pairs: dict[str, list[Any]] = {}
        for row in own:
            pairs.setdefault(_pair(context, row), []).append(row)
        for pair in sorted(pairs, key=lambda name: (len(name), name)):
            estimates = by_statistic(context, pairs[pair])
            rows.append(row_of(context, target, pair, estimates, statistics, notes))
    columns = columns_of(context, context.texts("words.pair"), statistics, 68)
    caption = context.caption("table", "rater_pairs.caption")
    intro = [context.say("rater_pairs.intro"), *_without_common(context)]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _pair(context: Context, row: dict[Any, Any]) -> str:
    names = context.data.rater_names
    first, second = str(row["rater_a"]), str(row["rater_b"])
    return pair_name(names.get(first, first), names.get(second, second))


def _without_common(context: Context) -> list[Flowable]:
    """Name the pairs that rated nothing in common, on any target."""
    table = context.data.table("rater_pairs")
    shared = table.groupby(["rater_a", "rater_b"], sort=False)["n_subjects"].max().reset_index()
    alone = [_pair(context, row) for row in shared[shared["n_subjects"] == 0].to_dict("records")]
    if not alone:
        return []
    listed = ", ".join(sorted(alone, key=lambda name: (len(name), name)))
    return [context.say("rater_pairs.alone", pairs=listed)]
