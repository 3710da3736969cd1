"""The regressions by name.

An estimator here is a scikit-learn regressor for many targets at once whose `fit` also takes the
participants, so that whatever it tunes, it tunes on folds of whole participants. `REGISTRY` names
them; a new one is an entry there and no change elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.ridge import PENALTIES, GroupedRidge

__all__ = [
    "KINDS",
    "PENALTIES",
    "REGISTRY",
    "Estimator",
    "GroupedRidge",
    "TrainingMean",
    "make",
    "require",
]

Array = NDArray[np.float64]


class Estimator(Protocol):
    """What `cross_validate` and `fit_model` need of a regression."""

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Learn from features (n, d), scores (n, n_targets) without gaps, participants (n,)."""
        ...

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        ...


class TrainingMean(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Predict each target's mean over the training recordings, whatever the features.

    The baseline that any regression has to beat, and the denominator of R2.
    """

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Take the means of y (n, n_targets); groups are checked and not needed."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        check_consistent_length(X, groups)
        self.dummy_ = DummyRegressor(strategy="mean").fit(X, y.reshape(len(X), -1))
        return self

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.dummy_.predict(X)).reshape(len(X), -1)


REGISTRY: dict[str, Callable[[int, int], Estimator]] = {
    "ridge": lambda n_inner_folds, seed: GroupedRidge(PENALTIES, n_inner_folds, seed),
    "mean": lambda n_inner_folds, seed: TrainingMean(),
}
"""Name of an estimator -> what makes one from a number of inner folds and a seed."""

KINDS: tuple[type, ...] = (GroupedRidge, TrainingMean)
"""Their classes: what a saved model may hold."""


def make(name: str, n_inner_folds: int, seed: int) -> Estimator:
    """Make the estimator of that name, unfitted.

    Raises
    ------
    SettingsError
        There is none; the message lists the names.
    """
    require(name)
    return REGISTRY[name](n_inner_folds, seed)


def require(name: str) -> None:
    """Refuse a name that is not in `REGISTRY`.

    Raises
    ------
    SettingsError
        The message lists the names.
    """
    if name not in REGISTRY:
        raise SettingsError(f"estimator = {name!r}; allowed: {', '.join(REGISTRY)}.")
