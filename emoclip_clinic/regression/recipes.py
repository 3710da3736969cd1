"""What a model is made of: how windows are pooled, what is done with covariates, the regression."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression import estimators
from emoclip_clinic.regression.covariates import (
    Category,
    CovariateEncoder,
    CovariateRegression,
    Number,
    require_covariates,
)
from emoclip_clinic.regression.fisher import FisherVectors
from emoclip_clinic.regression.frames import FRAMES
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.pooling import POOLINGS, require_pooling

__all__ = ["TRUSTED_CLASSES", "Recipe", "RecipeModel"]

Array = NDArray[np.float64]

PATTERN = re.compile(r"(?P<estimator>\w+)(@(?P<pooling>\w+))?(?P<rule>[+-]covariates)?")
REGRESSED = ("add", "remove")
"""Rules for which features are regressed on the covariates."""
RULES = {None: "ignore", "+covariates": "add", "-covariates": "remove"}


@dataclass(frozen=True)
class Recipe:
    """A model in words, such as "ridge", "svr@quantiles", "ridge+covariates" or "covariates"."""

    name: str
    """As the tables call it."""
    estimator: str = "ridge"
    """Name in `estimators.REGISTRY`."""
    pooling: str = field(default="mean_sd", compare=False)
    """Name in `pooling.POOLINGS`."""
    covariates: str = "ignore"
    """"ignore"; "only": no features; "add": beside the features, not penalised; "remove": regressed
    out of the features."""

    @classmethod
    def parse(cls, text: str, pooling: str = "mean_sd") -> Self:
        """Read `ESTIMATOR[@POOLING][+covariates|-covariates]`, or `covariates` alone.

        Raises
        ------
        SettingsError
            The text is of another form, or names an estimator or pooling that is not known.
        """
        found = PATTERN.fullmatch(text)
        require_pooling(found["pooling"] if found and found["pooling"] else pooling)
        if text == "covariates":
            return cls(text, "ridge", pooling, "only")
        if found is None:
            raise SettingsError(
                f"model = {text!r}; allowed: ESTIMATOR, ESTIMATOR@POOLING, either with +covariates "
                "(added) or -covariates (regressed out), or 'covariates' alone."
            )
        estimators.require(found["estimator"])
        rule = RULES[found["rule"]]
        how = _pooling_of(found["estimator"], found["pooling"], pooling, text)
        if rule != "ignore" and how == FRAMES:
            raise SettingsError(
                f"model = {text!r}: covariates cannot be taken out of frames. Use "
                f"{found['estimator']} as it is, or head{found['rule']}."
            )
        if rule == "add" and estimators.REGISTRY[found["estimator"]].categories:
            raise SettingsError(
                f"model = {text!r}: what covariates leave of a score is no category. Use "
                f"{found['estimator']}-covariates, or +covariates with another regression."
            )
        return cls(text, found["estimator"], how, rule)

    @property
    def joint(self) -> bool:
        """Whether targets share what is learnt, so that they cannot stand in for one another."""
        return estimators.REGISTRY[self.estimator].joint

    def warm(self, inputs: Inputs) -> None:
        """Compute what every fold would compute again: features that no fold learns.

        Raises
        ------
        SettingsError
            The inputs lack the covariates or windows that the recipe needs.
        """
        if self.covariates != "ignore":
            require_covariates(inputs.covariates)
        if self.covariates == "only":
            return
        if POOLINGS[self.pooling].needs_windows:
            inputs.windows(self.pooling)
        else:
            inputs.pooled(self.pooling)

    def make(self, n_inner_folds: int, seed: int) -> RecipeModel:
        """Make the model, unfitted."""
        return RecipeModel(self.estimator, self.pooling, self.covariates, n_inner_folds, seed)


def _pooling_of(estimator: str, asked: str | None, usual: str, text: str) -> str:
    """Choose the pooling, and refuse one that the estimator does not take."""
    own = estimators.REGISTRY[estimator].pooling
    chosen = asked or own or usual
    if (own or chosen == FRAMES) and chosen != own:
        takes = f"{estimator} takes {own} alone" if own else f"{estimator} does not take frames"
        tuned = ", ".join(name for name, kind in estimators.REGISTRY.items() if kind.pooling)
        raise SettingsError(f"model = {text!r}: {takes}; models that take frames: {tuned}.")
    return chosen


class RecipeModel(BaseEstimator):  # type: ignore[misc] # untyped
    """Pooling, covariates and regression, learnt together from the training recordings alone.

    "add" leaves covariates out of the penalty (Frisch & Waugh 1933): the regression learns what
    least squares on the covariates leaves of the scores, from what it leaves of the features, and
    the part of the covariates is added to what it predicts. The folds within the training set, by
    which the regression is tuned, share this least squares of the whole training set, and a learnt
    pooling; the recordings that are predicted have no part in either.

    Parameters
    ----------
    estimator, pooling, covariates
        As in `Recipe`.
    n_inner_folds
        Folds of participants for whatever is tuned.
    random_state
        Seed of these folds, and of an estimator or pooling that is random.

    Attributes
    ----------
    model_
        The fitted regression.
    pooling_
        The fitted pooling, where it is one that learns.
    encoder_
        The covariates as numbers, where there are any.
    features_on_, scores_on_
        Least squares of features ("add", "remove") and scores ("add") on the covariates.

    References
    ----------
    Frisch R, Waugh FV. Partial time regressions as compared with individual trends. Econometrica
    1933;1:387-401.
    """

    def __init__(
        self,
        estimator: str = "ridge",
        pooling: str = "mean_sd",
        covariates: str = "ignore",
        n_inner_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.pooling = pooling
        self.covariates = covariates
        self.n_inner_folds = n_inner_folds
        self.random_state = random_state

    def fit(self, inputs: Inputs, y: Array, groups: NDArray[Any]) -> Self:
        """Learn from the recordings of `inputs`: y (n, n_targets) without gaps, groups (n,)."""
        X, y, groups = self._learn(inputs, y, groups)
        model = estimators.make(self.estimator, self.n_inner_folds, self.random_state)
        if isinstance(model, estimators.TunedHead):
            # given to `fit` alone: no saved model holds what training began with
            layers = None if inputs.frames is None else inputs.frames.layers
            self.model_: estimators.Estimator = model.fit(X, y, groups, layers)
        else:
            self.model_ = model.fit(X, y, groups)
        return self

    def predict(self, inputs: Inputs) -> Array:
        """Scores of the recordings, shape (n, n_targets)."""
        X, row_of = self.rows(inputs)
        return self._by_recording(self.model_.predict(X), inputs, row_of)

    @property
    def rows_are_windows(self) -> bool:
        """Whether each window is predicted by itself."""
        how = POOLINGS[self.pooling]
        return self.covariates != "only" and how.needs_windows and not how.learns

    def predict_rows(self, inputs: Inputs) -> Array:
        """Scores of the rows that the regression sees, shape (n_rows, n_targets)."""
        return self.model_.predict(self.rows(inputs)[0])

    def fit_predict(self, inputs: Inputs, y: Array, groups: NDArray[Any], new: Inputs) -> Array:
        """Give what `fit` and `predict` give, sooner where there are thousands of targets."""
        model = estimators.make(self.estimator, self.n_inner_folds, self.random_state)
        if not hasattr(model, "fit_predict"):
            return self.fit(inputs, y, groups).predict(new)
        X, y, groups = self._learn(inputs, y, groups)
        X_new, row_of = self.rows(new)
        return self._by_recording(model.fit_predict(X, y, groups, X_new), new, row_of)

    def learn_rows(self, inputs: Inputs) -> tuple[Array, NDArray[np.intp]]:
        """Learn the pooling, the covariates and what they explain of features; give `rows`."""
        make_pooling = POOLINGS[self.pooling].learner
        if make_pooling and self.covariates != "only":
            self.pooling_ = make_pooling(self.random_state).fit(*inputs.windows(self.pooling))
        if self.covariates != "ignore":
            self.encoder_ = CovariateEncoder().fit(require_covariates(inputs.covariates))
        if self.covariates in REGRESSED:
            X, row_of = self._features(inputs)
            self.features_on_ = CovariateRegression().fit(self._encoded(inputs)[row_of], X)
        return self.rows(inputs)

    def rows(self, inputs: Inputs) -> tuple[Array, NDArray[np.intp]]:
        """Features that the regression sees, and the recording (position) of each row."""
        if self.covariates == "only":
            return self._encoded(inputs), np.arange(len(inputs))
        X, row_of = self._features(inputs)
        if self.covariates in REGRESSED:
            X = self.features_on_.residuals(self._encoded(inputs)[row_of], X)
        return X, row_of

    def _learn(
        self, inputs: Inputs, y: Array, groups: NDArray[Any]
    ) -> tuple[Array, Array, NDArray[Any]]:
        """Features, scores and participants of the rows that the regression learns from."""
        X, row_of = self.learn_rows(inputs)
        y = y[row_of]
        if self.covariates == "add":
            known = self._encoded(inputs)[row_of]
            self.scores_on_ = CovariateRegression().fit(known, y)
            y = self.scores_on_.residuals(known, y)
        return X, y, groups[row_of]

    def _features(self, inputs: Inputs) -> tuple[Array, NDArray[np.intp]]:
        """Features as they are pooled, and the recording of each row."""
        how = POOLINGS[self.pooling]
        if not how.needs_windows:
            return inputs.pooled(self.pooling).to_numpy(), np.arange(len(inputs))
        vectors, window_of = inputs.windows(self.pooling)
        if not how.learns:
            return vectors, window_of
        return self.pooling_.transform(vectors, window_of), np.arange(len(inputs))

    def _encoded(self, inputs: Inputs) -> Array:
        return np.asarray(self.encoder_.transform(require_covariates(inputs.covariates)))

    def _by_recording(self, predicted: Array, inputs: Inputs, row_of: NDArray[np.intp]) -> Array:
        """Average the rows of each recording, and add what the covariates say of it."""
        predicted = _averaged(predicted, row_of)
        if self.covariates == "add":
            predicted = predicted + self.scores_on_.predict(self._encoded(inputs))
        return predicted


TRUSTED_CLASSES: tuple[type, ...] = (
    *(RecipeModel, FisherVectors),
    *(CovariateEncoder, CovariateRegression, Number, Category),
)
"""What a saved model may hold beside its regression."""


def _averaged(predicted: Array, row_of: NDArray[np.intp]) -> Array:
    """Average the predictions of the rows of each recording; every recording has a row."""
    n_rows = np.bincount(row_of)
    if (n_rows == 1).all():
        return predicted
    sums = np.zeros((len(n_rows), predicted.shape[1]))
    np.add.at(sums, row_of, predicted)
    return sums / n_rows[:, np.newaxis]
