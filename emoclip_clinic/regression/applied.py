"""The final model used on new recordings: scores, intervals, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.conformal import cv_plus
from emoclip_clinic.regression.crossval import participants_of
from emoclip_clinic.regression.fitted import (
    Features,
    FittedModel,
    Regression,
    TargetFacts,
    hashed,
    plain_features,
)
from emoclip_clinic.regression.inputs import Inputs

__all__ = ["MEAN_ONLY", "OUTSIDE", "PREDICTED", "SEEN", "accept", "predict", "require_covariates"]

Array = NDArray[np.float64]

PREDICTED = [
    *("participant", "session", "recording", "scale", "target", "model"),
    *("predicted", "interval_low", "interval_high", "outside", "note"),
]
SEEN = "training participant: not an independent prediction"
OUTSIDE = "unlike the training recordings: neither the score nor its interval can be relied on"
MEAN_ONLY = "the mean of the training scores: nothing in the features predicted this score"


def predict(
    model: FittedModel, x: pd.DataFrame | Inputs, recordings: pd.DataFrame, features: Features
) -> pd.DataFrame:
    """Predict every target of new recordings.

    Parameters
    ----------
    model
        From `fit_model` or `load`.
    x
        Features (index recording, columns as in training), or windows; with the covariates that
        the model needs.
    recordings
        Columns recording, participant, session; may hold further recordings.
    features
        What `x` was made with.

    Returns
    -------
    DataFrame
        Columns `PREDICTED`. The interval is that of `conformal.cv_plus`, widened where that does
        not reach the prediction. Both are cut to the range of the scale, which can only bring them
        nearer to a score; an interval that the number of training participants cannot support is
        the whole range. `outside` says that the recording is further from the training recordings
        than people of that cohort are (`novelty.Novelty`). `note` says it too, and marks
        participants whose recordings the model was fitted to, scores whose model is the training
        mean, and covariates that are not known of a recording.

    Raises
    ------
    ClinicError
        The features are of another encoder, pooling or width, a covariate is absent, or a recording
        is unknown.
    """
    inputs = accept(model, x, features)
    keys = recordings.set_index("recording").reindex(inputs.recordings)
    groups = participants_of(inputs.recordings, keys["participant"])
    seen = np.array([hashed(name) in model.training for name in groups], dtype=bool)
    outside = model.novelty.outside(plain_features(inputs, model.recipe.pooling).to_numpy(), seen)
    notes = _notes(model, inputs, seen, outside)
    predicted = {id(part): _predictions(part, inputs) for part in model.regressions}
    parts = [
        pd.DataFrame(
            {
                "participant": groups,
                "session": keys["session"].to_numpy(),
                "recording": inputs.recordings,
                "scale": model.scale,
                "target": facts.target,
                "model": model.recipe.name,
                "outside": outside,
                "note": ["; ".join([*own, *([MEAN_ONLY] * facts.mean_only)]) for own in notes],
                **_limits(model.level, facts, regression, column, *predicted[id(regression)]),
            }
        )
        for facts, regression, column in model.parts()
    ]
    return pd.concat(parts, ignore_index=True)[PREDICTED]


def accept(model: FittedModel, x: pd.DataFrame | Inputs, features: Features) -> Inputs:
    """Check that the model can be used on `x`, and keep of the covariates those it needs.

    Raises
    ------
    ClinicError
        The features are of another encoder, pooling or width, or a covariate is absent.
    """
    inputs = x if isinstance(x, Inputs) else Inputs.of_features(x)
    given = list(map(str, plain_features(inputs, model.recipe.pooling).columns))
    if features != model.features or given != list(model.feature_names):
        raise ClinicError(
            f"the model of {model.scale} was fitted to {len(model.feature_names)} features of "
            f"{model.features}; given are {len(given)} features of {features}. Encode the "
            f"recordings with --encoder {model.features.encoder}, or fit a model to these features."
        )
    given_too = inputs.covariates
    require_covariates(model, () if given_too is None else given_too.columns)
    needed = None if given_too is None else given_too[list(model.covariates)]
    return replace(inputs, covariates=needed if model.covariates else None)


def require_covariates(model: FittedModel, given: Iterable[str]) -> None:
    """Check that every covariate that the model needs is among those given.

    Raises
    ------
    ClinicError
        The message names those that are absent.
    """
    absent = [name for name in model.covariates if name not in set(given)]
    if absent:
        raise ClinicError(
            f"the model of {model.scale} ({model.recipe.name}) needs the covariates "
            f"{', '.join(model.covariates)}; not given: {', '.join(absent)}. Add these columns to "
            "participants.csv of the study that is predicted, or use a model without covariates."
        )


def _notes(
    model: FittedModel,
    inputs: Inputs,
    seen: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> list[list[str]]:
    """Say what is to be known of each recording, whatever the target."""
    marks = zip(seen.tolist(), outside.tolist(), strict=True)
    notes = [[SEEN] * known + [OUTSIDE] * far for known, far in marks]
    if inputs.covariates is not None:
        for own, gaps in zip(notes, inputs.covariates.isna().to_numpy(), strict=True):
            names = ", ".join(np.array(model.covariates)[gaps])
            own += [f"covariates not known: {names}"] if names else []
    return notes


def _predictions(regression: Regression, inputs: Inputs) -> tuple[Array, Array]:
    """By the final model, shape (n, n_targets), and by those of the folds, (n_folds, n, ...)."""
    folds = np.array([fold.predict(inputs) for fold in regression.folds])
    return regression.model.predict(inputs), folds


def _limits(
    level: float, facts: TargetFacts, part: Regression, column: int, predicted: Array, folds: Array
) -> dict[str, Any]:
    own = predicted[:, column]
    residuals = part.residuals[:, column]
    low, high = cv_plus(folds[:, :, column].T, residuals, part.fold_of, part.participant_of, level)
    limits = {
        "predicted": own,
        "interval_low": np.minimum(low, own),
        "interval_high": np.maximum(high, own),
    }
    return {name: np.clip(value, facts.lowest, facts.highest) for name, value in limits.items()}
