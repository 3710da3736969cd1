"""How blocks show the tables of `questions`: a row of estimates, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether

from emoclip_clinic.report.context import Context, Selection
from emoclip_clinic.report.evidence import Estimate, from_row
from emoclip_clinic.report.numbers import count, scale_digits
from emoclip_clinic.report.questions import QUESTIONS
from emoclip_clinic.report.tables import Column, Notes

__all__ = [
    "Named",
    "absent",
    "by_statistic",
    "columns_of",
    "digits_of",
    "introduced",
    "of_targets",
    "one_line",
    "points_digits",
    "row_of",
    "undefined",
]

# statistics in points of the scale, by the beginning of their names
IN_POINTS = ("SEM", "SDC", "bias", "LoA", "MAE", "RMSE", "mae", "rmse", "leniency", "drift")


# what one rater alone cannot have
AMONG_RATERS = ("reliability", "rater_diagnostics", "rater_pairs", "equivalence")


@dataclass(frozen=True)
class Named(Selection):
    """Which targets are shown: the primary ones, and those that are named."""

    kinds: tuple[str, ...] = ()
    """None, unless the template says otherwise."""


def absent(context: Context, name: str) -> list[Flowable]:
    """Say in a sentence that the study has not the table, once."""
    if name in context.said:
        return []
    context.said.add(name)
    stage = QUESTIONS[name].stage
    key = "cohort" if stage == "fit" and context.data.cohort else stage
    if name in AMONG_RATERS and len(context.data.rater_names) < 2:
        key = "one_rater"
    about = context.texts.word("absent.tables", name)
    return [context.say(f"absent.{key}", about=about, scale=context.data.scale)]


def introduced(
    context: Context, intro: Sequence[Flowable], table: Sequence[Flowable]
) -> list[Flowable]:
    """Keep what introduces a table on the page where the table begins."""
    first, *rest = table
    if isinstance(first, KeepTogether):
        return [KeepTogether([*intro, *first._content]), *rest]
    if isinstance(first, CondPageBreak):
        width, height = context.page.text_width, context.frame_height
        above = sum(each.wrap(width, height)[1] + each.getSpaceAfter() for each in intro)
        return [CondPageBreak(first.height + above), *intro, *rest]
    return [*intro, *table]


def one_line(words: str) -> str:
    """Give the head of a column as the name of a row."""
    return words.replace("-\n", "").replace("\n", " ")


def undefined(context: Context, name: str, table: pd.DataFrame) -> list[Flowable]:
    """Say in a sentence why nothing of a table is defined, in place of a page of dashes."""
    if len(context.data.rater_names) < 2:
        return absent(context, name)
    if name in context.said:
        return []
    context.said.add(name)
    reason = from_row(context.data, table.iloc[0].to_dict()).note
    about = context.texts.word("absent.tables", name)
    return [context.say("absent.undefined", about=about, reason=reason)]


def points_digits(context: Context, target: str) -> int:
    """Decimals for points on the target's scale."""
    row = context.data.targets[context.data.targets["target"] == target].iloc[0]
    return scale_digits(float(row["minimum"]), float(row["maximum"]))


def digits_of(context: Context, target: str, statistic: str) -> int:
    """Decimals of a statistic of a target: points of the scale, or two."""
    return points_digits(context, target) if statistic.startswith(IN_POINTS) else 2


def of_targets(table: pd.DataFrame, targets: Iterable[str]) -> dict[str, list[dict[Any, Any]]]:
    """Give the rows of each of the targets that has some, in the order given."""
    rows: dict[str, list[dict[Any, Any]]] = {}
    for row in table.to_dict("records"):
        rows.setdefault(str(row["target"]), []).append(row)
    return {target: rows[target] for target in targets if target in rows}


def by_statistic(context: Context, rows: Iterable[Mapping[Any, Any]]) -> dict[str, Estimate]:
    """Give the estimate of each statistic that the rows hold; the first of a name counts."""
    found: dict[str, Estimate] = {}
    for row in rows:
        found.setdefault(str(row["statistic"]), from_row(context.data, row))
    return found


def row_of(
    context: Context,
    target: str,
    label: str,
    found: Mapping[str, Estimate],
    statistics: Sequence[str],
    notes: Notes,
) -> list[Any]:
    """Make a row: label, the largest n, and the statistics stacked; blank where not estimated."""
    sizes = [each.n for each in found.values() if each.n == each.n]
    cells = [
        notes.stacked(found[name], digits_of(context, target, name)) if name in found else ""
        for name in statistics
    ]
    return [label, count(max(sizes, default=0)), *cells]


def columns_of(
    context: Context, first: str, statistics: Sequence[str], width: float = 66
) -> list[Column]:
    """Make the columns of `row_of`'s rows."""
    return [
        Column(first, numeric=False),
        Column("n", 26),
        *(Column(context.texts.word("statistics", name), width) for name in statistics),
    ]
