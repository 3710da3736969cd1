"""What moves a prediction: the windows of a recording; and whether the folds agree about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.fitted import (
    FIXED_POOLINGS,
    FittedModel,
    Regression,
    plain_features,
)
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.recipes import RecipeModel

__all__ = [
    "DRIVERS",
    "EXACT",
    "OCCLUSION",
    "STABILITY",
    "coefficients",
    "drivers",
    "fold_stability",
    "stability",
]

Array = NDArray[np.float64]

DRIVERS = ["recording", "window", "start_s", "stop_s", "target", "contribution", "method"]
STABILITY = ["target", "n_models", "n_mean_only", "cosine", "sign_agreement"]
EXACT = "exact"
"""Contributions add up to the prediction less the mean prediction."""
OCCLUSION = "leave-one-window-out"
"""Prediction with the window less that without it; contributions do not add up."""
# recordings less a window that are predicted at once: some MB
AT_ONCE = 64
# coefficients that move no prediction by this share of the scale's range are those of the mean
ROUNDING = 1e-9


def drivers(model: FittedModel, inputs: Inputs, segments: pd.DataFrame) -> pd.DataFrame:
    """Say how much each window moves each score of its recording.

    A linear model of mean and SD over n windows is a sum over them: of its coefficients times
    x_w / n for the mean m, times (x_w - m)^2 / (n s) for the SD s (which add up to s; 0 where s is
    0). An n-th of the intercept less the mean prediction of the training recordings is added to
    each, so that they sum to the prediction, before it is cut to the range of the scale, less that
    mean. Of any other model, and of one with covariates, the contribution is the prediction less
    that without the window; of a recording's only window, less the mean prediction.

    Parameters
    ----------
    model
        From `fit_model` or `load`.
    inputs
        Windows, as `applied.accept` gives them.
    segments
        Columns recording, window, start_s, stop_s: a row a window, in the order in which the
        windows were given to `Inputs.of_windows`.

    Returns
    -------
    DataFrame
        Columns `DRIVERS`, sorted by recording, window, then target; contribution in points of the
        scale; method is `EXACT` or `OCCLUSION`. It tells what the model does, not what the score
        comes from.

    Raises
    ------
    ClinicError
        The inputs were pooled elsewhere, or the segments are not theirs.
    """
    windows = _windows(inputs, segments)
    means = {facts.target: facts.mean_predicted for facts in model.targets}
    found: dict[str, Array] = {}
    methods: dict[str, str] = {}
    for regression in model.regressions:
        mean = np.array([means[name] for name in regression.targets])
        moved = _exact(regression, inputs, mean)
        method = OCCLUSION if moved is None else EXACT
        moved = _occluded(regression.model, inputs, mean) if moved is None else moved
        found |= dict(zip(regression.targets, moved.T, strict=True))
        methods |= dict.fromkeys(regression.targets, method)
    table = windows.loc[windows.index.repeat(len(means))].reset_index(drop=True)
    return table.assign(
        target=np.tile([*means], len(windows)),
        contribution=np.column_stack([found[name] for name in means]).ravel(),
        method=np.tile([methods[name] for name in means], len(windows)),
    )


def _windows(inputs: Inputs, segments: pd.DataFrame) -> pd.DataFrame:
    """Put the segments into the order of the windows."""
    if inputs.features is not None:
        raise ClinicError(
            "drivers are of windows; given are features that were pooled already. Give the "
            "windows' embeddings (Inputs.of_windows)."
        )
    names = segments["recording"].to_numpy(dtype=str)
    windows = segments[DRIVERS[:4]].iloc[np.argsort(names, kind="stable")].reset_index(drop=True)
    if list(windows["recording"]) != list(inputs.recordings[inputs.window_of]):
        raise ClinicError(
            f"{len(segments)} segments are given for {len(inputs.vectors)} windows of "
            f"{len(inputs)} recordings; allowed is a row a window. Give the table that came with "
            "the embeddings."
        )
    return windows


def coefficients(model: RecipeModel) -> tuple[Array, Array] | None:
    """Coefficients of the features (n_targets, d) and intercepts (n_targets,); None: not linear.

    They hold for the features as they are pooled, whatever is standardised within.
    """
    estimator = model.model_
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        return np.atleast_2d(estimator.coef_), np.ravel(estimator.intercept_)
    steps = getattr(estimator, "pipeline_", None)
    if not (isinstance(steps, Pipeline) and len(steps) == 2 and hasattr(steps[-1], "coef_")):
        return None
    scaler, linear = steps
    if not isinstance(scaler, StandardScaler):
        return None
    raw = np.atleast_2d(linear.coef_) / scaler.scale_
    return raw, np.ravel(linear.intercept_) - raw @ scaler.mean_


def _linear(model: RecipeModel, width: int) -> tuple[Array, Array] | None:
    """Give the coefficients where they are of mean (and SD) of the windows, and nothing else."""
    found = coefficients(model)
    plain = model.pooling in FIXED_POOLINGS and model.covariates == "ignore"
    return found if plain and found is not None and found[0].shape[1] == width else None


def _exact(regression: Regression, inputs: Inputs, mean: Array) -> Array | None:
    """Contributions of the windows, shape (n_windows, n_targets); None where there are none."""
    model = regression.model
    width = plain_features(inputs, model.pooling).shape[1]
    linear = _linear(model, width)
    if linear is None:
        return None
    by_feature, intercept = linear
    moved = np.concatenate(
        [_shares(part, model.pooling) @ by_feature.T for part in _by_recording(inputs)]
    )
    n_windows = np.bincount(inputs.window_of)
    moved += ((intercept - mean) / n_windows[:, np.newaxis])[inputs.window_of]
    sums = np.zeros((len(inputs), len(mean)))
    np.add.at(sums, inputs.window_of, moved)
    # whatever calls its attributes coefficients: exact is what adds up
    adds_up = np.allclose(sums + mean, model.predict(inputs), rtol=1e-6, atol=1e-6)
    return moved if adds_up else None


def _shares(vectors: Array, pooling: str) -> Array:
    """Divide a recording's features among its windows, shape (n_windows, n_features)."""
    n = len(vectors)
    if pooling == "mean":
        return vectors / n
    squares, sd = (vectors - vectors.mean(axis=0)) ** 2, vectors.std(axis=0)
    spread = np.divide(squares, n * sd, out=np.zeros_like(squares), where=sd > 0)
    return np.hstack([vectors / n, spread])


def _by_recording(inputs: Inputs) -> Iterator[Array]:
    starts = np.searchsorted(inputs.window_of, np.arange(1, len(inputs)))
    yield from np.split(inputs.vectors, starts)


def _occluded(model: RecipeModel, inputs: Inputs, mean: Array) -> Array:
    """Prediction less that without each window, shape (n_windows, n_targets)."""
    if model.rows_are_windows:
        return _left_out_of_mean(model, inputs, mean)
    moved = []
    for number, vectors in enumerate(_by_recording(inputs)):
        one = inputs.take(np.array([number]))
        without = [mean[np.newaxis]] if len(vectors) == 1 else _without_each(model, one)
        moved.append(model.predict(one) - np.concatenate(list(without)))
    return np.concatenate(moved)


def _left_out_of_mean(model: RecipeModel, inputs: Inputs, mean: Array) -> Array:
    """Give the same where a prediction is the mean p of n windows: (p_w - p) / (n - 1)."""
    every = model.predict_rows(inputs)
    sums = np.zeros((len(inputs), every.shape[1]))
    np.add.at(sums, inputs.window_of, every)
    n = np.bincount(inputs.window_of)[inputs.window_of, np.newaxis]
    known = model.predict(inputs)[inputs.window_of]
    return np.where(
        n > 1, (every - sums[inputs.window_of] / n) / np.maximum(n - 1, 1), known - mean
    )


def _without_each(model: RecipeModel, one: Inputs) -> Iterator[Array]:
    """Predict a recording less each of its windows, some at a time."""
    n = len(one.vectors)
    for start in range(0, n, AT_ONCE):
        left_out = range(start, min(start + AT_ONCE, n))
        # sorted as they are counted, so that predictions come in this order
        names = [f"{window:09d}" for window in left_out]
        vectors = np.concatenate([np.delete(one.vectors, window, axis=0) for window in left_out])
        covariates = one.covariates
        if covariates is not None:
            covariates = covariates.iloc[np.zeros(len(names), dtype=int)].set_axis(names)
        yield model.predict(Inputs.of_windows(vectors, np.repeat(names, n - 1), covariates))


def stability(coefficients: Array, targets: Sequence[str]) -> pd.DataFrame:
    """Say how alike the coefficients are of models that were fitted to other participants.

    Parameters
    ----------
    coefficients
        Shape (n_models, n_targets, d): of the models of folds, of one repeat or of several; best
        per SD of the features. A model that is the mean has zeros.
    targets
        Names, shape (n_targets,).

    Returns
    -------
    DataFrame
        A row a target, columns `STABILITY`. n_models: those that are not the mean; n_mean_only:
        the others; cosine: mean cosine similarity of their pairs; sign_agreement: of the pairs of
        coefficients of a feature that are both not 0, the share with the same sign. Models that
        have nothing in common are near 0 and 0.5; but models of folds share most of their
        participants, so that high values are no evidence of an effect. Missing below two models.
    """
    rows = []
    for target, every in zip(targets, np.swapaxes(coefficients, 0, 1), strict=True):
        size = np.linalg.norm(every, axis=1)
        used, n = every[size > 0], int((size > 0).sum())
        total = (used / size[size > 0, np.newaxis]).sum(axis=0)
        signs, known = np.sign(used).sum(axis=0), (used != 0).sum(axis=0)
        # over pairs, twice: same less opposite signs, and all of them
        net, pairs = (signs**2 - known).sum(), (known**2 - known).sum()
        rows.append(
            {
                "target": target,
                "n_models": n,
                "n_mean_only": len(every) - n,
                "cosine": (total @ total - n) / (n * (n - 1)) if n > 1 else np.nan,
                "sign_agreement": (1 + net / pairs) / 2 if pairs else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=STABILITY)


def fold_stability(model: FittedModel) -> pd.DataFrame:
    """Give the stability over the folds of a fitted model, coefficients per SD of the features.

    Returns
    -------
    DataFrame
        As `stability`, targets in the order of the scale; no row where the model is not linear.
    """
    ranges = {facts.target: facts.highest - facts.lowest for facts in model.targets}
    tables = []
    for regression in model.regressions:
        found = [_linear(fold, len(model.feature_names)) for fold in regression.folds]
        known = [one[0] for one in found if one is not None]
        if len(known) < len(found):
            continue
        per_sd = np.array(known) * model.novelty.scaler_.scale_
        least = ROUNDING * np.array([ranges[name] for name in regression.targets])
        mean_only = np.linalg.norm(per_sd, axis=2) <= least
        per_sd[mean_only] = 0
        tables.append(stability(per_sd, regression.targets))
    if not tables:
        return pd.DataFrame(columns=STABILITY)
    order = [*ranges]
    return pd.concat(tables).sort_values(
        "target", key=lambda names: names.map(order.index), ignore_index=True
    )
