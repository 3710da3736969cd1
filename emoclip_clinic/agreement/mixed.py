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
from itertools import product

import numpy as np
from numpy.typing import NDArray

from emoclip_clinic.agreement.bootstrap import cluster_resamples
from emoclip_clinic.agreement.estimates import Estimate

__all__ = ["Components", "mixed_components", "mixed_estimates"]

Array = NDArray[np.float64]

METHOD = "participant-cluster bootstrap (BCa, {} resamples) of REML, raters fixed"
RESAMPLES = 500
"""Likelihoods are maximised in each."""
LARGEST = 14.0
"""Of log(1 + ratio): where a variance is a million times the residual's, nothing is residual."""
START = np.log1p([0.0, 0.1, 0.5, 2.0, 10.0, 100.0])
"""Values of log(1 + ratio) from which the best pair is taken to begin with."""
STEPS = 60
"""Newton steps at most; most tables need six."""
SHIFT = 1e-4
"""Distance of the differences that stand for derivatives."""
ENOUGH = 1e-6
"""A shorter step of log(1 + ratio) ends the search."""
ZERO = 1e-12
"""A sum of squares below this share of the values' is rounding."""


@dataclass(frozen=True, eq=False)
class Components:
    """Variances, each of shape (n_weightings,)."""

    subjects: Array
    """Between subjects."""
    raters: Array
    """Between raters."""
    residual: Array
    """Of what is left."""


def mixed_components(scores: Array, weights: Array) -> Components:
    """Estimate the variance components for each row of subject weights.

    All are NaN where nothing is residual: where raters differ by no more than a constant the
    likelihood has no maximum.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n_subjects, n_raters)
        NaN where not rated.
    weights : numpy.ndarray, shape (n_weightings, n_subjects)
        How often each subject counts.

    References
    ----------
    Patterson HD, Thompson R (1971). Biometrika 58:545-554 (REML).
    Searle SR, Casella G, McCulloch CE (1992). Variance Components, ch. 6.
    """
    sums = _Sums(scores, weights)
    subjects, raters = _minimised(sums, len(weights)).T
    residual = sums.residual(subjects, raters)
    none = np.maximum(subjects, raters) > LARGEST - SHIFT
    residual = np.where(none, np.nan, residual)
    return Components(np.expm1(subjects) * residual, np.expm1(raters) * residual, residual)


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
    own, whose = scores[rated.any(axis=1)], clusters[rated.any(axis=1)]
    values = {} if why else _coefficients(own, np.ones((1, len(own))))
    if not why and np.isnan(values[names[0]][0]):
        why = "undefined: raters differ by no more than a constant, and nothing is residual"
    if why:
        return [Estimate(name, n_subjects, n_raters, note=why) for name in names]
    # numbered again without gaps
    numbered = np.unique(whose, return_inverse=True)[1]
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
    found = mixed_components(scores, weights)
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
        least = np.maximum(ZERO * self.q.sum(axis=1), np.finfo(float).tiny)
        found = (self.n_ratings - 1) * np.log(np.maximum(squares, least)) + logs
        return np.asarray(found)

    def residual(self, subjects: Array, raters: Array) -> Array:
        """Residual variance at those ratios."""
        return self._solved(subjects, raters)[0] / (self.n_ratings - 1)


Deviance = Callable[[Array, Array], Array]


def _minimised(sums: _Sums, n: int) -> Array:
    """Find log(1 + ratio) of subjects and of raters for each of n weightings, shape (n, 2).

    Newton's steps from the best of a few starts, shortened (Levenberg) where they do not go down.
    A ratio at an end, where the slope points outwards, stays there.
    """
    starts = np.array(list(product(START, repeat=2)))
    tried = np.stack([sums.deviance(*np.repeat(one[:, None], n, axis=1)) for one in starts])
    at, best = starts[tried.argmin(axis=0)], tried.min(axis=0)
    damping = np.full(n, 1e-3)
    for _ in range(STEPS):
        step = _newton(sums.deviance, at, damping)
        new = np.clip(at + step, 0.0, LARGEST)
        value = sums.deviance(*new.T)
        down = value <= best
        moved = np.where(down[:, None], np.abs(new - at), np.abs(step))
        at, best = np.where(down[:, None], new, at), np.where(down, value, best)
        damping = np.clip(np.where(down, damping / 10, damping * 10), 1e-9, 1e9)
        if moved.max() < ENOUGH:
            break
    return np.asarray(at)


def _newton(deviance: Deviance, at: Array, damping: Array) -> Array:
    """One damped step of each row, from derivatives by differences."""
    u, v = at.T
    places = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)]
    d = {(i, j): deviance(u + i * SHIFT, v + j * SHIFT) for i, j in places}
    slope = np.stack([d[1, 0] - d[-1, 0], d[0, 1] - d[0, -1]], axis=1) / (2 * SHIFT)
    uu = (d[1, 0] - 2 * d[0, 0] + d[-1, 0]) / SHIFT**2
    vv = (d[0, 1] - 2 * d[0, 0] + d[0, -1]) / SHIFT**2
    uv = (d[1, 1] + d[-1, -1] - 2 * d[0, 0]) / (2 * SHIFT**2) - (uu + vv) / 2
    held = ((at <= 0) & (slope > 0)) | ((at >= LARGEST) & (slope < 0))
    slope = np.where(held, 0.0, slope)
    uv = np.where(held.any(axis=1), 0.0, uv)
    # eigenvalues turned positive, so that every step points downhill
    curved = np.stack([np.stack([uu, uv], axis=1), np.stack([uv, vv], axis=1)], axis=1)
    sizes, axes = np.linalg.eigh(curved)
    sizes = np.abs(sizes) + (damping * (1 + np.abs(sizes).max(axis=1)))[:, None]
    along = (axes * slope[:, :, None]).sum(axis=1) / sizes
    return np.asarray(-(axes * along[:, None, :]).sum(axis=2))
