"""The regressions: ridge with a penalty tuned by participant-grouped folds, and the mean.

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
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.folds import grouped_folds

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

PENALTIES = (1e15, *np.logspace(3, -3, 13).tolist())
"""Ridge penalty a feature, strongest first: a tie takes the stronger.

With d standardised features the mean eigenvalue of X X' is d, so that a penalty of `alpha / d` = 1
halves an average direction whatever the width of the encoder; 1000 is nearly the mean, 0.001 nearly
an exact fit. 1e15 is the mean, but for rounding: where nothing predicts better, the ridge says so
instead of following noise by a thousandth of a point.
"""


class Estimator(Protocol):
    """What `cross_validate` and `fit_model` need of a regression."""

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Learn from features (n, d), scores (n, n_targets) without gaps, participants (n,)."""
        ...

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        ...


class GroupedRidge(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Ridge regression on standardised features, each target with a penalty of its own.

    The penalty is the one with the least squared error over folds of whole participants; features
    are standardised within each of these folds. One singular value decomposition a fold serves all
    penalties and all targets.

    Parameters
    ----------
    penalties
        Candidates for `alpha / n_features`.
    n_inner_folds
        Folds of participants; fewer where there are fewer participants.
    random_state
        Seed of the folds.

    Attributes
    ----------
    squared_error_
        Mean squared error over the inner folds, shape (n_penalties, n_targets).
    alpha_
        Chosen ridge penalty of each target, shape (n_targets,).
    pipeline_
        StandardScaler and Ridge, fitted to all rows with `alpha_`.

    References
    ----------
    Hoerl AE, Kennard RW. Ridge regression. Technometrics 1970;12:55-67.
    """

    def __init__(
        self,
        penalties: tuple[float, ...] = PENALTIES,
        n_inner_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.penalties = penalties
        self.n_inner_folds = n_inner_folds
        self.random_state = random_state

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Tune and fit; X (n, d), y (n, n_targets) without missing values, groups (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        y = y.reshape(len(X), -1)
        check_consistent_length(X, groups)
        alphas = np.asarray(self.penalties) * X.shape[1]
        errors = np.zeros((len(alphas), y.shape[1]))
        for train, test in grouped_folds(groups, self.n_inner_folds, self.random_state):
            predicted = _path(X[train], y[train], alphas).predict(X[test])
            residuals = predicted.reshape(len(test), *errors.shape) - y[test, np.newaxis]
            errors += (residuals**2).sum(axis=0)
        self.squared_error_ = errors / len(X)
        self.alpha_ = alphas[errors.argmin(axis=0)]
        self.pipeline_ = _standardised(Ridge(self.alpha_, solver="svd")).fit(X, y)
        return self

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.pipeline_.predict(X)).reshape(len(X), -1)


def _standardised(ridge: Ridge) -> Pipeline:
    return make_pipeline(StandardScaler(), ridge)


def _path(X: Array, y: Array, alphas: Array) -> Pipeline:
    # every penalty as a further set of targets: scikit-learn's "svd" decomposes X once for all
    n_targets = y.shape[1]
    ridge = Ridge(np.repeat(alphas, n_targets), solver="svd")
    return _standardised(ridge).fit(X, np.tile(y, len(alphas)))


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
