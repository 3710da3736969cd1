"""Intervals by resampling participants: for subjects that are several sessions of one person."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from emoclip_clinic.agreement.estimates import LEVEL

__all__ = ["cluster_intervals", "resample_counts"]

TAILS = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])

LEAST = 3
"""Fewer clusters leave nothing to resample."""

Statistics = Callable[[NDArray[np.float64]], dict[str, NDArray[np.float64]]]
"""From subject weights, shape (n_weightings, n_subjects), to statistics, each (n_weightings,)."""


@functools.lru_cache(maxsize=8)
def resample_counts(n_clusters: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each cluster is drawn in each resample, shape (n_resamples, n_clusters).

    The same arguments give the same counts, so that statistics of the same participants are
    resampled together, and their differences can be too.
    """
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples)
    drawn = counts.astype(float)
    drawn.setflags(write=False)  # shared by all who ask for the same
    return drawn


def cluster_intervals(
    statistics: Statistics,
    clusters: NDArray[np.intp],
    n_resamples: int,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Bias-corrected and accelerated 95 % intervals by drawing whole clusters.

    The acceleration comes from leaving out one cluster at a time. The quantiles are those of
    Student's t, stretched by sqrt(n / (n - 1)) for n clusters, because a bootstrap interval of few
    clusters is too short otherwise. Resamples in which a statistic is undefined are left out.

    Parameters
    ----------
    statistics : callable
        Maps weights of shape (n_weightings, n_subjects) to statistics of shape (n_weightings,).
    clusters : numpy.ndarray, shape (n_subjects,)
        Number of each subject's cluster, from 0 without gaps.

    Returns
    -------
    dict
        Ends of each statistic's interval; NaN where it cannot be had.

    References
    ----------
    Efron B (1987). JASA 82:171-185. Field CA, Welsh AH (2007). JRSS B 69:369-390.
    Hesterberg TC (2015). American Statistician 69:371-386 (the stretched quantiles).
    """
    n_clusters = int(clusters.max()) + 1
    whole = statistics(np.ones((1, len(clusters))))
    if n_clusters < LEAST:
        return dict.fromkeys(whole, (np.nan, np.nan))
    drawn = statistics(resample_counts(n_clusters, n_resamples, seed)[:, clusters])
    left_out = statistics((1 - np.eye(n_clusters))[:, clusters])
    return {name: _bca(whole[name][0], drawn[name], left_out[name]) for name in whole}


def _bca(
    value: float, drawn: NDArray[np.float64], left_out: NDArray[np.float64]
) -> tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not np.isfinite(left_out).all() or not len(drawn):
        return np.nan, np.nan
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    pull = left_out.mean() - left_out
    scale = (pull**2).sum() ** 1.5
    if not 0 < below < 1 or scale == 0 or np.ptp(drawn) < 1e-12 * max(1, abs(value)):
        return np.nan, np.nan
    shift = special.ndtri(below)
    acceleration = (pull**3).sum() / (6 * scale)
    n = len(left_out)
    z = shift + np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, TAILS)
    low, high = np.quantile(drawn, special.ndtr(shift + z / (1 - acceleration * z)))
    return float(low), float(high)
