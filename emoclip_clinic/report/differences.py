"""Bias and limits of agreement of model and consensus, in the form that fits the cohort."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emoclip_clinic.report.data import ReportData
from emoclip_clinic.report.evidence import Estimate, from_row, overall

__all__ = ["Limits", "limits_of"]

# with several visits of a participant the exact intervals would be too short
FORMS = ("repeated measures", "exact")
PROPORTIONAL = "proportional bias"
UNKNOWN = Estimate()
NAMES = ("bias", "LoA lower", "LoA upper")


@dataclass(frozen=True)
class Limits:
    """Differences of model less consensus, in points."""

    bias: Estimate = UNKNOWN
    """Their mean."""
    lower: Estimate = UNKNOWN
    """Lower limit of agreement."""
    upper: Estimate = UNKNOWN
    """Upper limit of agreement."""
    form: str = ""
    """Of limits.csv; empty: those of the agreement table."""
    line: tuple[float, float] | None = None
    """Intercept and slope of the differences on the means; None: not estimated."""


def limits_of(data: ReportData, target: str) -> Limits:
    """Give the limits for repeated measures, the exact ones, or those of the agreement table."""
    forms = _forms(data, target)
    line = _line(forms.get(PROPORTIONAL, {}))
    for form in FORMS:
        rows = forms.get(form, {})
        found = [from_row(data, rows[name]) for name in NAMES if name in rows]
        if len(found) == len(NAMES) and all(each.defined for each in found):
            return Limits(found[0], found[1], found[2], form, line)
    found = [overall(data, target, "model-consensus", name) for name in NAMES]
    return Limits(found[0], found[1], found[2], line=line)


def _forms(data: ReportData, target: str) -> Mapping[str, Mapping[str, dict[Any, Any]]]:
    table = data.table("limits")
    own = table[
        (table["target"] == target)
        & (table["rater_a"] == "model")
        & (table["rater_b"] == "consensus")
    ]
    found: dict[str, dict[str, dict[Any, Any]]] = {}
    for row in own.to_dict("records"):
        found.setdefault(str(row["form"]), {})[str(row["statistic"])] = row
    return found


def _line(rows: Mapping[str, dict[Any, Any]]) -> tuple[float, float] | None:
    ends = [float(rows[name]["value"]) for name in ("intercept", "slope") if name in rows]
    return (ends[0], ends[1]) if len(ends) == 2 and all(map(math.isfinite, ends)) else None
