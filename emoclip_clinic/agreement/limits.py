"""Limits of agreement: how far apart two raters' scores of one subject may be expected to lie."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from emoclip_clinic.agreement.designs import paired
from emoclip_clinic.agreement.estimates import (
    LEVEL,
    Estimate,
    join_notes,
    mean_interval,
    to_table,
)

__all__ = ["bland_altman", "limits_estimates", "weighted_limits"]

Z = 1.96
"""Standard deviations from the bias to either limit, as printed by Bland and Altman."""

TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

METHODS = {
    "exact": "exact interval, noncentral t (Carkeet 2015)",
    "approximate": "approximate interval (Bland & Altman 1999)",
}

Interval = Literal["exact", "approximate"]


def bland_altman(x: ArrayLike, y: ArrayLike, interval: Interval = "exact") -> pd.DataFrame:
    """Estimate the bias x - y and the 95 % limits of agreement, bias -+ 1.96 SD.

    Of new subjects, 95 % of differences are expected between the limits, if the differences are
    about normal and neither bias nor spread depends on the score: plot them.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Scores of the same subjects; pairs with a NaN are dropped, and the note says how many.
    interval : {"exact", "approximate"}
        For the limits: exact by the noncentral t distribution (Carkeet 2015), or the limit
        -+ t SD sqrt(1/n + 1.96^2 / (2 (n - 1))) (Bland and Altman 1999).

    Returns
    -------
    pandas.DataFrame
        Rows bias, SD (of the differences), LoA lower, LoA upper; columns name, value, ci_low,
        ci_high, n_subjects, n_raters, method, note. An undefined value is NaN and the note says
        why.

    Raises
    ------
    RatingsError
        The two are not equally long, or a value is infinite.

    References
    ----------
    Bland JM, Altman DG (1986). Lancet i:307-310; (1999). Stat Methods Med Res 8:135-160.
    Carkeet A (2015). Optometry and Vision Science 92:e71-e80.

    Examples
    --------
    >>> limits = bland_altman([1, 2, 3, 4], [1, 1, 4, 4]).set_index("name")
    >>> [round(float(v), 4) for v in limits.value]
    [0.0, 0.8165, -1.6003, 1.6003]
    """
    first, second, note = paired(x, y)
    return to_table(limits_estimates(first, second, note, interval))


def limits_estimates(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    note: str = "",
    interval: Interval = "exact",
) -> list[Estimate]:
    """Estimate bias, SD and limits of complete pairs, each of shape (n,)."""
    difference, n = x - y, len(x)
    bias = mean_interval(Estimate("bias", n, 2, method="Student t interval", note=note), difference)
    spread = Estimate("SD", n, 2, method="chi-squared interval", note=note)
    lower = Estimate("LoA lower", n, 2, method=METHODS[interval], note=note)
    upper = replace(lower, name="LoA upper")
    if n < 2:
        why = join_notes(f"undefined: needs 2 subjects, has {n}", note)
        return [bias, *(replace(row, note=why) for row in (spread, lower, upper))]
    mean, sd = bias.value, float(difference.std(ddof=1))
    if np.ptp(difference) == 0:
        rows = (spread, 0.0), (lower, mean), (upper, mean)
        return [bias, *(replace(row, value=value, note=bias.note) for row, value in rows)]
    low, high = (sd * math.sqrt((n - 1) / special.chdtri(n - 1, tail)) for tail in TAILS)
    near, far = (factor * sd for factor in _factors(n, interval))
    return [
        bias,
        replace(spread, value=sd, ci_low=low, ci_high=high),
        replace(lower, value=mean - Z * sd, ci_low=mean - far, ci_high=mean - near),
        replace(upper, value=mean + Z * sd, ci_low=mean + near, ci_high=mean + far),
    ]


@functools.lru_cache(maxsize=1024)
def _factors(n: int, interval: Interval) -> tuple[float, float]:
    """SDs from the bias to the near and to the far end of a limit's interval."""
    if interval == "exact":
        near, far = (stats.nct.ppf(tail, n - 1, Z * math.sqrt(n)) for tail in TAILS)
        return float(near) / math.sqrt(n), float(far) / math.sqrt(n)
    error = math.sqrt(1 / n + Z**2 / (2 * (n - 1)))
    half = float(special.stdtrit(n - 1, TAILS[1])) * error
    return Z - half, Z + half


def weighted_limits(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Bias and limits for each row of subject weights; shapes as in `weighted_concordance`."""
    difference = x - y
    centre = difference[0]  # any origin will do; this one keeps whole numbers exact
    n = weights.sum(axis=1)
    mean = weights @ (difference - centre) / n
    squares = weights @ (difference - centre) ** 2 - n * mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(squares.clip(min=0) / (n - 1))
    bias = mean + centre
    return {"bias": bias, "LoA lower": bias - Z * sd, "LoA upper": bias + Z * sd}
