"""The regressions by name.

An estimator here is a scikit-learn regressor for many targets at once whose `fit` also takes the
participants, so that whatever it tunes, it tunes on folds of whole participants. `REGISTRY` names
them; a new one is an entry there and no change elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.frames import FRAMES
from emoclip_clinic.regression.ordinal import OrdinalRidge
from emoclip_clinic.regression.ridge import PENALTIES, GroupedRidge
from emoclip_clinic.regression.search import GroupedSearch
from emoclip_clinic.regression.tuned import TunedHead

__all__ = [
    "KINDS",
    "PENALTIES",
    "REGISTRY",
    "Estimator",
    "GroupedRidge",
    "GroupedSearch",
    "Kind",
    "TrainingMean",
    "TunedHead",
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

    @property
    def tuned_(self) -> list[dict[str, float | str]]:
        """What was chosen for each target: names and values."""
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

    @property
    def tuned_(self) -> list[dict[str, float | str]]:
        """Give nothing: nothing is chosen."""
        return [{} for _ in np.ravel(self.dummy_.constant_)]

    def predict(self, X: Array) -> Array:
        """Scores, shape (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.dummy_.predict(X)).reshape(len(X), -1)


@dataclass(frozen=True)
class Kind:
    """A regression that `fit` knows."""

    make: Callable[[int, int], Estimator]
    """Makes one, unfitted, from a number of inner folds and a seed."""
    label: str
    """In words, as a report says it."""
    reference: str
    """Who published it."""
    categories: bool = False
    """Whether scores are categories to it: what covariates leave of them is none."""
    joint: bool = False
    """Whether its targets share what is learnt: other targets beside would change it."""
    pooling: str = ""
    """The one pooling that it takes, which takes no other regression; empty: all others."""


def _searched(kind: str) -> Callable[[int, int], Estimator]:
    return partial(GroupedSearch, kind)


REGISTRY: dict[str, Kind] = {
    "ridge": Kind(
        lambda n_inner_folds, seed: GroupedRidge(PENALTIES, n_inner_folds, seed),
        "ridge regression",
        "Hoerl AE, Kennard RW. Technometrics 1970;12:55-67",
    ),
    "kernel_ridge": Kind(
        _searched("kernel_ridge"),
        "kernel ridge regression with a Gaussian kernel",
        "Saunders C, Gammerman A, Vovk V. ICML 1998:515-521",
    ),
    "svr": Kind(
        _searched("svr"),
        "support vector regression with a Gaussian kernel",
        "Smola AJ, Schölkopf B. Statistics and Computing 2004;14:199-222",
    ),
    "pls": Kind(
        _searched("pls"),
        "partial least squares regression",
        "Wold S, Sjöström M, Eriksson L. Chemometr Intell Lab Syst 2001;58:109-130",
    ),
    "elastic_net": Kind(
        _searched("elastic_net"),
        "elastic net regression",
        "Zou H, Hastie T. J R Stat Soc B 2005;67:301-320",
    ),
    "gaussian_process": Kind(
        _searched("gaussian_process"),
        "Gaussian process regression",
        "Rasmussen CE, Williams CKI. Gaussian Processes for Machine Learning. MIT Press, 2006",
    ),
    "head": Kind(
        _searched("head"),
        "a neural network with one hidden layer of 256 units",
        "Foteinopoulou NM, Patras I. FG 2024, arXiv:2310.16640",
        joint=True,
    ),
    "head_tuned": Kind(
        TunedHead,
        "the encoder's temporal layers and a hidden layer of 256 units, tuned together",
        "Foteinopoulou NM, Patras I. FG 2024, arXiv:2310.16640",
        joint=True,
        pooling=FRAMES,
    ),
    "ordinal": Kind(
        _searched("ordinal"),
        "proportional-odds regression with a ridge penalty",
        "McCullagh P. J R Stat Soc B 1980;42:109-142",
        categories=True,
    ),
    "mean": Kind(lambda n_inner_folds, seed: TrainingMean(), "the mean", ""),
}
"""Every regression by its name; a new one is an entry here and no change elsewhere."""

KINDS: tuple[type, ...] = (GroupedRidge, GroupedSearch, OrdinalRidge, TrainingMean, TunedHead)
"""Their classes: what a saved model may hold."""


def make(name: str, n_inner_folds: int, seed: int) -> Estimator:
    """Make the estimator of that name, unfitted.

    Raises
    ------
    SettingsError
        There is none; the message lists the names.
    """
    require(name)
    return REGISTRY[name].make(n_inner_folds, seed)


def require(name: str) -> None:
    """Refuse a name that is not in `REGISTRY`.

    Raises
    ------
    SettingsError
        The message lists the names.
    """
    if name not in REGISTRY:
        raise SettingsError(f"estimator = {name!r}; allowed: {', '.join(REGISTRY)}.")
