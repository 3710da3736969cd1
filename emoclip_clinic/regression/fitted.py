"""The final model: fitted to all recordings, used on new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.regression import estimators
from emoclip_clinic.regression.crossval import align, participants_of, same_recordings
from emoclip_clinic.regression.estimators import Estimator
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.inputs import Inputs

__all__ = [
    "PREDICTED",
    "Features",
    "FittedModel",
    "TargetFacts",
    "fit_model",
    "predict",
    "residual_half_width",
]

PREDICTED = [
    *("participant", "session", "recording", "scale", "target", "model"),
    *("predicted", "interval_low", "interval_high", "note"),
]
Regressions = tuple[tuple[tuple[str, ...], Estimator], ...]
SEEN = "training participant: not an independent prediction"
MEAN_ONLY = "the mean of the training scores: nothing in the features predicted this score"


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
    alpha: float | None
    """Ridge penalty chosen on all training participants; None where nothing is tuned."""
    n_recordings: int
    """Recordings it was fitted to."""
    n_participants: int
    """Participants it was fitted to."""
    lowest: float
    """Lowest possible score."""
    highest: float
    """Highest possible score."""
    half_width: float | None
    """Of the prediction interval, in points; None: too few residuals for the level."""


@dataclass(frozen=True)
class FittedModel:
    """Regressions of all targets of a scale, with what is needed to use them rightly."""

    scale: str
    """Name of the scale."""
    estimator: str
    """Name in `estimators.REGISTRY`."""
    features: Features
    """The features it was fitted to."""
    feature_names: tuple[str, ...]
    """Columns of the features, in order."""
    level: float
    """Of the prediction intervals."""
    targets: tuple[TargetFacts, ...]
    """In the order of the scale."""
    training: tuple[str, ...]
    """SHA-256 of the id of every training participant, to know them again; no anonymisation."""
    regressions: Regressions
    """Targets that were fitted together, with their regression."""

    def facts(self) -> dict[str, Any]:
        """All but the regressions, as JSON can hold it."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del named["regressions"]
        return {
            **named,
            "features": asdict(self.features),
            "targets": [asdict(target) for target in self.targets],
        }


def fit_model(
    x: pd.DataFrame | Inputs,
    targets: pd.DataFrame,
    participants: pd.Series,
    predictions: pd.DataFrame,
    *,
    scale: str,
    features: Features,
    ranges: Mapping[str, tuple[float, float]],
    design: Design,
    estimator: str = "ridge",
    level: float = 0.95,
) -> FittedModel:
    """Fit the model for new participants to all recordings.

    The penalty is tuned by folds of participants, as in each fold of the cross-validation.

    Parameters
    ----------
    x, targets, participants
        As given to `cross_validate`.
    predictions
        What it returned: the targets that can be fitted, and how wide their intervals are.
    scale, features
        What is predicted, from what.
    ranges
        Lowest and highest possible score of each target.
    design
        Inner folds and seed.
    estimator
        Name in `estimators.REGISTRY`; `predictions` must have it as a model.
    level
        Of the prediction intervals.
    """
    own = predictions[predictions["model"] == estimator]
    inputs, targets, _ = align(x, targets[list(own["target"].unique())])
    x = inputs.pooled(features.pooling)
    groups = participants_of(x.index, participants)
    regressions = tuple(
        (tuple(names), _fitted(estimator, design, x[rows], targets.loc[rows, names], groups[rows]))
        for rows, names in same_recordings(targets)
    )
    alphas = _alphas(regressions)
    facts = []
    for name, table in own.groupby("target", sort=False):
        residuals = (table["observed"] - table["predicted"]).to_numpy()
        facts.append(
            TargetFacts(
                target=str(name),
                alpha=alphas.get(str(name)),
                n_recordings=len(table),
                n_participants=table["participant"].nunique(),
                lowest=float(ranges[str(name)][0]),
                highest=float(ranges[str(name)][1]),
                half_width=residual_half_width(residuals, level),
            )
        )
    return FittedModel(
        scale=scale,
        estimator=estimator,
        features=features,
        feature_names=tuple(map(str, x.columns)),
        level=level,
        targets=tuple(facts),
        training=tuple(sorted({_hashed(name) for name in groups})),
        regressions=regressions,
    )


def _fitted(
    estimator: str, design: Design, x: pd.DataFrame, y: pd.DataFrame, groups: NDArray[np.object_]
) -> Estimator:
    model = estimators.make(estimator, design.n_inner_folds, design.seed)
    return model.fit(x.to_numpy(), y.to_numpy(), groups)


def _alphas(regressions: Regressions) -> dict[str, float]:
    """Penalty of each target, where the estimator tunes one."""
    return {
        name: float(alpha)
        for names, model in regressions
        for name, alpha in zip(names, getattr(model, "alpha_", ()), strict=False)
    }


def residual_half_width(residuals: NDArray[np.float64], level: float) -> float | None:
    """Half width of an interval from out-of-fold residuals.

    The ceil((n + 1) level)-th smallest absolute residual, as in split conformal prediction: if a
    new participant's residual is exchangeable with the n out-of-fold ones, prediction +- this
    holds the score with probability `level`. Here that is approximate (the final model has seen
    more recordings than those of the folds; recordings of one person are not independent; the
    width is one for all, whoever is predicted). None where n is too small for the level.
    """
    rank = ceil((len(residuals) + 1) * level)
    if rank > len(residuals):
        return None
    return float(np.sort(np.abs(residuals))[rank - 1])


def _hashed(participant: str) -> str:
    return sha256_bytes(participant.encode())


def predict(
    model: FittedModel, x: pd.DataFrame, recordings: pd.DataFrame, features: Features
) -> pd.DataFrame:
    """Predict every target of new recordings.

    Parameters
    ----------
    model
        From `fit_model` or `load`.
    x
        Features; index recording, columns as in training.
    recordings
        Columns recording, participant, session; may hold further recordings.
    features
        What `x` was made with.

    Returns
    -------
    DataFrame
        Columns `PREDICTED`. The prediction and its interval are cut to the range of the scale,
        which can only bring them nearer to a score; an interval that the number of training
        recordings cannot support is the whole range. `note` marks participants whose recordings
        the model was fitted to, and scores whose model is the training mean.

    Raises
    ------
    ClinicError
        The features are of another encoder, pooling or width, or a recording is unknown.
    """
    if features != model.features or list(map(str, x.columns)) != list(model.feature_names):
        raise ClinicError(
            f"the model of {model.scale} was fitted to {len(model.feature_names)} features of "
            f"{model.features}; given are {x.shape[1]} features of {features}. Encode the "
            f"recordings with --encoder {model.features.encoder}, or fit a model to these features."
        )
    keys = recordings.set_index("recording").reindex(x.index)
    groups = participants_of(x.index, keys["participant"])
    seen = np.isin([_hashed(name) for name in groups], model.training)
    values = x.to_numpy(dtype=float)
    predicted: dict[str, NDArray[np.float64]] = {}
    for names, regression in model.regressions:
        predicted.update(zip(names, regression.predict(values).T, strict=True))
    parts = [
        pd.DataFrame(
            {
                "participant": groups,
                "session": keys["session"].to_numpy(),
                "recording": x.index,
                "scale": model.scale,
                "target": facts.target,
                "model": model.estimator,
                "note": _notes(facts, len(model.feature_names), seen),
                **_within_range(predicted[facts.target], facts),
            }
        )
        for facts in model.targets
    ]
    return pd.concat(parts, ignore_index=True)[PREDICTED]


def _notes(facts: TargetFacts, n_features: int, seen: NDArray[np.bool_]) -> list[str]:
    # the strongest penalty is the mean
    mean_only = facts.alpha is not None and facts.alpha >= estimators.PENALTIES[0] * n_features
    own = [MEAN_ONLY] if mean_only else []
    return ["; ".join([SEEN, *own] if known else own) for known in seen]


def _within_range(predicted: NDArray[np.float64], facts: TargetFacts) -> dict[str, Any]:
    half = np.inf if facts.half_width is None else facts.half_width
    limits = {
        "predicted": predicted,
        "interval_low": predicted - half,
        "interval_high": predicted + half,
    }
    return {name: np.clip(value, facts.lowest, facts.highest) for name, value in limits.items()}
