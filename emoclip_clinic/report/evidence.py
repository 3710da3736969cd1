"""What the agreement table says about a target, and the words that its intervals allow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from emoclip_clinic.report.data import ReportData
from emoclip_clinic.report.numbers import pair_name

__all__ = [
    "ICC",
    "PAIR",
    "Estimate",
    "estimates",
    "from_row",
    "judge",
    "koo_li",
    "overall",
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
    rows = data.agreement_rows.get((target, comparison, statistic), [])
    together = [row for row in rows if row["rater_a"] == "all"]
    return [_compared(data, row) for row in together or rows]


def pairs(data: ReportData, target: str, comparison: str, statistic: str) -> list[Estimate]:
    """Give the estimates of a statistic for each pair, in the order of the raters' letters."""
    rows = data.agreement_rows.get((target, comparison, statistic), [])
    found = [_compared(data, row) for row in rows if row["rater_a"] != "all"]
    return sorted(found, key=lambda estimate: (len(estimate.who), estimate.who))


def overall(data: ReportData, target: str, comparison: str, statistic: str = ICC) -> Estimate:
    """Give the one estimate of a comparison; where there is none, or one a pair, an unknown one."""
    found = estimates(data, target, comparison, statistic)
    return found[0] if len(found) == 1 else Estimate(note="not estimated")


def performance(data: ReportData, target: str, metric: str, model: str = "") -> Estimate:
    """Give the out-of-fold performance of a target, of the reported model unless one is named."""
    rows = data.performance_rows.get((target, metric, model or data.model), [])
    if not rows:
        return Estimate(note="not estimated")
    return _estimate(rows[0], "n_recordings", data.masked(_text(rows[0]["note"])))


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


def from_row(data: ReportData, row: Mapping[Any, Any], size: str = "n_subjects") -> Estimate:
    """Give the estimate of a row of any table that has value, ci_low, ci_high and note."""
    return _estimate(row, size, _reason(data, _text(row.get("note", ""))))


def _estimate(row: Mapping[Any, Any], size: str, note: str, who: str = "") -> Estimate:
    value, low, high, n = (_float(row[name]) for name in ("value", "ci_low", "ci_high", size))
    return Estimate(value, low, high, n, note, who)


def _compared(data: ReportData, row: dict[Any, Any]) -> Estimate:
    return _estimate(row, "n_subjects", _reason(data, _text(row["note"])), _who(data, row))


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
