"""Where a new recording lies outside what the model was fitted to."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from emoclip_clinic.regression.folds import grouped_folds

__all__ = ["Novelty"]

Array = NDArray[np.float64]

ROWS_EACH = 5
"""Training recordings a component: with fewer, T2 tells little of where a new one lies."""


class Novelty(BaseEstimator):  # type: ignore[misc] # untyped
    """Distance from the training recordings, by principal components of their features.

    T2 (Hotelling) is how far a recording lies from their mean within the space of their components,
    in units of their spread; Q, the squared prediction error, how far it lies off that space.
    How far is far, the training recordings cannot say of themselves: the components are made for
    them. So the thresholds are what participants reach who were left out of the components (folds
    of whole participants): above one of them, a recording is further away than `share` of people of
    this cohort would be, and with fewer than 100 participants further than any. By chance a
    threshold is passed by one in 100, or one in so many.

    Parameters
    ----------
    share
        Of the participants left out who lie within each threshold.
    variance
        Share of the variance that the components explain, where there are recordings enough.
    n_folds, random_state
        Of the folds.

    Attributes
    ----------
    scaler_, components_
        StandardScaler and PCA of all rows.
    thresholds_
        Of T2 and Q, shape (2,).
    thresholds_seen_
        The same for the participants that it was fitted to, who may be further by T2 for that.

    References
    ----------
    Jackson JE, Mudholkar GS. Control procedures for residuals associated with principal component
    analysis. Technometrics 1979;21:341-349.
    """

    def __init__(
        self, share: float = 0.99, variance: float = 0.9, n_folds: int = 10, random_state: int = 0
    ) -> None:
        self.share = share
        self.variance = variance
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X: Array, groups: NDArray[Any]) -> Self:
        """Learn from the features (n, d) of the recordings and their participants (n,)."""
        X = validate_data(self, X, dtype=np.float64)
        folds = list(grouped_folds(groups, self.n_folds, self.random_state))
        fewest = min(len(train) for train, _ in folds)
        self.scaler_, self.components_ = self._learn(X, self._n_components(X, fewest))
        reached = np.empty((len(X), 2))
        for train, test in folds:
            parts = self._learn(X[train], self.components_.n_components)
            reached[test] = _distances(X[test], *parts)
        self.thresholds_ = self._threshold(reached, groups)
        own = self._threshold(_distances(X, self.scaler_, self.components_), groups)
        self.thresholds_seen_ = np.maximum(self.thresholds_, own)
        return self

    def _threshold(self, reached: Array, groups: NDArray[Any]) -> Array:
        """Give what `share` of the participants stay within with all their recordings."""
        furthest = [reached[groups == name].max(axis=0) for name in np.unique(groups)]
        return np.asarray(np.quantile(furthest, self.share, axis=0, method="higher"))

    def _n_components(self, X: Array, fewest: int) -> int:
        """Count the components that explain enough, and that the smallest training set allows."""
        most = max(1, min(fewest // ROWS_EACH, X.shape[1]))
        explained = np.cumsum(self._learn(X, most)[1].explained_variance_)
        total = StandardScaler().fit_transform(X).var(axis=0, ddof=1).sum()
        enough = explained >= self.variance * total
        return int(enough.argmax()) + 1 if enough.any() else most

    @staticmethod
    def _learn(X: Array, n_components: int) -> tuple[StandardScaler, PCA]:
        scaler = StandardScaler().fit(X)
        # recordings that are all alike have no variance to explain a share of
        with np.errstate(invalid="ignore"):
            return scaler, PCA(n_components, svd_solver="full").fit(scaler.transform(X))

    def distances(self, X: Array) -> Array:
        """T2 and Q of each row, shape (n, 2)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return _distances(X, self.scaler_, self.components_)

    def outside(self, X: Array, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say whether each row lies beyond a threshold, shape (n,); `seen`: of the training."""
        limits = np.where(seen[:, np.newaxis], self.thresholds_seen_, self.thresholds_)
        return np.asarray((self.distances(X) > limits).any(axis=1))


def _distances(X: Array, scaler: StandardScaler, components: PCA) -> Array:
    standard = scaler.transform(X)
    scores = components.transform(standard)
    spread = components.explained_variance_
    # a component without spread (all recordings are alike) tells nothing within; Q has what is off
    within = np.divide(scores**2, spread, out=np.zeros_like(scores), where=spread > 0)
    off = standard - components.inverse_transform(scores)
    return np.column_stack([within.sum(axis=1), (off**2).sum(axis=1)])
