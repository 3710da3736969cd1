"""What is measured of predictions: errors, association, agreement, calibration.

Every metric is a function of weighted moments, the weights being how often a recording is in a
sample (all 1 for the estimate itself): one matrix product gives those of thousands of resamples.
Formulas and references: docs/inference.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ASSOCIATIONS", "CALIBRATION", "METRICS", "ROUNDING", "departure", "metrics"]

Array = NDArray[np.float64]

ASSOCIATIONS = ("pearson", "spearman", "ccc")
CALIBRATION = ("calibration_intercept", "calibration_slope")
METRICS = ("mae", "rmse", "r2", *ASSOCIATIONS, "bias", *CALIBRATION)
# variance below this share of the whole sample's is rounding error of a constant, as are points of
# a scale below it
ROUNDING = 1e-10


def metrics(
    observed: Array, predicted: Array, baseline: Array, weights: Array | None = None
) -> dict[str, Array]:
    """Compute all metrics for every row of weights at once.

    Parameters
    ----------
    observed, predicted, baseline
        Scores, shape (n_recordings,); `baseline` is the out-of-fold mean, NaN where unknown.
    weights
        How often each recording counts, shape (n_resamples, n_recordings); once each if absent.

    Returns
    -------
    dict
        Metric -> shape (n_resamples,), NaN where undefined. mae and rmse: errors in points of the
        scale. r2: 1 - SSE / SSE of the baseline. pearson, spearman (ties share their mean rank):
        of the observed scores with predicted - baseline, since the mean of a fold's training set,
        which says nothing of a person, is low where the test fold is high. ccc: Lin's concordance
        2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2) of the predictions as they are, with variances
        over n, as in Lin LI, Biometrics 1989;45:255-268. bias: mean of observed - predicted, the
        calibration in the large. calibration_intercept, calibration_slope: of the least-squares
        line of the observed scores on the predictions, 0 and 1 where these are calibrated (Cox DR,
        Biometrika 1958;45:562-565).
    """
    if weights is None:
        weights = np.ones((1, len(observed)))
    beyond = departure(predicted, baseline)
    residual = observed - predicted
    o, p, d = (values - values.mean() for values in (observed, predicted, beyond))
    columns = [np.ones_like(o), np.abs(residual), residual**2, (observed - baseline) ** 2]
    columns += [o, p, d, o * o, p * p, d * d, o * p, o * d]
    total, *sums = (weights @ np.column_stack(columns)).T
    with np.errstate(divide="ignore", invalid="ignore"):
        absolute, squared, of_mean, *moments = (each / total for each in sums)
        mean_o, mean_p, mean_d, oo, pp, dd, op, od = moments
        var_o, var_p, var_d = oo - mean_o**2, pp - mean_p**2, dd - mean_d**2
        bias = mean_o - mean_p + residual.mean()
        slope = np.where(_varies(var_p, p), (op - mean_o * mean_p) / var_p, np.nan)
        level = mean_o + observed.mean() - slope * (mean_p + predicted.mean())
        covaries = _varies(var_o, o) & _varies(var_d, d)
        pearson = np.where(covaries, (od - mean_o * mean_d) / np.sqrt(var_o * var_d), np.nan)
        return {
            "mae": absolute,
            "rmse": np.sqrt(squared),
            "r2": 1 - squared / of_mean,
            "pearson": np.clip(pearson, -1, 1),
            "spearman": np.where(covaries, _spearman(weights, observed, beyond), np.nan),
            "ccc": 2 * (op - mean_o * mean_p) / (var_o + var_p + bias**2),
            "bias": bias,
            "calibration_intercept": level,
            "calibration_slope": slope,
        }


def departure(predicted: Array, baseline: Array) -> Array:
    """Give what the model says beyond its training mean, or the prediction if that is unknown."""
    if np.isnan(baseline).any():
        return predicted
    # the mean itself departs by rounding error, which has ranks and correlates
    return np.where(np.abs(predicted - baseline) > ROUNDING, predicted - baseline, 0.0)


def _varies(variance: Array, whole: Array) -> NDArray[np.bool_]:
    least: float = max(ROUNDING * whole.var(), ROUNDING**2)
    return variance > least


def _spearman(weights: Array, x: Array, y: Array) -> Array:
    # mid-ranks have the mean total / 2 whatever the ties
    middle = weights.sum(axis=1, keepdims=True) / 2
    rank_x, rank_y = (_ranks(weights, values) - middle for values in (x, y))
    xy, xx, yy = (
        np.einsum("ij,ij,ij->i", weights, a, b)
        for a, b in ((rank_x, rank_y), (rank_x, rank_x), (rank_y, rank_y))
    )
    rho: Array = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    return rho


def _ranks(weights: Array, values: Array) -> Array:
    """Mid-ranks less a half of the values in each resample, shape of `weights`."""
    _, code, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    tied = np.add.reduceat(weights[:, np.argsort(code)], starts, axis=1)
    return (np.cumsum(tied, axis=1) - tied / 2)[:, code]
