"""What the agreement table says about a target, and the words that its intervals allow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from emoclip_clinic.report.data import ReportData

__all__ = [
    "ICC",
    "PAIR",
    "Estimate",
    "estimates",
    "judge",
    "koo_li",
    "overall",
    "pair_name",
    "pairs",
    "performance",
]

ICC = "ICC(A,1)"
PAIR = " and "
# Koo and Li 2016: below 0.5 poor, to 0.75 moderate, to 0.9 good, above excellent
GRADES = ((0.5, "poor"), (0.75, "moderate"), (0.9, "good"), (math.inf, "excellent"))


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval."""

    value: float = math.nan
    """The estimate; NaN where it is undefined."""
    low: float = math.nan
    """Lower end of the interval."""
    high: float = math.nan
    """Upper end of the interval."""
    n: float = math.nan
    """Visits it rests on."""
    note: str = ""
    """Why it is undefined, or what to know about it."""
    who: str = ""
    """The pair ("A and B", "Model and A"), or "" for all together."""

    @property
    def defined(self) -> bool:
        """Whether there is an estimate with an interval on both sides."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))


def estimates(data: ReportData, target: str, comparison: str, statistic: str) -> list[Estimate]:
    """All estimates of a statistic: that of all raters together, or one a pair where there is none.

    Of the same comparison there may be a row for all raters together and a row for each pair; the
    first is then returned alone.
    """
    rows = _rows(data, target, comparison, statistic)
    together = rows[rows["rater_a"] == "all"]
    return [
        _estimate(data, row) for row in (together if len(together) else rows).to_dict("records")
    ]


def pairs(data: ReportData, target: str, comparison: str, statistic: str) -> list[Estimate]:
    """The estimates of a statistic for each pair, in the order of the raters' letters."""
    rows = _rows(data, target, comparison, statistic)
    found = [_estimate(data, row) for row in rows[rows["rater_a"] != "all"].to_dict("records")]
    return sorted(found, key=lambda estimate: (len(estimate.who), estimate.who))


def overall(data: ReportData, target: str, comparison: str, statistic: str = ICC) -> Estimate:
    """Give the one estimate of a comparison.

    Where a comparison has only pairs, their mean stands for it; it has no interval, and `note`
    says that it is a mean.
    """
    found = estimates(data, target, comparison, statistic)
    if len(found) == 1:
        return found[0]
    values = [each.value for each in found if math.isfinite(each.value)]
    if not values:
        notes = sorted({each.note for each in found if each.note})
        return Estimate(note="; ".join(notes) or "not estimated")
    sizes = [each.n for each in found if math.isfinite(each.value)]
    return Estimate(value=sum(values) / len(values), n=min(sizes), note="mean of the pairs")


def performance(data: ReportData, target: str, metric: str, model: str = "ridge") -> Estimate:
    """Give the out-of-fold performance of a target."""
    table = data.performance
    rows = table[
        (table["target"] == target) & (table["metric"] == metric) & (table["model"] == model)
    ]
    if rows.empty:
        return Estimate(note="not estimated")
    row = rows.iloc[0]
    return Estimate(
        *(_float(row[name]) for name in ("value", "ci_low", "ci_high", "n_recordings")),
        note=data.masked(_text(row["note"])),
    )


def pair_name(first: str, second: str) -> str:
    """Name a pair as tables do: "A and B", "Model and A"; the model stands first."""
    return " and ".join(
        name.capitalize() if name == "model" else name for name in (first, second) if name
    )


def judge(clinicians: Estimate, model: list[Estimate]) -> str:
    """Say which sentence the intervals allow: a key of the texts' [verdict].

    Parameters
    ----------
    clinicians
        Agreement of the clinicians among themselves.
    model
        Agreement of the model with the clinicians, once or for each of them.

    Returns
    -------
    str
        "lower" and "higher" need intervals that do not touch (with every clinician); "open" is all
        the rest, for overlapping intervals neither show a difference nor rule one out.
        "no_ceiling" and "undefined" say what could not be estimated.
    """
    defined = [each for each in model if each.defined]
    if not defined or len(defined) < len(model):
        return "undefined"
    if not clinicians.defined:
        return "no_ceiling"
    if all(each.high < clinicians.low for each in defined):
        return "lower"
    if all(each.low > clinicians.high for each in defined):
        return "higher"
    return "open"


def koo_li(estimate: Estimate) -> tuple[str, str]:
    """Grade of both ends of an ICC's interval, after Koo and Li (2016): ("moderate", "good")."""
    low, high = (
        next(word for top, word in GRADES if end < top) for end in (estimate.low, estimate.high)
    )
    return low, high


def _rows(data: ReportData, target: str, comparison: str, statistic: str) -> pd.DataFrame:
    indices = data.agreement_index.get((target, comparison, statistic), [])
    return data.agreement.iloc[indices]


def _estimate(data: ReportData, row: dict[Any, Any]) -> Estimate:
    return Estimate(
        *(_float(row[name]) for name in ("value", "ci_low", "ci_high", "n_subjects")),
        note=_reason(data, _text(row["note"])),
        who=_who(data, row),
    )


def _reason(data: ReportData, note: str) -> str:
    # what was subtracted from what is said once, above the table
    parts = [part for part in note.split("; ") if " minus " not in part]
    return data.masked("; ".join(part for part in parts if part))


def _who(data: ReportData, row: dict[Any, Any]) -> str:
    first, second = _text(row["rater_a"]), _text(row["rater_b"])
    if first == "all":
        return ""
    return pair_name(data.rater_names.get(first, first), data.rater_names.get(second, second))


def _float(value: Any) -> float:
    return float(value) if pd.notna(value) else math.nan


def _text(value: Any) -> str:
    return str(value) if pd.notna(value) else ""
