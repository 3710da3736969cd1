"""The final model: what was learnt, and what is needed to use it rightly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.novelty import Novelty
from emoclip_clinic.regression.recipes import Recipe, RecipeModel

__all__ = [
    "Features",
    "FittedModel",
    "Regression",
    "TargetFacts",
    "hashed",
    "plain_features",
]

Array = NDArray[np.float64]

# poolings that every fold does alike; for any other, novelty looks at the default's features
FIXED_POOLINGS = ("mean", "mean_sd")


@dataclass(frozen=True)
class Features:
    """What the features of a model are; a model works with no others."""

    encoder: str
    """Name of the encoder."""
    fingerprint: str
    """Fingerprint of its weights."""
    pooling: str
    """How windows became a vector a recording."""

    def __str__(self) -> str:
        return f"{self.encoder} ({self.fingerprint[:12]}), pooled by {self.pooling}"


@dataclass(frozen=True)
class TargetFacts:
    """What is known about the model of one target."""

    target: str
    """Name of the item, subscale or total."""
    tuned: Mapping[str, float | str]
    """What was chosen on all training participants, such as the ridge penalty "alpha"."""
    n_recordings: int
    """Recordings it was fitted to."""
    n_participants: int
    """Participants it was fitted to."""
    lowest: float
    """Lowest possible score."""
    highest: float
    """Highest possible score."""
    score_mean: float
    """Of the training scores."""
    score_sd: float
    """Of the training scores (n - 1)."""
    score_min: float
    """Lowest training score."""
    score_max: float
    """Highest training score."""
    mean_predicted: float
    """Mean prediction of the training recordings: what drivers of a prediction are relative to."""
    mean_only: bool
    """Every prediction is the same: nothing in the features predicted this score."""


@dataclass(frozen=True, eq=False)
class Regression:
    """Targets that were fitted together, to the same recordings."""

    targets: tuple[str, ...]
    """Their names, in the order of the columns of what is predicted."""
    model: RecipeModel
    """Fitted to all recordings."""
    folds: tuple[RecipeModel, ...]
    """Those of the first repeat of the cross-validation, each without its fold's participants."""
    residuals: Array
    """Observed - predicted out of fold, shape (n, n_targets), in an order that tells nothing."""
    fold_of: NDArray[np.intp]
    """Position in `folds` of the model that left each recording out, shape (n,)."""
    participant_of: NDArray[np.intp]
    """Numbers of their participants, which tell nothing either, shape (n,)."""


@dataclass(frozen=True)
class FittedModel:
    """Regressions of all targets of a scale, with what is needed to use them rightly."""

    scale: str
    """Name of the scale."""
    recipe: Recipe
    """Pooling, covariates and estimator."""
    features: Features
    """The features it was fitted to."""
    feature_names: tuple[str, ...]
    """Of the pooled features (see `plain_features`), in order."""
    covariates: tuple[str, ...]
    """Those that it needs, in order."""
    level: float
    """Of the prediction intervals."""
    design: Design
    """How it was validated and tuned."""
    targets: tuple[TargetFacts, ...]
    """In the order of the scale."""
    n_recordings: int
    """All it was fitted to."""
    n_participants: int
    """All it was fitted to."""
    groups: Mapping[str, Mapping[str, int]]
    """Column -> value -> participants; only where no small count could be had (see `final`)."""
    training: tuple[str, ...]
    """SHA-256 of the id of every training participant, to know them again; no anonymisation."""
    versions: Mapping[str, str]
    """Python, this package and the libraries that the archive is made of."""
    regressions: tuple[Regression, ...]
    """Targets that were fitted together, with their models."""
    novelty: Novelty
    """Knows what lies outside the training recordings."""

    def facts(self) -> dict[str, Any]:
        """All that was not learnt into arrays, as JSON can hold it."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del named["regressions"], named["novelty"]
        for name in ("recipe", "features", "design"):
            named[name] = asdict(named[name])
        return {**named, "targets": [asdict(target) for target in self.targets]}

    def parts(self) -> Iterator[tuple[TargetFacts, Regression, int]]:
        """Every target with its regression and its column there, in the order of the scale."""
        places = {
            name: (regression, column)
            for regression in self.regressions
            for column, name in enumerate(regression.targets)
        }
        for facts in self.targets:
            yield facts, *places[facts.target]


def plain_features(inputs: Inputs, pooling: str) -> pd.DataFrame:
    """Features by a pooling that learns nothing: the recipe's, or else mean and SD."""
    return inputs.pooled(pooling if pooling in FIXED_POOLINGS else "mean_sd")


def hashed(participant: str) -> str:
    """Give what `FittedModel.training` holds of a participant."""
    return sha256_bytes(participant.encode())
