"""Invented symptom ratings: a model whose loadings, biases, noise and agreement are all known.

The true severity of an item is LEVEL + SPREAD * (flat expression + general illness + its own part):
independent normal terms, a variance of 1 in the brackets. A rater adds a bias and noise, rounds to
a whole number and keeps to the item's range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOADINGS", "RATERS", "KnownTruth", "Rater", "known_truth", "rate", "severity"]

LEVEL = 3.2
SPREAD = 1.25

# how much of an item's true severity is flat expression; an item that is not named here has none
LOADINGS: Mapping[str, float] = {
    "N1": 0.95,  # blunted affect
    "N2": 0.60,  # emotional withdrawal
    "N3": 0.80,  # poor rapport
    "N4": 0.40,  # passive withdrawal
    "N6": 0.85,  # lack of spontaneity
    "G6": 0.30,  # depression
    "G7": 0.80,  # motor retardation
    "G13": 0.30,  # disturbance of volition
    "G16": 0.40,  # active social avoidance
}
# the share of what is left that all items have in common
GENERAL = 0.5

SIMULATED_SUBJECTS = 200_000


@dataclass(frozen=True)
class Rater:
    """One rater's habits, in points of the scale."""

    name: str
    bias: float
    noise_sd: float


RATERS = (Rater("R1", 0.0, 0.40), Rater("R2", 0.25, 0.50), Rater("R3", -0.20, 0.55))


@dataclass(frozen=True)
class KnownTruth:
    """What an infinitely large study with these raters would find for one target."""

    icc_a1: float
    """ICC(A,1): one rater's absolute agreement with another."""
    latent_pearson: float
    """Correlation of the raters' mean with expressivity: the ceiling of any prediction from it."""


def severity(
    items: Sequence[str],
    expressivity: NDArray[np.float64],
    illness: NDArray[np.float64],
    own: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give the true severity of each item, before anyone rates it.

    Parameters
    ----------
    items
        Item codes.
    expressivity, illness
        Standard normal, shape (subjects,).
    own
        Standard normal, what each item shares with nothing, shape (subjects, items).

    Returns
    -------
    Shape (subjects, items), in points of the scale, not bounded.
    """
    loading = np.array([LOADINGS.get(item, 0.0) for item in items])
    left = np.sqrt(1 - loading**2)
    rest = GENERAL * illness[:, None] + np.sqrt(1 - GENERAL**2) * own
    scores: NDArray[np.float64] = LEVEL + SPREAD * (left * rest - loading * expressivity[:, None])
    return scores


def rate(
    truth: NDArray[np.float64],
    allowed: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Let every rater rate every item: shape (subjects, items) -> (subjects, items, raters)."""
    bias = np.array([rater.bias for rater in RATERS])
    noise_sd = np.array([rater.noise_sd for rater in RATERS])
    noise = rng.standard_normal((*truth.shape, len(RATERS)))
    felt = truth[..., None] + bias + noise_sd * noise
    bounded: NDArray[np.float64] = np.clip(np.rint(felt), *allowed)
    return bounded.astype(np.int64)


def known_truth(
    items: Sequence[str],
    targets: Mapping[str, Sequence[str]],
    allowed: tuple[int, int],
    n_subjects: int = SIMULATED_SUBJECTS,
) -> dict[str, KnownTruth]:
    """Find each target's known agreement and validity by simulating very many subjects.

    Rounding and the bounds of the scale leave no closed form; with 200 000 subjects the standard
    error of an ICC is below 0.001. The seed is fixed: these are constants of the model.

    Parameters
    ----------
    items
        Item codes.
    targets
        Name of a subscale or total -> the items that it sums.
    allowed
        Smallest and largest rating.
    n_subjects
        How many to simulate.

    Returns
    -------
    A value for each item and each target.
    """
    rng = np.random.default_rng(1987)
    expressivity, illness = rng.standard_normal((2, n_subjects))
    ratings = {}
    for item in items:
        own = rng.standard_normal((n_subjects, 1))
        truth = severity([item], expressivity, illness, own)
        ratings[item] = rate(truth, allowed, rng)[:, 0]
    for target, parts in targets.items():
        ratings[target] = np.sum([ratings[item] for item in parts], axis=0)
    return {
        target: KnownTruth(
            icc_a1=_icc_a1(table.astype(np.float64)),
            latent_pearson=float(np.corrcoef(table.mean(axis=1), expressivity)[0, 1]),
        )
        for target, table in ratings.items()
    }


def _icc_a1(ratings: NDArray[np.float64]) -> float:
    """ICC(A,1) of a table (subjects, raters), McGraw and Wong 1996, from the mean squares."""
    n, k = ratings.shape
    subjects = ratings.mean(axis=1, keepdims=True)
    raters = ratings.mean(axis=0, keepdims=True)
    residual = ratings - subjects - raters + ratings.mean()
    ms_subjects = k * float(subjects.var(ddof=1))
    ms_raters = n * float(raters.var(ddof=1))
    ms_error = float(np.square(residual).sum()) / ((n - 1) * (k - 1))
    bottom = ms_subjects + (k - 1) * ms_error + k * (ms_raters - ms_error) / n
    return float((ms_subjects - ms_error) / bottom)
