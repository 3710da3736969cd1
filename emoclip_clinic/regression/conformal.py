"""Prediction intervals from out-of-fold residuals, by participants: CV+ and its measured coverage.

Residuals of one person are alike, so that the unit here is the participant: each weighs the same,
however many recordings there are of them.

References
----------
Barber RF, Candes EJ, Ramdas A, Tibshirani RJ. Predictive inference with the jackknife+. Annals of
Statistics 2021;49:486-507.
Dunn R, Wasserman L, Ramdas A. Distribution-free prediction sets for two-layer hierarchical models.
Journal of the American Statistical Association 2023;118:2491-2502.
Lee Y, Barber RF, Willett R. Distribution-free inference with hierarchical data. arXiv:2306.06342.
Vovk V. Cross-conformal predictors. Annals of Mathematics and Artificial Intelligence
2015;74:9-28.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import SettingsError

__all__ = ["COVERAGE", "cv_plus", "fewest_participants", "measured_coverage"]

Array = NDArray[np.float64]

COVERAGE = [
    *("target", "level", "coverage", "ci_low", "ci_high", "mean_width"),
    *("n_recordings", "n_participants", "note"),
]
# sums of weights such as 19 times 1 / 20 fall short of 0.95 by rounding error
ROUNDING = 1e-9


def cv_plus(
    fold_predictions: Array,
    residuals: Array,
    fold_of: NDArray[np.intp],
    participant_of: NDArray[Any],
    level: float = 0.95,
) -> tuple[Array, Array]:
    """Give the CV+ interval of new recordings, every participant weighing the same.

    With R_i the residual of recording i by the model k(i) of the fold in which it was left out, the
    upper limit is the `level` quantile of mu_k(i)(x) + |R_i| over the recordings i, the lower one
    minus that of -(mu_k(i)(x) - |R_i|). Of K participants, one with N recordings gives each the
    weight 1 / ((K + 1) N); the new participant's 1 / (K + 1) lies at infinity. With one recording
    each this is CV+ (Barber et al. 2021, section 3); with as many folds as recordings, the
    jackknife+.

    Participants that are exchangeable are covered with probability 2 level - 1 at least, whatever
    the model (with k folds, at most (1 - k / K) / (k + 1) less); with a model that leaving out a
    fold changes little, with about `level`.

    Parameters
    ----------
    fold_predictions
        Of the new recordings by the model of each fold, shape (n_new, n_folds).
    residuals
        Out-of-fold residuals of the training recordings, shape (n,).
    fold_of
        Column of `fold_predictions` that belongs to each, shape (n,).
    participant_of
        Their participants, shape (n,).
    level
        Between 0 and 1.

    Returns
    -------
    low, high
        Shape (n_new,); infinite where so few participants cannot support the level.

    Raises
    ------
    SettingsError
        `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise SettingsError(f"level = {level}; allowed: above 0 and below 1, such as 0.95.")
    weights = _weights(participant_of)
    centre, radius = np.asarray(fold_predictions)[:, fold_of], np.abs(residuals)
    low = -_upper_quantile(radius - centre, weights, level)
    return low, _upper_quantile(centre + radius, weights, level)


def fewest_participants(level: float) -> int:
    """Participants below which no finite interval has this level: 19 for 95 %."""
    return int(np.ceil(level / (1 - level) - ROUNDING))


def _weights(participant_of: NDArray[Any]) -> Array:
    """Weight of each recording; they sum to K / (K + 1)."""
    _, who, n_of = np.unique(participant_of, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / ((len(n_of) + 1) * n_of[who.ravel()]))


def _upper_quantile(values: Array, weights: Array, level: float) -> Array:
    """Least value of each row below which, itself included, lies the weight `level`."""
    order = np.argsort(values, axis=1, kind="stable")
    reached = np.cumsum(weights[order], axis=1) >= level - ROUNDING
    ends = np.concatenate([np.take_along_axis(values, order, axis=1), _infinite(values)], axis=1)
    first = np.concatenate([reached, np.ones((len(values), 1), bool)], axis=1).argmax(axis=1)
    return np.asarray(ends[np.arange(len(values)), first])


def _infinite(values: Array) -> Array:
    return np.full((len(values), 1), np.inf)


def measured_coverage(
    by_repeat: pd.DataFrame,
    ranges: Mapping[str, tuple[float, float]],
    *,
    level: float = 0.95,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure on the cohort itself how often intervals of this width hold the score.

    Each recording's interval is its out-of-fold prediction plus and minus the `level` quantile of
    the absolute residuals of the participants in the other folds of its repeat, weighted as in
    `cv_plus` (cross-conformal, Vovk 2015). It shows how wide the intervals are, and whether one
    fold's participants are covered by what was learnt from the others'. It says nothing of people
    unlike the cohort, and models of other folds have seen the recording: no independent test.

    Parameters
    ----------
    by_repeat
        Of one model: columns repeat, fold, participant, recording, target, observed, predicted.
    ranges
        Lowest and highest possible score of each target: what intervals are cut to.
    level
        Of the prediction intervals.
    confidence
        Of the interval of the coverage.

    Returns
    -------
    DataFrame
        A row a target, columns `COVERAGE`. coverage: the mean over participants of the share of
        their recordings (and repeats) that is covered; ci_low and ci_high: Wilson's interval for
        so many participants, conservative where they have several recordings; mean_width, in points
        of the scale; note: where participants are too few for the level, which gives the whole
        range of the scale.
    """
    rows = []
    for target, table in by_repeat.groupby("target", sort=False):
        covered, width, too_few = _covered(table, *ranges[str(target)], level)
        people = table.assign(covered=covered, width=width).groupby("participant")
        coverage, n = float(people["covered"].mean().mean()), people.ngroups
        fewest = fewest_participants(level)
        rows.append(
            {
                "target": target,
                "level": level,
                "coverage": coverage,
                **dict(zip(("ci_low", "ci_high"), _wilson(coverage, n, confidence), strict=True)),
                "mean_width": float(people["width"].mean().mean()),
                "n_recordings": table["recording"].nunique(),
                "n_participants": n,
                "note": f"fewer than {fewest} participants in the other folds: the interval is the "
                "whole range of the scale"
                if too_few
                else "",
            }
        )
    return pd.DataFrame(rows, columns=COVERAGE)


def _covered(
    table: pd.DataFrame, lowest: float, highest: float, level: float
) -> tuple[NDArray[np.bool_], Array, bool]:
    """Say which rows are covered, how wide each interval is, and whether any had no limits."""
    observed, predicted = table["observed"].to_numpy(float), table["predicted"].to_numpy(float)
    people, error = table["participant"].to_numpy(), np.abs(observed - predicted)
    half = np.empty(len(table))
    for rows in table.groupby("repeat").indices.values():
        folds = table["fold"].to_numpy()[rows]
        for fold in np.unique(folds):
            others = rows[folds != fold]
            weights = _weights(people[others])
            quantile = _upper_quantile(error[np.newaxis, others], weights, level)
            half[rows[folds == fold]] = quantile[0]
    low = np.clip(predicted - half, lowest, highest)
    high = np.clip(predicted + half, lowest, highest)
    within = (low <= observed) & (observed <= high)
    return within, high - low, bool(np.isinf(half).any())


def _wilson(share: float, n: int, confidence: float) -> tuple[float, float]:
    # here, because importing statsmodels takes longer than all that `predict` needs
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(share * n, n, alpha=1 - confidence, method="wilson")
    return float(low), float(high)
