"""Ridge regression whose penalty is tuned by participant-grouped folds, for thousands of scores.

One decomposition of a training set serves every penalty and every score. With Z its standardised
features (n, d), the ridge prediction of new rows is

    mean(y) + directions * 1 / (s + alpha) * right (y - mean(y))

where for n <= d: s, U = eigh(Z Z'), directions = Z_new Z' U, right = U'; and for n > d:
s, V = eigh(Z' Z), directions = Z_new V, right = V' Z'. Only the factor 1 / (s + alpha) depends on
the penalty, and only the last factor on the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from emoclip_clinic.regression.folds import grouped_folds

__all__ = ["PENALTIES", "GroupedRidge"]

Array = NDArray[np.float64]

PENALTIES = (1e15, *np.logspace(3, -3, 13).tolist())
"""Ridge penalty a feature, strongest first: a tie takes the stronger.

With d standardised features the mean eigenvalue of X X' is d, so that a penalty of `alpha / d` = 1
halves an average direction whatever the width of the encoder; 1000 is nearly the mean, 0.001 nearly
an exact fit. 1e15 is the mean, but for rounding: where nothing predicts better, the ridge says so
instead of following noise by a thousandth of a point.
"""
# predictions of all penalties that are held at once: 1 MiB, which a core's cache holds
CHUNK = 2**17


class GroupedRidge(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Ridge regression on standardised features, each target with a penalty of its own.

    The penalty is the one with the least squared error over folds of whole participants; features
    are standardised within each of these folds.

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
    scaler_
        Standardises the features.
    weights_
        Points of the scale for a standard deviation of a feature, shape (n_targets, n_features).
    mean_
        Training mean of each target, shape (n_targets,).

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

    @property
    def coef_(self) -> Array:
        """Points of the scale for a unit of a feature, shape (n_targets, n_features)."""
        return np.asarray(self.weights_ / self.scaler_.scale_)

    @property
    def tuned_(self) -> list[dict[str, float | str]]:
        """What was chosen for each target."""
        return [{"alpha": float(alpha)} for alpha in self.alpha_]

    @property
    def intercept_(self) -> Array:
        """Prediction where every feature is 0, shape (n_targets,)."""
        return np.asarray(self.mean_ - self.coef_ @ self.scaler_.mean_)

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Tune and fit; X (n, d), y (n, n_targets) without missing values, groups (n,)."""
        training, y = self._tuned(X, y, groups)
        self.scaler_ = training.scaler
        self.weights_ = (training.left @ training.shrunk(y, self.alpha_)).T
        self.mean_ = y.mean(axis=0)
        return self

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.scaler_.transform(X) @ self.weights_.T + self.mean_)

    def fit_predict(self, X: Array, y: Array, groups: NDArray[Any], X_new: Array) -> Array:
        """Give what `fit` and `predict` give, without weights: for many more targets than rows."""
        training, y = self._tuned(X, y, groups)
        X_new = validate_data(self, X_new, dtype=np.float64, reset=False)
        return np.asarray(
            training.directions(X_new) @ training.shrunk(y, self.alpha_) + y.mean(axis=0)
        )

    def _tuned(self, X: Array, y: Array, groups: NDArray[Any]) -> tuple[_Decomposed, Array]:
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        y = y.reshape(len(X), -1)
        check_consistent_length(X, groups)
        alphas = np.asarray(self.penalties) * X.shape[1]
        errors = np.zeros((len(alphas), y.shape[1]))
        for train, test in grouped_folds(groups, self.n_inner_folds, self.random_state):
            _add_squared_errors(errors, alphas, X, y, train, test)
        self.squared_error_ = errors / len(X)
        self.alpha_ = alphas[errors.argmin(axis=0)]
        return _Decomposed(X), y


class _Decomposed:
    """A training set, decomposed.

    Parameters
    ----------
    X
        Features, shape (n, d).
    """

    def __init__(self, X: Array) -> None:
        self.scaler = StandardScaler()
        Z = self.scaler.fit_transform(X)
        if len(Z) <= Z.shape[1]:
            values, vectors = np.linalg.eigh(Z @ Z.T)
            self.left, self.right = Z.T @ vectors, vectors.T
        else:
            values, self.left = np.linalg.eigh(Z.T @ Z)
            self.right = self.left.T @ Z.T
        # rounding makes a zero eigenvalue slightly negative
        self.values = np.maximum(values, 0)

    def directions(self, X: Array) -> Array:
        """Coordinates of new rows, shape (n_new, rank)."""
        return np.asarray(self.scaler.transform(X) @ self.left)

    def shrunk(self, y: Array, alpha: Array) -> Array:
        """Coefficients of the directions for y (n, n_targets), shape (rank, n_targets)."""
        return np.asarray(self.right @ (y - y.mean(axis=0)) / (self.values[:, np.newaxis] + alpha))


def _add_squared_errors(
    errors: Array,
    alphas: Array,
    X: Array,
    y: Array,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> None:
    """Add to `errors` (n_penalties, n_targets) the squared errors of one inner fold."""
    training = _Decomposed(X[train])
    shrinkage = 1 / (training.values + alphas[:, np.newaxis])
    # every penalty's predictions in one product: shape (n_penalties * n_test, rank)
    paths = np.concatenate(training.directions(X[test]) * shrinkage[:, np.newaxis])
    for columns in _chunks(y.shape[1], len(paths)):
        scores = y[train, columns]
        mean = scores.mean(axis=0)
        residuals = (paths @ (training.right @ (scores - mean))).reshape(len(alphas), len(test), -1)
        residuals -= y[test, columns] - mean
        errors[:, columns] += np.einsum("atc,atc->ac", residuals, residuals)


def _chunks(n_targets: int, n_rows: int) -> Iterator[slice]:
    step = max(1, CHUNK // n_rows)
    for start in range(0, n_targets, step):
        yield slice(start, start + step)
