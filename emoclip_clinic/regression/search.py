"""Tune any scikit-learn regressor by participant-grouped folds, each target for itself."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid
from sklearn.multioutput import MultiOutputRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from emoclip_clinic.regression.candidates import RULES
from emoclip_clinic.regression.folds import grouped_folds

__all__ = ["MEAN", "GroupedSearch"]

Array = NDArray[np.float64]

MEAN = -1
"""In `chosen_`: nothing predicted better than the training mean, so that is the model."""


class GroupedSearch(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Grid search over folds of whole participants, with the training mean as one candidate.

    Features and scores are standardised within every training set, inner ones too. A candidate's
    error is its squared error over the inner folds. Where no candidate is better than the training
    mean, the mean is the model, and says so.

    Parameters
    ----------
    kind
        Name in `candidates.RULES`: what makes the regressor, and what is tried.
    n_inner_folds
        Folds of participants; fewer where there are fewer participants.
    random_state
        Seed of the folds, and of regressors that are random.

    Attributes
    ----------
    squared_error_
        Mean squared error over the inner folds, shape (1 + n_candidates, n_targets), the mean's
        first; not there where nothing is tuned.
    chosen_
        Candidate of each target, or `MEAN`, shape (n_targets,).
    candidates_
        Their parameters.
    models_
        Pairs of target numbers and what was fitted to them together.
    scaler_, mean_, scale_
        What features and scores were standardised by.
    n_not_converged_
        Fits that stopped before the optimiser was content.
    """

    def __init__(self, kind: str, n_inner_folds: int = 5, random_state: int = 0) -> None:
        self.kind = kind
        self.n_inner_folds = n_inner_folds
        self.random_state = random_state

    @property
    def tuned_(self) -> list[dict[str, float | str]]:
        """What was chosen for each target."""
        return [
            {"model": "the training mean"} if number == MEAN else dict(self.candidates_[number])
            for number in self.chosen_
        ]

    def fit(self, X: Array, y: Array, groups: NDArray[Any]) -> Self:
        """Tune and fit; X (n, d), y (n, n_targets) without missing values, groups (n,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        y = y.reshape(len(X), -1)
        check_consistent_length(X, groups)
        rule = RULES[self.kind]
        self.candidates_ = list(ParameterGrid(rule.grid))
        self.n_not_converged_ = 0
        self.chosen_ = np.zeros(y.shape[1], dtype=int)
        if len(self.candidates_) > 1:
            self.squared_error_ = self._search(X, y, groups)
            error = self.squared_error_
            if rule.joint:
                shares = error / _centre(y)[1] ** 2
                error = np.repeat(shares.mean(axis=1, keepdims=True), y.shape[1], axis=1)
            self.chosen_ = error.argmin(axis=0) - 1
        self.scaler_ = StandardScaler().fit(X)
        self.mean_, self.scale_ = _centre(y)
        self.chosen_[np.ptp(y, axis=0) == 0] = MEAN
        Z, standardised = self.scaler_.transform(X), (y - self.mean_) / self.scale_
        self.models_ = []
        for candidate in sorted(set(self.chosen_) - {MEAN}):
            targets = np.flatnonzero(self.chosen_ == candidate)
            model = self._fitted(candidate, Z, standardised[:, targets])
            self.models_.append((targets, model))
        return self

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        Z = self.scaler_.transform(X)
        predicted = np.tile(self.mean_, (len(X), 1))
        for targets, model in self.models_:
            found = np.asarray(model.predict(Z)).reshape(len(X), -1)
            predicted[:, targets] += found * self.scale_[targets]
        return predicted

    def _search(self, X: Array, y: Array, groups: NDArray[Any]) -> Array:
        errors = np.zeros((1 + len(self.candidates_), y.shape[1]))
        for train, test in grouped_folds(groups, self.n_inner_folds, self.random_state):
            scaler = StandardScaler().fit(X[train])
            mean, scale = _centre(y[train])
            Z, unseen = scaler.transform(X[train]), scaler.transform(X[test])
            known, true = (y[train] - mean) / scale, y[test] - mean
            errors[0] += (true**2).sum(axis=0)
            for number in range(len(self.candidates_)):
                found = np.zeros(true.shape)
                # a score that a fold has only one value of is that value
                varies = np.flatnonzero(known.any(axis=0))
                if len(varies):
                    model = self._fitted(number, Z, known[:, varies])
                    found[:, varies] = np.reshape(model.predict(unseen), (len(test), -1))
                errors[1 + number] += ((found * scale - true) ** 2).sum(axis=0)
        return errors / len(X)

    def _fitted(self, candidate: int, Z: Array, y: Array) -> Any:
        rule = RULES[self.kind]
        model = rule.make(Z.shape, self.random_state, **self.candidates_[candidate])
        if not rule.many:
            model = MultiOutputRegressor(model)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model.fit(Z, y[:, 0] if rule.many and y.shape[1] == 1 else y)
        # what trained a network is not what it learnt, and no saved model holds it
        vars(model).pop("_optimizer", None)
        for one in told:
            if issubclass(one.category, ConvergenceWarning):
                self.n_not_converged_ += not rule.stops
            elif not rule.harmless or rule.harmless not in str(one.message):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        return model


def _centre(y: Array) -> tuple[Array, Array]:
    """Mean and SD of each target; an SD of 1 where there is none."""
    spread = y.std(axis=0)
    return y.mean(axis=0), np.where(spread > 0, spread, 1.0)
