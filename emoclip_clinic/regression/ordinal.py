"""Ordinal regression with a ridge penalty: proportional odds for items of a few ordered ratings."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["OrdinalRidge"]

Array = NDArray[np.float64]

# thresholds of a score with many values may come close, and not together
CLOSEST = 1e-6
# features of which a training set knows nothing but rounding error
RANK_TOLERANCE = 1e-10


class OrdinalRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Cumulative-logit (proportional-odds) model that predicts the expected score.

    P(score <= k | x) = logistic(threshold_k - x' beta), fitted by the greatest penalised
    likelihood: sum of log P - alpha / 2 |beta|^2. The scores that the training set has are the
    categories, whatever their distances; only their order enters the model, and their values the
    expectation.

    Parameters
    ----------
    alpha
        Penalty; 0 is maximum likelihood, which many features can separate.
    max_iter
        Steps of L-BFGS.

    Attributes
    ----------
    values_
        Scores that occur, ascending, shape (n_values,).
    thresholds_
        Shape (n_values - 1,), ascending.
    coef_
        Shape (n_features,).
    n_iter_
        Steps taken.

    References
    ----------
    McCullagh P. Regression models for ordinal data. J R Stat Soc B 1980;42:109-142.
    """

    def __init__(self, alpha: float = 1.0, max_iter: int = 500) -> None:
        self.alpha = alpha
        self.max_iter = max_iter

    def fit(self, X: Array, y: Array) -> Self:
        """Fit to features (n, d) and scores (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.values_, category = np.unique(y, return_inverse=True)
        if len(self.values_) == 1:
            self.thresholds_, self.coef_ = np.zeros(0), np.zeros(X.shape[1])
            return self
        # the penalised optimum lies in the space of the rows: as many coordinates as it has
        eigenvalues, vectors = np.linalg.eigh(X @ X.T)
        kept = eigenvalues > RANK_TOLERANCE * max(eigenvalues[-1], 1e-300)
        spread, vectors = np.sqrt(eigenvalues[kept]), vectors[:, kept]
        rows = vectors * spread
        shares = np.cumsum(np.bincount(category))[:-1] / len(y)
        first = np.log(shares / (1 - shares))
        start = np.r_[first[0], np.log(np.maximum(np.diff(first), CLOSEST)), np.zeros(len(spread))]
        found = minimize(
            _loss,
            start,
            args=(rows, category, len(self.values_), self.alpha),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter},
        )
        n = len(self.values_) - 1
        self.thresholds_ = _thresholds(found.x[:n])
        self.coef_ = X.T @ (vectors @ (found.x[n:] / spread))
        self.n_iter_ = int(found.nit)
        return self

    def predict_proba(self, X: Array) -> Array:
        """Probability of each value, shape (n, n_values)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        below = expit(self.thresholds_ - (X @ self.coef_)[:, np.newaxis])
        ends = np.zeros((len(X), 1)), np.ones((len(X), 1))
        return np.diff(np.hstack([ends[0], below, ends[1]]), axis=1)

    def predict(self, X: Array) -> Array:
        """Give the expected score, shape (n,)."""
        return np.asarray(self.predict_proba(X) @ self.values_)


def _thresholds(free: Array) -> Array:
    """Ascending thresholds of free numbers: the first, and the logs of the steps."""
    return np.cumsum(np.r_[free[0], np.exp(free[1:])])


def _loss(
    parameters: Array, rows: Array, category: NDArray[np.intp], n_values: int, alpha: float
) -> tuple[float, Array]:
    """Penalised negative log likelihood, and its gradient.

    With a the threshold above a score and b the one below, less the linear predictor each:
    P = s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), s the logistic function.
    """
    n = n_values - 1
    free, beta = parameters[:n], parameters[n:]
    bounds = np.r_[-np.inf, _thresholds(free), np.inf]
    linear = rows @ beta
    above, below = bounds[category + 1] - linear, bounds[category] - linear
    gap = np.where(np.isfinite(above) & np.isfinite(below), below - above, -np.inf)
    log_p = log_expit(above) + log_expit(-below) + np.log(-np.expm1(gap))
    closeness = np.where(np.isfinite(gap), 1 / np.expm1(-gap), 0.0)
    of_above = -(expit(-above) + closeness)
    of_below = expit(below) + closeness
    by_bound = np.bincount(category + 1, of_above, n_values + 1)
    by_bound += np.bincount(category, of_below, n_values + 1)
    # a step moves every threshold from its own on
    later = np.cumsum(by_bound[1:-1][::-1])[::-1]
    of_free = np.r_[later[0], later[1:] * np.exp(free[1:])]
    of_beta = alpha * beta - rows.T @ (of_above + of_below)
    return float(alpha / 2 * beta @ beta - log_p.sum()), np.r_[of_free, of_beta]
