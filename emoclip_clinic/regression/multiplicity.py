"""Many targets, one finding by chance: p-values that allow for how many were looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emoclip_clinic.errors import ClinicError

__all__ = ["benjamini_hochberg", "max_t"]

Array = NDArray[np.float64]

# statistics that differ by less than this share are equal: order of summation, not evidence
ROUNDING = 1e-12


def benjamini_hochberg(p: ArrayLike) -> Array:
    """Adjust p-values to the false discovery rate (Benjamini and Hochberg).

    Calling a discovery every target whose q is at most 0.05 is wrong for at most 5 % of the
    discoveries on average, where tests are independent or positively dependent.

    Parameters
    ----------
    p
        P-values, shape (n_targets,). NaN, a test that was not possible, counts as one that found
        nothing (p = 1): what data made impossible is not left out of the number of tests.

    Returns
    -------
    ndarray
        q of each, shape (n_targets,); NaN where p is.

    Raises
    ------
    ClinicError
        A p-value is not between 0 and 1.

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300. Computed by
    `scipy.stats.false_discovery_control`.
    """
    p = np.asarray(p, dtype=float)
    unknown = np.isnan(p)
    outside = p[~unknown & ~((p >= 0) & (p <= 1))]
    if outside.size:
        raise ClinicError(f"p = {outside[0]}; allowed: 0 to 1, or missing.")
    if unknown.all():
        return p.copy()
    q = stats.false_discovery_control(np.where(unknown, 1.0, p), method="bh")
    return np.where(unknown, np.nan, q)


def max_t(observed: ArrayLike, permuted: ArrayLike) -> Array:
    """Adjust for all targets by the step-down maximum of their statistics (Westfall and Young).

    The largest statistic is compared with the largest of all targets in each permutation, the
    second with the largest of all but the first, and so on. The chance of any false finding is at
    most p; dependence between the targets is used, for a permutation keeps it.

    Parameters
    ----------
    observed
        Statistics, the larger the more was found, shape (n_targets,). NaN counts as "found
        nothing", as it does in a permutation.
    permuted
        The same of each permutation, shape (n_permutations, n_targets); NaN is "found nothing".

    Returns
    -------
    ndarray
        Adjusted p of each, shape (n_targets,), at least 1 / (n_permutations + 1); NaN where
        `observed` is.

    Raises
    ------
    ClinicError
        Shapes do not match, or there is no permutation.

    References
    ----------
    Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley, 1993, algorithm 4.1 (by
    maxima: Ge Y, Dudoit S, Speed TP. Test 2003;12:1-77, box 2). The observed order counts as one
    of the permutations: Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.
    """
    observed, permuted = np.asarray(observed, dtype=float), np.asarray(permuted, dtype=float)
    if permuted.ndim != 2 or permuted.shape[1:] != observed.shape or not len(permuted):
        raise ClinicError(
            f"statistics of shape {observed.shape} with permutations of shape {permuted.shape}; "
            "allowed: (n_targets,) with (n_permutations, n_targets), at least one permutation."
        )
    found = np.where(np.isnan(observed), -np.inf, observed)
    by_chance = np.where(np.isnan(permuted), -np.inf, permuted)
    order = np.argsort(-found, kind="stable")
    # the largest of a target and of all that found less than it
    largest = np.maximum.accumulate(by_chance[:, order[::-1]], axis=1)[:, ::-1]
    reached = largest >= found[order] * (1 - ROUNDING * np.sign(found[order]))
    p = np.empty(len(order))
    p[order] = np.maximum.accumulate((1 + reached.sum(axis=0)) / (len(permuted) + 1))
    return np.where(np.isnan(observed), np.nan, p)
