"""Agreement: clinicians with each other and the model with them, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reportlab.platypus import Flowable

from emoclip_clinic.report.asked import introduced, points_digits
from emoclip_clinic.report.context import Context, Selection
from emoclip_clinic.report.evidence import (
    ICC,
    PAIR,
    Estimate,
    estimates,
    overall,
    pairs,
)
from emoclip_clinic.report.figures import Group, forest
from emoclip_clinic.report.numbers import count, pair_name
from emoclip_clinic.report.tables import Column, Notes, Subheading, data_table
from emoclip_clinic.report.vector import FigureFlowable
from emoclip_clinic.report.versus import versus

__all__ = ["AllTargets", "by_kind", "forest_plot", "pairs_table", "side_by_side"]

COMPARISONS = (
    "rater-rater",
    "model-rater",
    "rater-consensus",
    "model-loo-consensus",
    "model-consensus",
)
# with more raters, their mean and range stand in the table of agreement
RATERS_ACROSS = 4
PAIR_STATISTICS = (ICC, "CCC", "bias", "LoA lower", "LoA upper")


@dataclass(frozen=True)
class AllTargets(Selection):
    """Which targets are shown; all of them unless the template says otherwise."""

    kinds: tuple[str, ...] = ("total", "subscale", "item")


def by_kind(context: Context, targets: list[str]) -> Iterator[tuple[str, str]]:
    """Give each target with the heading of its kind where a new kind begins, "" elsewhere."""
    kinds = dict(context.data.targets[["target", "kind"]].itertuples(index=False, name=None))
    previous = ""
    for target in targets:
        kind = "primary" if target in context.data.primary_targets else str(kinds[target])
        yield target, context.texts.word("kinds", kind) if kind != previous else ""
        previous = kind


def side_by_side(context: Context, options: AllTargets) -> list[Flowable]:
    """Give ICC(A,1) of the clinicians together, the model with each, and with their consensus."""
    data, words = context.data, context.texts
    if data.agreement.empty:
        return [context.say("agreement.none")]
    raters = list(data.rater_names.values())
    each = len(raters) <= RATERS_ACROSS
    notes = Notes()
    rows: list[Any] = []
    for target, heading in by_kind(context, context.select(options)):
        if heading:
            rows.append(Subheading(heading))
        rows.append([data.label(target), *_target_cells(context, target, notes, each)])
    width = 57 if len(raters) == RATERS_ACROSS else 66
    names = [words("agreement.model_with", letter=letter) for letter in raters]
    columns = [
        Column(words("words.target"), numeric=False),
        Column("n", 26),
        Column(words("agreement.clinicians"), width),
        *(Column(name, width) for name in (names if each else [words("agreement.model_mean")])),
        Column(words("agreement.consensus"), width),
    ]
    caption = context.caption("table", "agreement.caption" if each else "agreement.caption_mean")
    intro = [context.say("agreement.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _target_cells(context: Context, target: str, notes: Notes, each: bool) -> list[Any]:
    data = context.data
    clinicians = overall(data, target, "rater-rater")
    consensus = overall(data, target, "model-consensus")
    by_rater = {found.who: found for found in pairs(data, target, "model-rater", ICC)}
    if each:
        blank = Estimate(note="not estimated")
        names = [pair_name("model", letter) for letter in data.rater_names.values()]
        model = [notes.stacked(by_rater.get(name, blank)) for name in names]
    else:
        model = [notes.stacked(_mean_and_range(list(by_rater.values())))]
    sizes = [found.n for found in (clinicians, consensus, *by_rater.values()) if found.n == found.n]
    return [
        count(max(sizes, default=0)),
        notes.stacked(clinicians),
        *model,
        notes.stacked(consensus),
    ]


def _mean_and_range(found: list[Estimate]) -> Estimate:
    values = [each.value for each in found if math.isfinite(each.value)]
    if not values:
        return Estimate(note="not estimated")
    return Estimate(sum(values) / len(values), min(values), max(values))


def forest_plot(context: Context, options: AllTargets) -> list[Flowable]:
    """ICC(A,1) with intervals, a row a target."""
    data = context.data
    groups = []
    for target in context.select(options):
        found = versus(data, target)
        groups.append(Group(data.label(target), [found.clinicians], found.model))
    if not any(each.defined for group in groups for each in [*group.clinicians, *group.model]):
        return [context.say("forest.none")]
    legend = context.texts("words.clinicians"), context.texts("words.model")
    each = any(len(group.model) > 1 for group in groups)
    key = "forest.caption" if each else "forest_mean.caption"
    # two on a page: what goes to the next page leaves no more than a half of this one empty
    height = context.frame_height / 2 - 40
    figures = forest(groups, context.page.text_width, height, legend, context.texts("forest.axis"))
    return context.figures([FigureFlowable(figure) for figure in figures], key)


def pairs_table(context: Context, options: Selection) -> list[Flowable]:
    """Every pair of raters, and the model with each, with all statistics."""
    data = context.data
    notes = Notes()
    rows: list[Any] = []
    for target in context.select(options):
        found = [row for name in COMPARISONS for row in _pair_rows(context, target, name, notes)]
        if found:
            rows += [Subheading(data.label(target)), *found]
    if not rows:
        return [context.say("pairs.none")]
    columns = [
        Column(context.texts("words.pair"), numeric=False),
        Column("n", 24),
        *(Column(context.texts.word("statistics", name), 70) for name in PAIR_STATISTICS),
    ]
    caption = context.caption("table", "pairs.caption")
    intro = [context.say("pairs.intro")]
    return introduced(context, intro, data_table(context, caption, columns, rows, notes))


def _pair_rows(context: Context, target: str, comparison: str, notes: Notes) -> list[list[Any]]:
    """Statistics of a comparison, a row a pair and one for all raters where there is such."""
    found: dict[str, dict[str, Estimate]] = {}
    for statistic in PAIR_STATISTICS:
        together = [
            each for each in estimates(context.data, target, comparison, statistic) if not each.who
        ]
        for each in [*together, *pairs(context.data, target, comparison, statistic)]:
            found.setdefault(each.who, {})[statistic] = each
    digits = points_digits(context, target)
    rows = []
    for who, values in found.items():
        name = _row_name(context, comparison, who)
        size = max(each.n for each in values.values())
        cells = [
            notes.stacked(values[key], 2 if key in (ICC, "CCC") else digits)
            if key in values
            else ""
            for key in PAIR_STATISTICS
        ]
        rows.append([name, count(size), *cells])
    return rows


def _row_name(context: Context, comparison: str, who: str) -> str:
    first, _, second = who.partition(PAIR)
    if comparison == "model-loo-consensus":
        return context.texts("pairs.model_loo", letter=second)
    if comparison == "rater-consensus":
        return context.texts("pairs.rater_loo", letter=first)
    return who or context.texts("pairs.all")
