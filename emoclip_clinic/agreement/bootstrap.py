"""Intervals by resampling participants: for subjects that are several sessions of one person."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from emoclip_clinic.agreement.estimates import LEVEL

__all__ = ["Resampled", "cluster_intervals", "cluster_resamples", "resample_counts"]

TAILS = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])

LEAST = 3
"""Fewer clusters leave nothing to resample."""

Statistics = Callable[[NDArray[np.float64]], dict[str, NDArray[np.float64]]]
"""From subject weights, shape (n_weightings, n_subjects), to statistics, each (n_weightings,)."""


def resample_counts(n_clusters: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each cluster is drawn in each resample, shape (n_resamples, n_clusters).

    The same arguments give the same counts, so that statistics of the same participants are
    resampled together, and their differences can be too.
    """
    return _drawn(n_clusters, n_resamples, seed).astype(float)


@functools.lru_cache(maxsize=64)
def _drawn(n_clusters: int, n_resamples: int, seed: int) -> NDArray[np.int16]:
    # small numbers, since as many are kept as there are numbers of participants in a study
    rng = np.random.default_rng(seed)
    shares = np.full(n_clusters, 1 / n_clusters)
    return rng.multinomial(n_clusters, shares, size=n_resamples).astype(np.int16)


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic, and what resampling the clusters made of it."""

    value: float
    """Of the sample."""
    drawn: NDArray[np.float64]
    """Of the resamples, NaN where undefined."""
    left_out: NDArray[np.float64]
    """Without each cluster in turn, shape (n_clusters,)."""
    widening: float = 1.0
    """Factor of the quantiles, beside sqrt(n / (n - 1))."""

    @cached_property
    def _defined(self) -> NDArray[np.float64]:
        return self.drawn[np.isfinite(self.drawn)]

    @cached_property
    def _shape(self) -> tuple[float, float] | None:
        """Bias correction and acceleration; None where there is no interval."""
        value, drawn, left_out = self.value, self._defined, self.left_out
        if len(left_out) < LEAST or not len(drawn):
            return None
        if not np.isfinite(value) or not np.isfinite(left_out).all():
            return None
        below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
        pull = left_out.mean() - left_out
        scale = (pull**2).sum() ** 1.5
        if not 0 < below < 1 or scale == 0 or np.ptp(drawn) < 1e-12 * max(1, abs(value)):
            return None
        return float(special.ndtri(below)), float((pull**3).sum() / (6 * scale))

    @property
    def _stretch(self) -> float:
        n = len(self.left_out)
        return self.widening * float(np.sqrt(n / (n - 1)))

    def interval(self) -> tuple[float, float]:
        """Bias-corrected and accelerated 95 % interval; NaN where it cannot be had."""
        if self._shape is None:
            return np.nan, np.nan
        shift, acceleration = self._shape
        z = shift + self._stretch * special.stdtrit(len(self.left_out) - 1, TAILS)
        ends = np.quantile(self._defined, special.ndtr(shift + z / (1 - acceleration * z)))
        return float(ends[0]), float(ends[1])

    def p_above(self, bound: float) -> float:
        """One-sided p-value against "the truth is `bound` or less"; NaN where it cannot be had.

        It is the level at which a one-sided interval of the kind of `interval` begins at `bound`:
        0.025 where the 95 % interval does. It is never below half a resample.
        """
        if self._shape is None:
            return np.nan
        shift, acceleration = self._shape
        share = ((self._defined < bound).mean() + (self._defined <= bound).mean()) / 2
        least = 0.5 / len(self._defined)
        past = special.ndtri(np.clip(share, least, 1 - least)) - shift
        if not 0 < share < 1 or 1 + acceleration * past <= 0:
            # beyond every resample, or further than the acceleration reaches
            return least if past < 0 else 1 - least
        z = past / (1 + acceleration * past)
        p = special.stdtr(len(self.left_out) - 1, (z - shift) / self._stretch)
        return float(np.clip(p, least, 1 - least))


def cluster_resamples(
    statistics: Statistics,
    clusters: NDArray[np.intp],
    n_resamples: int,
    seed: int,
) -> dict[str, Resampled]:
    """Resample whole clusters, and leave out one at a time.

    Resamples in which a statistic is undefined are left out. Parameters as for
    `cluster_intervals`.
    """
    n_clusters = int(clusters.max()) + 1
    whole = statistics(np.ones((1, len(clusters))))
    if n_clusters < LEAST:
        none = np.empty(0)
        return {name: Resampled(float(value[0]), none, none) for name, value in whole.items()}
    drawn = statistics(resample_counts(n_clusters, n_resamples, seed)[:, clusters])
    left_out = statistics((1 - np.eye(n_clusters))[:, clusters])
    return {
        name: Resampled(float(whole[name][0]), each, left_out[name]) for name, each in drawn.items()
    }


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
    found = cluster_resamples(statistics, clusters, n_resamples, seed)
    return {name: each.interval() for name, each in found.items()}
