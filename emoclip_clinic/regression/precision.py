"""How many participants a study needs for an interval of a given width.

A study that only estimates, as one of agreement does, is planned by how sure its estimate shall be
and not by the power of a test (Bland JM, BMJ 2009;339:b3985). Participants are independent: one
recording each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from emoclip_clinic.errors import ClinicError

__all__ = ["COLUMNS", "STATISTICS", "expected_width", "precision"]

COLUMNS = ["statistic", "planning", "planning_of", "width", "n", "width_at_n", "method"]
Z95 = float(special.ndtri(0.975))
"""Limits of agreement hold 95 % of the differences, whatever the level of their intervals."""
MOST = 10**7
"""Participants beyond which a width counts as out of reach."""


@dataclass(frozen=True)
class _Plan:
    """What is assumed beside the planning value."""

    level: float
    n_raters: int
    accuracy: float


@dataclass(frozen=True)
class _Statistic:
    """How wide the interval of a statistic is expected to be."""

    width: Callable[[float, float, _Plan], float]
    """Of (participants, planning value, plan); full width, falling with participants."""
    fewest: int
    """Participants from which the formula holds."""
    planning_of: str
    """What the planning value is."""
    low: float
    """The planning value lies above this ..."""
    high: float
    """... and below this."""
    method: str
    """The interval and its source."""


def _fisher_width(value: float, error: float, plan: _Plan) -> float:
    half = special.ndtri((1 + plan.level) / 2) * error
    return float(np.tanh(np.arctanh(value) + half) - np.tanh(np.arctanh(value) - half))


def _pearson(n: float, r: float, plan: _Plan) -> float:
    return _fisher_width(r, 1 / np.sqrt(n - 3), plan)


def _icc(n: float, rho: float, plan: _Plan) -> float:
    k = plan.n_raters
    # Bonett adds 5 rho participants for two raters and 0.7 or more, where the formula is short
    n -= 5 * rho if k == 2 and rho >= 0.7 else 0.0
    z = special.ndtri((1 + plan.level) / 2)
    spread = (1 - rho) * (1 + (k - 1) * rho)
    return float(z * spread * np.sqrt(8 / (k * (k - 1) * (n - 1)))) if n > 1 else np.inf


def _ccc(n: float, rho: float, plan: _Plan) -> float:
    # spreads are alike, so that what is not r is shift: accuracy = 2 / (2 + u^2)
    bias, u2 = plan.accuracy, 2 * (1 / plan.accuracy - 1)
    r = rho / bias
    variance = (
        (1 - r**2) * bias**2 * (1 - rho**2)
        + 2 * rho**2 * bias * (1 - rho) * u2
        - rho**2 * bias**2 * u2**2 / 2
    ) / (n - 2)
    return _fisher_width(rho, np.sqrt(variance) / (1 - rho**2), plan)


def _limits(n: float, sd: float, plan: _Plan) -> float:
    error = sd * np.sqrt(1 / n + Z95**2 / (2 * (n - 1)))
    return float(2 * special.stdtrit(n - 1, (1 + plan.level) / 2) * error)


def _mae(n: float, sd: float, plan: _Plan) -> float:
    return float(2 * special.stdtrit(n - 1, (1 + plan.level) / 2) * sd / np.sqrt(n))


def _proportion(n: float, p: float, plan: _Plan) -> float:
    z2 = special.ndtri((1 + plan.level) / 2) ** 2
    return float(2 * np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n))


STATISTICS: Mapping[str, _Statistic] = {
    "pearson": _Statistic(
        _pearson, 4, "r", -1, 1, "Fisher's z (Bonett and Wright, Psychometrika 2000;65:23-28)"
    ),
    "icc_a1": _Statistic(_icc, 3, "ICC(A,1)", 0, 1, "Bonett, Stat Med 2002;21:1331-1335"),
    "ccc": _Statistic(_ccc, 4, "CCC", -1, 1, "Fisher's z (Lin, Biometrics 1989;45:255-268; 2000)"),
    "limits": _Statistic(
        _limits, 3, "SD of the differences", 0, np.inf,
        "one limit of agreement (Bland and Altman, Stat Methods Med Res 1999;8:135-160)",
    ),
    "mae": _Statistic(_mae, 3, "SD of the absolute errors", 0, np.inf, "Student's t"),
    "within_1": _Statistic(
        _proportion, 1, "proportion within 1 point", 0, 1,
        "Wilson's score interval (Newcombe, Stat Med 1998;17:857-872)",
    ),
}  # fmt: skip
"""What can be planned for."""


def precision(
    statistic: str,
    planning: Sequence[float],
    widths: Sequence[float],
    *,
    level: float = 0.95,
    n_raters: int = 2,
    accuracy: float = 1.0,
) -> pd.DataFrame:
    """Give the participants needed for each planning value and each width.

    Parameters
    ----------
    statistic
        "pearson"; "icc_a1": for raters who do not differ on average, for if they do the interval
        of ICC(A,1) has a part that only more raters make narrower; "ccc"; "limits": one limit of
        agreement, in points; "mae": in points; "within_1": the proportion of absolute errors of
        at most 1 point.
    planning
        The values expected: of the statistic itself, or, of "limits" and "mae", of the SD of the
        differences and of the absolute errors, in points.
    widths
        Full widths of the interval, upper less lower end, in the unit of the statistic.
    level
        Of the interval.
    n_raters
        Raters of each participant; of "icc_a1" only.
    accuracy
        C_b of "ccc", CCC / r: 1 where means and spreads are alike.

    Returns
    -------
    DataFrame
        A row a planning value and width: statistic; planning, planning_of: the value and what it
        is of; width; n: the fewest participants with an expected width of at most that; width_at_n:
        what it then is; method. Intervals of a single study vary about their expected width.

    Raises
    ------
    ClinicError
        The statistic is not known, or a value is out of its range.
    """
    found, plan = _plan(statistic, planning, level, n_raters, accuracy)
    wrong = [width for width in widths if not width > 0]
    if wrong:
        raise ClinicError(f"width = {wrong[0]}; allowed: above 0.")
    rows: list[dict[str, Any]] = []
    for value in planning:
        for width in widths:
            n = _fewest(found, value, width, plan)
            rows.append(
                {
                    "statistic": statistic,
                    "planning": value,
                    "planning_of": found.planning_of,
                    "width": width,
                    "n": n,
                    "width_at_n": found.width(n, value, plan),
                    "method": found.method,
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def expected_width(
    statistic: str,
    planning: float,
    n: int,
    *,
    level: float = 0.95,
    n_raters: int = 2,
    accuracy: float = 1.0,
) -> float:
    """Give the expected width of the interval with n participants; parameters as of `precision`."""
    found, plan = _plan(statistic, [planning], level, n_raters, accuracy)
    if n < found.fewest:
        raise ClinicError(f"n = {n}; allowed: {found.fewest} or more for {statistic}.")
    return found.width(n, planning, plan)


def _plan(
    statistic: str, planning: Sequence[float], level: float, n_raters: int, accuracy: float
) -> tuple[_Statistic, _Plan]:
    if statistic not in STATISTICS:
        raise ClinicError(f"statistic = {statistic!r}; allowed: {', '.join(STATISTICS)}.")
    found = STATISTICS[statistic]
    for value in planning:
        if not found.low < value < found.high:
            raise ClinicError(
                f"{statistic}: {found.planning_of} = {value}; allowed: above {found.low}, below "
                f"{found.high}."
            )
        if statistic == "ccc" and not abs(value) < accuracy <= 1:
            raise ClinicError(f"accuracy = {accuracy}; allowed: above the CCC ({value}), to 1.")
    if not 0 < level < 1 or n_raters < 2:
        raise ClinicError(
            f"level = {level}, n_raters = {n_raters}; allowed: between 0 and 1, and 2 or more."
        )
    return found, _Plan(level, n_raters, accuracy)


def _fewest(found: _Statistic, value: float, width: float, plan: _Plan) -> int:
    """Find the fewest participants by doubling, then halving the gap."""
    high = found.fewest
    while found.width(high, value, plan) > width:
        if high > MOST:
            raise ClinicError(f"width = {width} needs more than {MOST} participants: allow more.")
        high *= 2
    low = max(found.fewest, high // 2)
    while low < high:
        middle = (low + high) // 2
        if found.width(middle, value, plan) > width:
            low = middle + 1
        else:
            high = middle
    return high
