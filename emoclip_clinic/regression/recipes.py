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
from emoclip_clinic.regression.inputs import Inputs

__all__ = ["Recipe", "RecipeModel"]

Array = NDArray[np.float64]

PATTERN = re.compile(r"(?P<estimator>\w+)(@(?P<pooling>\w+))?(?P<rule>[+-]covariates)?")
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
            The text is of another form, or names an estimator that is not known.
        """
        found = PATTERN.fullmatch(text)
        if text == "covariates":
            return cls(text, "ridge", pooling, "only")
        if found is None:
            raise SettingsError(
                f"model = {text!r}; allowed: ESTIMATOR, ESTIMATOR@POOLING, either with +covariates "
                "(added) or -covariates (regressed out), or 'covariates' alone."
            )
        estimators.require(found["estimator"])
        return cls(text, found["estimator"], found["pooling"] or pooling, RULES[found["rule"]])

    @property
    def joint(self) -> bool:
        """Whether targets share what is learnt, so that they cannot stand in for one another."""
        return estimators.REGISTRY[self.estimator].joint

    def warm(self, inputs: Inputs) -> None:
        """Compute what every fold would compute again: features that no fold learns."""
        inputs.pooled(self.pooling)

    def make(self, n_inner_folds: int, seed: int) -> RecipeModel:
        """Make the model, unfitted."""
        return RecipeModel(self.estimator, self.pooling, self.covariates, n_inner_folds, seed)


class RecipeModel(BaseEstimator):  # type: ignore[misc] # untyped
    """Pooling, covariates and regression, learnt together from the training recordings alone.

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
        X, row_of = self.learn_rows(inputs)
        model = estimators.make(self.estimator, self.n_inner_folds, self.random_state)
        self.model_ = model.fit(X, y[row_of], groups[row_of])
        return self

    def predict(self, inputs: Inputs) -> Array:
        """Scores of the recordings, shape (n, n_targets)."""
        X, row_of = self.rows(inputs)
        return _by_recording(self.model_.predict(X), row_of)

    def fit_predict(self, inputs: Inputs, y: Array, groups: NDArray[Any], new: Inputs) -> Array:
        """Give what `fit` and `predict` give, sooner where there are thousands of targets."""
        model = estimators.make(self.estimator, self.n_inner_folds, self.random_state)
        if not hasattr(model, "fit_predict"):
            return self.fit(inputs, y, groups).predict(new)
        X, row_of = self.learn_rows(inputs)
        X_new, new_row_of = self.rows(new)
        predicted = model.fit_predict(X, y[row_of], groups[row_of], X_new)
        return _by_recording(predicted, new_row_of)

    def learn_rows(self, inputs: Inputs) -> tuple[Array, NDArray[np.intp]]:
        """Learn what the pooling learns, then give `rows`."""
        return self.rows(inputs)

    def rows(self, inputs: Inputs) -> tuple[Array, NDArray[np.intp]]:
        """Features that the regression sees, and the recording (position) of each row."""
        return inputs.pooled(self.pooling).to_numpy(), np.arange(len(inputs))


def _by_recording(predicted: Array, row_of: NDArray[np.intp]) -> Array:
    """Average the predictions of the rows of each recording; every recording has a row."""
    n_rows = np.bincount(row_of)
    if (n_rows == 1).all():
        return predicted
    sums = np.zeros((len(n_rows), predicted.shape[1]))
    np.add.at(sums, row_of, predicted)
    return sums / n_rows[:, np.newaxis]
