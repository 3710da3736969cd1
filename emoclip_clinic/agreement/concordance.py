"""Two raters on a continuous score: concordance, association, absolute difference."""

from __future__ import annotations

from dataclasses import replace

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

__all__ = [
    "ccc",
    "concordance_estimates",
    "mae",
    "pearson",
    "pearson_estimate",
    "rank_estimate",
    "spearman",
    "weighted_concordance",
    "weighted_distance",
    "weighted_line",
]

NORMAL = float(special.ndtri((1 + LEVEL) / 2))
"""Normal quantile of a 95 % interval."""

ZERO = 1e-12
"""A variance below this share of the values' mean square is rounding, and counts as 0."""

ASSOCIATION = "association, not agreement: blind to bias and scale"


def ccc(x: ArrayLike, y: ArrayLike) -> pd.DataFrame:
    """Estimate Lin's concordance correlation coefficient: closeness to the line y = x.

    CCC = 2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2), with variances divided by n as in Lin's
    paper. It is Pearson's r times a factor, at most 1, for shifts of mean and scale. The interval
    is Lin's asymptotic one on Fisher's z scale, with the correction of 2000.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Scores of the same subjects; pairs with a NaN are dropped, and the note says how many.

    Returns
    -------
    pandas.DataFrame
        One row: name, value, ci_low, ci_high, n_subjects, n_raters, method, note. An undefined
        value is NaN and the note says why.

    Raises
    ------
    RatingsError
        The two are not equally long, or a value is infinite.

    References
    ----------
    Lin LI (1989). Biometrics 45:255-268; correction in Biometrics 56:324-325 (2000).

    Examples
    --------
    >>> float(ccc([1, 2, 3, 4], [2, 3, 4, 5]).value.round(4)[0])
    0.7143
    """
    return to_table([_ccc(*paired(x, y))])


def pearson(x: ArrayLike, y: ArrayLike) -> pd.DataFrame:
    """Estimate Pearson's correlation, an association and not an agreement, as the note says.

    The interval is Fisher's: tanh(artanh r -+ 1.96 / sqrt(n - 3)). Parameters, returned columns
    and errors are those of `ccc`.

    References
    ----------
    Fisher RA (1921). Metron 1:3-32.
    """
    return to_table([pearson_estimate(*paired(x, y))])


def mae(x: ArrayLike, y: ArrayLike) -> pd.DataFrame:
    """Estimate the mean absolute difference, in points of the scale.

    The interval is Student's for the mean of the absolute differences, cut off at 0. Parameters,
    returned columns and errors are those of `ccc`.

    References
    ----------
    Willmott CJ, Matsuura K (2005). Climate Research 30:79-82.
    """
    return to_table([_mae(*paired(x, y))])


def concordance_estimates(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Estimate]:
    """Estimate CCC, Pearson and MAE of complete pairs, each of shape (n,)."""
    return [_ccc(x, y), pearson_estimate(x, y), _mae(x, y)]


def _ccc(x: NDArray[np.float64], y: NDArray[np.float64], note: str = "") -> Estimate:
    n, constant = len(x), _constant(x, y)
    row = Estimate("CCC", n, 2, method="Fisher z interval (Lin 1989, 2000)", note=note)
    if n < 2 or constant == 2:
        why = "neither rater's values differ between subjects" if n > 1 else _needs(2, n)
        return replace(row, note=join_notes(f"undefined: {why}", note))
    row = replace(row, value=float(weighted_concordance(x, y, np.ones((1, n)))["CCC"][0]))
    if constant or n < 3 or 1 - abs(row.value) < ZERO:
        why = "perfect agreement" if n > 2 else _needs(3, n)
        why = "a rater's values do not differ between subjects" if constant else why
        return replace(row, note=join_notes(f"no interval: {why}", note))
    return _fisher(row, _ccc_error(x, y, row.value))


def _ccc_error(x: NDArray[np.float64], y: NDArray[np.float64], rho: float) -> float:
    # Lin's variance, written with bias = rho / r so that r = 0 needs no case of its own
    spread, shift2 = x.std() * y.std(), (x.mean() - y.mean()) ** 2
    bias = 2 * spread / (x.var() + y.var() + shift2)
    r, u2 = rho / bias, shift2 / spread
    variance = (
        (1 - r**2) * bias**2 * (1 - rho**2)
        + 2 * rho**2 * bias * (1 - rho) * u2
        - rho**2 * bias**2 * u2**2 / 2
    ) / (len(x) - 2)
    return float(np.sqrt(max(variance, 0.0)) / (1 - rho**2))


def pearson_estimate(x: NDArray[np.float64], y: NDArray[np.float64], note: str = "") -> Estimate:
    """Estimate Pearson's r of complete pairs, each of shape (n,)."""
    n, note = len(x), join_notes(ASSOCIATION, note)
    row = Estimate("Pearson", n, 2, method="Fisher z interval", note=note)
    if n < 3 or _constant(x, y):
        why = "a rater's values do not differ between subjects" if n > 2 else _needs(3, n)
        return replace(row, note=join_notes(f"undefined: {why}", note))
    row = replace(row, value=float(weighted_concordance(x, y, np.ones((1, n)))["Pearson"][0]))
    if n < 4 or 1 - abs(row.value) < ZERO:
        why = "perfect association" if n > 3 else _needs(4, n)
        return replace(row, note=join_notes(f"no interval: {why}", note))
    return _fisher(row, 1 / np.sqrt(n - 3))


def spearman(x: ArrayLike, y: ArrayLike) -> pd.DataFrame:
    """Estimate Spearman's rank correlation, an association and not an agreement.

    Pearson's correlation of the ranks, ties at their mean rank. The interval is on Fisher's z
    scale with the standard error sqrt((1 + rho^2 / 2) / (n - 3)). Parameters, returned columns and
    errors are those of `ccc`.

    References
    ----------
    Bonett DG, Wright TA (2000). Psychometrika 65:23-28.
    """
    first, second, note = paired(x, y)
    return to_table([rank_estimate(first, second, note)])


def rank_estimate(x: NDArray[np.float64], y: NDArray[np.float64], note: str = "") -> Estimate:
    """Estimate Spearman's rho of complete pairs, each of shape (n,)."""
    row = pearson_estimate(stats.rankdata(x), stats.rankdata(y), note)
    row = replace(row, name="Spearman", method="Fisher z interval (Bonett & Wright 2000)")
    if np.isnan(row.ci_low):
        return row
    return _fisher(row, float(np.sqrt((1 + row.value**2 / 2) / (len(x) - 3))))


def weighted_distance(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """RMSE, and share of pairs within 1 point, for each row of subject weights.

    Shapes as in `weighted_concordance`.
    """
    apart, n = np.abs(x - y), weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "RMSE": np.sqrt(weights @ apart**2 / n),
            "within 1 point": weights @ (apart <= 1 + ZERO).astype(float) / n,
        }


def weighted_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intercept and slope of y on x by least squares, for each row of subject weights.

    NaN where the x of a resample do not differ. Shapes as in `weighted_concordance`.
    """
    columns = np.column_stack([np.ones_like(x), x, y, x**2, x * y])
    with np.errstate(invalid="ignore", divide="ignore"):
        n, sx, sy, sxx, sxy = (weights @ columns).T
        mx, my = sx / n, sy / n
        spread = sxx / n - mx**2
        slope = np.where(spread > ZERO * np.maximum(sxx / n, ZERO), sxy / n - mx * my, np.nan)
        slope = slope / spread
    return my - slope * mx, slope


def _mae(x: NDArray[np.float64], y: NDArray[np.float64], note: str = "") -> Estimate:
    method = "Student t interval of the mean absolute difference"
    row = mean_interval(Estimate("MAE", len(x), 2, method=method, note=note), np.abs(x - y))
    return replace(row, ci_low=float(np.maximum(row.ci_low, 0)))


def _needs(least: int, n: int) -> str:
    return f"needs {least} subjects, has {n}"


def _constant(x: NDArray[np.float64], y: NDArray[np.float64]) -> int:
    return sum(len(values) > 0 and np.ptp(values) == 0 for values in (x, y))


def _fisher(row: Estimate, error: float) -> Estimate:
    z = np.arctanh(row.value)
    low, high = np.tanh([z - NORMAL * error, z + NORMAL * error])
    return replace(row, ci_low=float(low), ci_high=float(high))


def weighted_concordance(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """CCC, Pearson and MAE for each row of subject weights; NaN where undefined.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Complete pairs.
    weights : numpy.ndarray, shape (n_weightings, n)
        How often each subject counts: ones for the sample itself, counts for a resample.
    """
    first, second = x - x[0], y - x[0]  # any origin will do; this one keeps whole numbers exact
    columns = [first, second, first**2, second**2, first * second, np.abs(x - y)]
    mx, my, xx, yy, xy, error = (weights @ np.column_stack(columns)).T / weights.sum(axis=1)
    vx, vy = (np.where(v > ZERO * s, v, 0) for v, s in ((xx - mx**2, xx), (yy - my**2, yy)))
    with np.errstate(invalid="ignore", divide="ignore"):
        cov = np.where(vx * vy > 0, xy - mx * my, 0)
        concordance = np.where(vx + vy > 0, 2 * cov / (vx + vy + (mx - my) ** 2), np.nan)
        association = np.where(vx * vy > 0, cov / np.sqrt(vx * vy), np.nan)
    return {"CCC": concordance, "Pearson": association.clip(-1, 1), "MAE": error}
