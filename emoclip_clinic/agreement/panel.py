"""Raters and a model who scored the same subjects, and how far any two of them are apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emoclip_clinic.agreement.reliability import weighted_icc

__all__ = ["LEAST_SUBJECTS", "Panel"]

LEAST_SUBJECTS = 3
"""Subjects that a pair of raters must have in common, with the model, to be compared."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """Scores of the subjects that a model scored.

    Raters and model are compared pair by pair of raters, each pair on the subjects that both of
    the pair and the model scored, so that nobody is favoured by easier subjects.
    """

    ratings: Array
    """Shape (n_subjects, n_raters), NaN where a rater gave no score."""
    model: Array
    """Shape (n_subjects,), never NaN."""
    tolerance: float
    """Points that two scores may differ and still agree."""

    @cached_property
    def pairs(self) -> list[tuple[NDArray[np.intp], Array]]:
        """Of each pair of raters: its subjects, and their scores (n, 3) by rater, rater, model."""
        found = []
        for pair in combinations(range(self.ratings.shape[1]), 2):
            scores = self.ratings[:, pair]
            there = np.flatnonzero(~np.isnan(scores).any(axis=1))
            if len(there) >= LEAST_SUBJECTS:
                found.append((there, np.column_stack([scores[there], self.model[there]])))
        return found

    @property
    def singles(self) -> Iterator[tuple[NDArray[np.intp], Array]]:
        """Of each rater: the subjects, and their scores (n, 2) by rater, model."""
        for scores in self.ratings.T:
            there = np.flatnonzero(~np.isnan(scores))
            if len(there) >= LEAST_SUBJECTS:
                yield there, np.column_stack([scores[there], self.model[there]])

    @cached_property
    def subjects(self) -> NDArray[np.intp]:
        """Those that enter: of any pair; with one rater, of any rater."""
        parts = [there for there, _ in self.pairs] or [there for there, _ in self.singles]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.intp)

    def of_subjects(self, subjects: NDArray[np.intp]) -> Panel:
        """Keep those subjects."""
        return Panel(self.ratings[subjects], self.model[subjects], self.tolerance)

    def statistics(self, weights: Array) -> dict[str, Array]:
        """Every statistic for each row of subject weights (n_weightings, n_subjects).

        Returns
        -------
        dict
            Name -> shape (n_weightings,), NaN where undefined. "icc_raters" and "icc_model": mean
            over the pairs of ICC(A,1) of the two raters, and of the model with either of them.
            "within_raters", "within_model": share of score pairs that differ by no more than the
            tolerance. "msd_raters", "msd_model": mean squared difference, in squared points.
            Shares and squares count every subject of every pair alike.
        """
        if not self.pairs:
            return self._of_model_alone(weights)
        rows = [_of_pair(scores, weights[:, there], self.tolerance) for there, scores in self.pairs]
        n = sum(row["n"] for row in rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = {name: sum(row[name] for row in rows) / n for name in SUMS}
        icc = {name: np.mean([row[name] for row in rows], axis=0) for name in ICCS}
        return {**icc, **sums}

    def _of_model_alone(self, weights: Array) -> dict[str, Array]:
        rows = []
        for there, scores in self.singles:
            own = weights[:, there]
            apart = np.abs(scores[:, 0] - scores[:, 1])
            rows.append(
                {
                    "n": own.sum(axis=1),
                    "icc_model": weighted_icc(scores, own)["ICC(A,1)"],
                    "within_model": own @ _within(apart, self.tolerance),
                    "msd_model": own @ apart**2,
                }
            )
        missing = dict.fromkeys((*ICCS, *SUMS), np.full(len(weights), np.nan))
        if not rows:
            return missing
        n = sum(row["n"] for row in rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = {name: sum(row[name] for row in rows) / n for name in SUMS if name in rows[0]}
        icc = {"icc_model": np.mean([row["icc_model"] for row in rows], axis=0)}
        return {**missing, **icc, **sums}


ICCS = ("icc_raters", "icc_model")
SUMS = ("within_raters", "within_model", "msd_raters", "msd_model")
ROUNDING = 1e-9
"""Share of a point by which a difference of exactly the tolerance may seem to be larger."""


def _within(apart: Array, tolerance: float) -> Array:
    return (apart <= tolerance + ROUNDING).astype(float)


def _of_pair(scores: Array, weights: Array, tolerance: float) -> dict[str, Array]:
    """Statistics of two raters and a model: scores (n, 3), weights (n_weightings, n)."""
    first, second, model = scores.T
    raters = np.abs(first - second)
    others = np.abs(model - first), np.abs(model - second)
    with_either = [weighted_icc(scores[:, [2, k]], weights)["ICC(A,1)"] for k in (0, 1)]
    return {
        "n": weights.sum(axis=1),
        "icc_raters": weighted_icc(scores[:, :2], weights)["ICC(A,1)"],
        "icc_model": np.mean(with_either, axis=0),
        "within_raters": weights @ _within(raters, tolerance),
        "within_model": weights @ np.mean([_within(each, tolerance) for each in others], axis=0),
        "msd_raters": weights @ raters**2,
        "msd_model": weights @ np.mean([each**2 for each in others], axis=0),
    }
