"""Intraclass correlation where raters missed subjects: variance components by REML.

Every rating is a mean plus a subject, a rater and a residual, y = mu + s + r + e. The three
variances are those of largest restricted likelihood, which uses every rating: nobody is dropped
because one rater was ill. Where all is rated and no component is negative, they are those of the
analysis of variance.

With q = var(s) / var(e) and the ratings of a subject summed, the likelihood needs only sums over
subjects of equal numbers of ratings: so it is cheap, and a resample only weights the sums anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from emoclip_clinic.agreement.bootstrap import cluster_resamples
from emoclip_clinic.agreement.estimates import Estimate

__all__ = ["Components", "mixed_components", "mixed_estimates"]

Array = NDArray[np.float64]

METHOD = "participant-cluster bootstrap (BCa, {} resamples) of REML"
RESAMPLES = 500
"""Likelihoods are maximised in each."""
LARGEST = 8.0
"""Of log(1 + ratio): a subject's or rater's variance is at most 3,000 times the residual's."""
EXACT, ROUGH = (12, 40), (4, 20)
"""Times that each ratio is found with the other fixed, and golden sections each time; a resample
need not be known to more digits than its neighbours differ in."""
GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Components:
    """Variances, each of shape (n_weightings,)."""

    subjects: Array
    """Between subjects."""
    raters: Array
    """Between raters."""
    residual: Array
    """Of what is left."""


def mixed_components(scores: Array, weights: Array, effort: tuple[int, int] = EXACT) -> Components:
    """Estimate the variance components for each row of subject weights.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n_subjects, n_raters)
        NaN where not rated.
    weights : numpy.ndarray, shape (n_weightings, n_subjects)
        How often each subject counts.
    effort
        Rounds and steps of the search.

    References
    ----------
    Patterson HD, Thompson R (1971). Biometrika 58:545-554 (REML).
    Searle SR, Casella G, McCulloch CE (1992). Variance Components, ch. 6.
    """
    sums = _Sums(scores, weights)
    n = len(weights)
    low, high = np.zeros(n), np.full(n, LARGEST)
    subjects, raters = np.ones(n), np.zeros(n)
    rounds, steps = effort
    for _ in range(rounds):
        subjects = _golden(partial(_swapped, sums.deviance, raters), low, high, steps)
        raters = _golden(partial(sums.deviance, subjects), low, high, steps)
    residual = sums.residual(subjects, raters)
    return Components(np.expm1(subjects) * residual, np.expm1(raters) * residual, residual)


def _swapped(function: Callable[[Array, Array], Array], second: Array, first: Array) -> Array:
    return function(first, second)


def mixed_estimates(
    scores: Array, clusters: NDArray[np.intp], seed: int, n_resamples: int = RESAMPLES
) -> list[Estimate]:
    """Estimate ICC(A,1) and ICC(C,1) of an incomplete table, with bootstrap intervals.

    ICC(A,1) = var(s) / (var(s) + var(r) + var(e)); ICC(C,1) leaves out var(r).

    Parameters
    ----------
    scores : numpy.ndarray, shape (n_subjects, n_raters)
        NaN where not rated.
    clusters : numpy.ndarray, shape (n_subjects,)
        Number of each subject's participant.
    """
    rated = ~np.isnan(scores)
    twice = rated.sum(axis=1) > 1
    n_subjects, n_raters = int(rated.any(axis=1).sum()), int(rated.any(axis=0).sum())
    names = ("ICC(A,1) mixed", "ICC(C,1) mixed")
    why = ""
    if n_raters < 2 or twice.sum() < 2:
        why = f"undefined: needs 2 subjects rated twice, has {int(twice.sum())}"
    elif np.nanmax(scores) == np.nanmin(scores):
        why = "undefined: all ratings are the same"
    if why:
        return [Estimate(name, n_subjects, n_raters, note=why) for name in names]
    own, whose = scores[rated.any(axis=1)], clusters[rated.any(axis=1)]
    # numbered again without gaps
    numbered = np.unique(whose, return_inverse=True)[1]
    values = _coefficients(own, np.ones((1, len(own))))
    found = cluster_resamples(partial(_coefficients, own), numbered, n_resamples, seed)
    rows = []
    for name in names:
        low, high = found[name].interval()
        note = "no interval: too few participants or values" if np.isnan(low) else ""
        rows.append(
            Estimate(
                name, n_subjects, n_raters, float(values[name][0]), low, high,
                METHOD.format(n_resamples), note,
            )
        )  # fmt: skip
    return rows


def _coefficients(scores: Array, weights: Array) -> dict[str, Array]:
    found = mixed_components(scores, weights, EXACT if len(weights) == 1 else ROUGH)
    consistent = found.subjects + found.residual
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "ICC(A,1) mixed": found.subjects / (consistent + found.raters),
            "ICC(C,1) mixed": found.subjects / consistent,
        }


class _Sums:
    """Sums over subjects with m ratings each, m = 1 to n_raters: all that a likelihood needs."""

    def __init__(self, scores: Array, weights: Array) -> None:
        there = ~np.isnan(scores)
        # any origin will do; this one keeps the sums of squares small
        values = np.where(there, scores - np.nanmean(scores), 0.0)
        u, s, q = there.astype(float), values.sum(axis=1), (values**2).sum(axis=1)
        k = scores.shape[1]
        self.m = np.arange(1, k + 1)
        by_m = [weights * (there.sum(axis=1) == m) for m in self.m]

        def summed(columns: Array) -> Array:
            """Shape (n_weightings, n_raters of a subject, ...)."""
            flat = columns.reshape(len(columns), -1)
            made = np.stack([own @ flat for own in by_m], axis=1)
            return made.reshape(*made.shape[:2], *columns.shape[1:])

        self.n, self.s, self.q = summed(np.ones(len(s))), summed(s), summed(q)
        self.ss, self.u, self.y = summed(s**2), summed(u), summed(values)
        self.uu = summed(u[:, :, None] * u[:, None, :])
        self.su = summed(s[:, None] * u)
        self.n_ratings = self.n @ self.m

    def _solved(self, subjects: Array, raters: Array) -> tuple[Array, Array]:
        """Residual sum of squares, and the log determinants, for log(1 + ratio) of each."""
        ratio, other = np.expm1(subjects)[:, None], np.expm1(raters)
        c = ratio / (1 + ratio * self.m)
        diagonal = np.eye(self.u.shape[-1]) * self.u.sum(axis=1)[:, None, :]
        a = diagonal - (c[..., None, None] * self.uu).sum(axis=1)
        b = self.y.sum(axis=1) - (c[..., None] * self.su).sum(axis=1)
        x = ((1 - c * self.m)[..., None] * self.u).sum(axis=1)
        xx = ((1 - c * self.m) * self.m * self.n).sum(axis=1)
        xy = ((1 - c * self.m) * self.s).sum(axis=1)
        yy = (self.q - c * self.ss).sum(axis=1)
        inner = np.eye(a.shape[-1]) + other[:, None, None] * a
        both = np.linalg.solve(inner, np.stack([x, b], axis=-1)) * other[:, None, None]
        xx, xy_, yy = (
            xx - (x * both[..., 0]).sum(axis=1),
            xy - (b * both[..., 0]).sum(axis=1),
            yy - (b * both[..., 1]).sum(axis=1),
        )
        logs = (self.n * np.log1p(ratio * self.m)).sum(axis=1)
        logs = logs + np.linalg.slogdet(inner)[1] + np.log(xx)
        return yy - xy_**2 / xx, logs

    def deviance(self, subjects: Array, raters: Array) -> Array:
        """Give -2 log restricted likelihood, but for a constant, at the best residual variance."""
        squares, logs = self._solved(subjects, raters)
        tiny = np.finfo(float).tiny
        return (self.n_ratings - 1) * np.log(np.maximum(squares, tiny)) + logs

    def residual(self, subjects: Array, raters: Array) -> Array:
        """Residual variance at those ratios."""
        return self._solved(subjects, raters)[0] / (self.n_ratings - 1)


def _golden(function: Callable[[Array], Array], low: Array, high: Array, steps: int) -> Array:
    """Minimise for each weighting at once between the ends; an end itself may be the minimum."""
    a, b = low, high
    c, d = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    fc, fd = function(c), function(d)
    for _ in range(steps):
        left = fc < fd
        a, b = np.where(left, a, c), np.where(left, d, b)
        new = np.where(left, b - GOLDEN * (b - a), a + GOLDEN * (b - a))
        value = function(new)
        c, d = np.where(left, new, d), np.where(left, c, new)
        fc, fd = np.where(left, value, fd), np.where(left, fc, value)
    found, best = (a + b) / 2, np.minimum(fc, fd)
    for end in (low, high):
        value = function(end)
        found, best = np.where(value < best, end, found), np.minimum(value, best)
    return np.asarray(found)
