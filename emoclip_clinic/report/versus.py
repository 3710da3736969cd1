"""What the tables say of the model beside the clinicians, and the sentence that it allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from emoclip_clinic.report.data import ReportData
from emoclip_clinic.report.evidence import Estimate, estimates, from_row, judge, overall

__all__ = ["Skill", "Versus", "skill", "skilled", "versus"]

# statistics of equivalence.csv
CLINICIANS = "rater-rater ICC(A,1)"
MODEL = "model-rater ICC(A,1)"
DIFFERENCE = "difference of ICC(A,1)"
ALPHA = 0.05
UNKNOWN = Estimate()


@dataclass(frozen=True)
class Versus:
    """The model beside the clinicians on a target."""

    verdict: str
    """A key of the texts' [verdict]: noninferior, inferior, unsettled, where a margin was set
    beforehand; else lower, higher, open, no_ceiling or undefined."""
    clinicians: Estimate
    """Agreement of the clinicians with each other."""
    model: tuple[Estimate, ...]
    """Agreement of the model with the clinicians: on average, or with each."""
    difference: Estimate = UNKNOWN
    """Model less clinicians, on the same recordings."""
    margin: float = math.nan
    """How much less agreement was declared to be acceptable beforehand."""


@dataclass(frozen=True)
class Skill:
    """How many scores are predicted better than by chance."""

    n: int
    """Scores that were tested."""
    found: int
    """Those that are."""
    test: str
    """"permutation", "interval" (corrected, above 0) or "r2" (above 0, no test)."""


def versus(data: ReportData, target: str) -> Versus:
    """Set the model beside the clinicians, by the test of their difference where there is one."""
    rows = _rows(data, target)
    difference = from_row(data, rows[DIFFERENCE]) if DIFFERENCE in rows else UNKNOWN
    if difference.defined:
        clinicians, model = (
            from_row(data, rows[name]) if name in rows else Estimate()
            for name in (CLINICIANS, MODEL)
        )
        margin = _number(rows[DIFFERENCE].get("margin"))
        return Versus(_verdict(difference, margin), clinicians, (model,), difference, margin)
    clinicians = overall(data, target, "rater-rater")
    model_each = estimates(data, target, "model-rater", "ICC(A,1)")
    return Versus(judge(clinicians, model_each), clinicians, tuple(model_each))


def _verdict(difference: Estimate, margin: float) -> str:
    if math.isfinite(margin):
        if difference.low > -margin:
            return "noninferior"
        return "inferior" if difference.high < -margin else "unsettled"
    return "lower" if difference.high < 0 else "higher" if difference.low > 0 else "open"


def _rows(data: ReportData, target: str) -> Mapping[str, dict[Any, Any]]:
    table = data.table("equivalence")
    own = table[table["target"] == target]
    return {str(row["statistic"]): row for row in own.to_dict("records")}


def _number(value: Any) -> float:
    return math.nan if value is None or pd.isna(value) else float(value)


def skill(data: ReportData) -> Skill | None:
    """Count the scores that the model predicts; None where performance was not estimated."""
    found, test = _skill_by(data)
    return None if found.empty else Skill(len(found), int(found.sum()), test)


def skilled(data: ReportData) -> set[str] | None:
    """Name the scores that the model predicts; None where performance was not estimated."""
    found, _ = _skill_by(data)
    return None if found.empty else set(found.index[found])


def _skill_by(data: ReportData) -> tuple[pd.Series, str]:
    """Say of each score whether it is predicted, and by which test."""
    tested = data.permutation[data.permutation["metric"] == "pearson"].set_index("target")
    if len(tested):
        return tested["p_max_t"].astype(float) < ALPHA, "permutation"
    own = data.performance[data.performance["model"] == data.model].set_index("target")
    r = own[own["metric"] == "pearson"]
    if "ci_low_corrected" in r and r["ci_low_corrected"].notna().any():
        return r["ci_low_corrected"].astype(float) > 0, "interval"
    return own.loc[own["metric"] == "r2", "value"].astype(float) > 0, "r2"
