"""How well out-of-fold predictions meet the scores, with intervals over participants.

Every metric is a function of weighted moments, the weights being how often a participant is in a
bootstrap sample (all 1 for the estimate itself): a matrix product gives thousands of resamples.
Formulas, references and what was found about the coverage of the intervals: docs/regression.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from emoclip_clinic.errors import ClinicError

__all__ = ["BASELINE", "COLUMNS", "METRICS", "metrics", "performance"]

Array = NDArray[np.float64]

BASELINE = "mean"
"""The model whose error is R2's denominator."""
METRICS = ("mae", "rmse", "r2", "pearson", "spearman", "ccc")
ASSOCIATIONS = ("pearson", "spearman", "ccc")
CORRECTED = ("r2", *ASSOCIATIONS)
COLUMNS = [
    *("scale", "target", "kind", "model", "metric", "value"),
    *("ci_low", "ci_high", "ci_low_corrected", "ci_high_corrected"),
    *("n_recordings", "n_participants", "note"),
]
# variance below this share of the whole sample's is rounding error of a constant, as are points of
# a scale below it
ROUNDING = 1e-10
# resamples in which a statistic is undefined, above which no interval is given
MOST_UNDEFINED = 0.05
# of r, rho and CCC, the variance that includes the training of the models over that which does not:
# in out-of-fold products each pair of recordings counts twice, once trained on and once tested
TRAINED = 2.0


def _log_error(r2: Array) -> Array:
    return np.log1p(-r2)


# on these scales a metric is nearly normal in small samples: (there, back)
SCALES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "mae": (np.log, np.exp),
    "rmse": (np.log, np.exp),
    "r2": (_log_error, lambda z: -np.expm1(z)),
    "pearson": (np.arctanh, np.tanh),
    "spearman": (np.arctanh, np.tanh),
    "ccc": (np.arctanh, np.tanh),
}


@dataclass(frozen=True)
class _Sample:
    """Paired scores of one target and model, recording by recording."""

    observed: Array
    predicted: Array
    baseline: Array
    participant: NDArray[np.intp]
    """Number of the participant, 0 to n_participants - 1."""

    @property
    def departure(self) -> Array:
        """What the model says beyond its training mean; the prediction where that is unknown."""
        return _departure(self.predicted, self.baseline)


def performance(
    predictions: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    n_resamples: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Give every metric of every target and model with its interval over participants.

    The intervals resample participants with all their recordings. On a scale where the metric is
    nearly normal (Fisher's z for the correlations, the log for errors and for 1 - R2) they are
    estimate +- t x the bootstrap standard error, t of n_participants - 1 degrees of freedom. That
    error is of the folds' models as they are; for pearson, spearman and ccc its square is doubled,
    because other participants would have trained other models (Nadeau C, Bengio Y, Machine
    Learning 2003;52:239-281, of cross-validation).

    Parameters
    ----------
    predictions
        Columns scale, participant, recording, target, model, observed, predicted (mean over
        repeats). R2 needs the model "mean" too.
    kinds
        Kind of each target ("item", "subscale", "total").
    n_resamples
        Bootstrap samples of participants.
    seed
        Fixes the samples; all targets with the same participants share them.
    level
        Of the intervals; the corrected ones hold at `level` for all targets of a kind together
        (Bonferroni).

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; a row for each metric. An undefined value or interval is missing, with
        a note that says why.

    Raises
    ------
    ClinicError
        No kind is known for a target.
    """
    unknown = [name for name in predictions["target"].unique() if name not in kinds]
    if unknown:
        raise ClinicError(f"no kind (item, subscale, total) is given for {', '.join(unknown)}.")
    targets = predictions[["scale", "target"]].drop_duplicates()
    n_of_kind = Counter(zip(targets["scale"], targets["target"].map(kinds), strict=True))
    counts = _Counts(n_resamples, seed)
    rows = []
    for (scale, target), table in predictions.groupby(["scale", "target"], sort=False):
        kind = kinds[str(target)]
        keys = {"scale": scale, "target": target, "kind": kind}
        together = n_of_kind[scale, kind]
        for model, sample in _samples(table):
            found = _rows(sample, counts.of(sample), level, together, model == BASELINE)
            rows += [{**keys, "model": model, **row} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


class _Counts:
    """How often each participant is in each resample; drawn once a number of participants."""

    def __init__(self, n_resamples: int, seed: int) -> None:
        self.n_resamples = n_resamples
        self.seed = seed
        self._drawn: dict[int, Array] = {}

    def of(self, sample: _Sample) -> Array:
        """Weights of the recordings, shape (n_resamples, n_recordings)."""
        n = int(sample.participant.max()) + 1
        if n not in self._drawn:
            generator = np.random.default_rng(self.seed)
            counts = generator.multinomial(n, np.full(n, 1 / n), self.n_resamples)
            self._drawn[n] = counts.astype(float)
        return self._drawn[n][:, sample.participant]


def _samples(table: pd.DataFrame) -> Iterator[tuple[str, _Sample]]:
    """Split one target's predictions by model, each beside the baseline's."""
    by_model = table.pivot(index="recording", columns="model", values="predicted")
    once = table.drop_duplicates("recording").set_index("recording").loc[by_model.index]
    participant = pd.factorize(once["participant"], sort=True)[0]
    baseline = by_model.reindex(columns=[BASELINE])[BASELINE].to_numpy()
    for model in table["model"].unique():
        predicted = by_model[model].to_numpy()
        yield model, _Sample(once["observed"].to_numpy(), predicted, baseline, participant)


def _rows(
    sample: _Sample, weights: Array, level: float, together: int, is_baseline: bool
) -> Iterator[dict[str, Any]]:
    estimates = metrics(sample.observed, sample.predicted, sample.baseline)
    resampled = metrics(sample.observed, sample.predicted, sample.baseline, weights)
    n = int(sample.participant.max()) + 1
    for metric in METRICS:
        value, note = estimates[metric].item(), _why_undefined(sample, metric, is_baseline)
        limits = [np.nan] * 4
        if note:
            value = np.nan
        elif (error := _standard_error(metric, resampled[metric], n)) is None:
            note = "no interval: undefined in too many resamples"
        else:
            limits[:2] = _interval(metric, value, error, level, n)
            if metric in CORRECTED:
                limits[2:] = _interval(metric, value, error, 1 - (1 - level) / together, n)
        yield {
            "metric": metric,
            "value": value,
            "note": note,
            **dict(zip(COLUMNS[6:10], limits, strict=True)),
            "n_recordings": len(sample.observed),
            "n_participants": n,
        }


def _why_undefined(sample: _Sample, metric: str, is_baseline: bool) -> str:
    if metric == "r2" and is_baseline:
        return "the baseline itself"
    if metric == "r2" and np.isnan(sample.baseline).any():
        return f"needs the predictions of '{BASELINE}'"
    if metric not in ASSOCIATIONS:
        return ""
    if is_baseline:
        return "not informative: varies only with the fold, against the score"
    if np.ptp(sample.observed) == 0:
        return "undefined: observed scores are constant"
    # agreement with a constant is 0, association with it is not a number
    if np.ptp(sample.departure) <= ROUNDING and metric != "ccc":
        return "undefined: the model says nothing beyond the mean"
    return ""


def _standard_error(metric: str, resampled: Array, n: int) -> float | None:
    """Give the standard error on the metric's scale, or None where it cannot be had."""
    there, _ = SCALES[metric]
    with np.errstate(divide="ignore", invalid="ignore"):
        on_scale = there(resampled)
    defined = on_scale[np.isfinite(on_scale)]
    if n < 2 or len(defined) < (1 - MOST_UNDEFINED) * len(resampled):
        return None
    trained = TRAINED if metric in ASSOCIATIONS else 1
    # the bootstrap's variance is that of n draws about their own mean: (n - 1) / n too small
    return float(defined.std() * np.sqrt(trained * n / (n - 1)))


def _interval(metric: str, value: float, error: float, level: float, n: int) -> list[float]:
    there, back = SCALES[metric]
    half = stats.t.ppf((1 + level) / 2, n - 1) * error
    # 1 - R2 falls as R2 rises: sort
    return sorted(float(back(there(value) + sign * half)) for sign in (-1, 1))


def metrics(
    observed: Array, predicted: Array, baseline: Array, weights: Array | None = None
) -> dict[str, Array]:
    """Compute all metrics for every row of weights at once.

    Parameters
    ----------
    observed, predicted, baseline
        Scores, shape (n_recordings,); `baseline` is the out-of-fold mean.
    weights
        How often each recording counts, shape (n_resamples, n_recordings); once each if absent.

    Returns
    -------
    dict
        Metric -> shape (n_resamples,), NaN where undefined. mae and rmse: errors in points of the
        scale. r2: 1 - SSE / SSE of the baseline. pearson, spearman (ties share their mean rank):
        of the observed scores with predicted - baseline, since the mean of a fold's training set,
        which says nothing of a person, is low where the test fold is high. ccc: Lin's concordance
        2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2) of the predictions as they are, with variances
        over n, as in Lin LI, Biometrics 1989;45:255-268.
    """
    if weights is None:
        weights = np.ones((1, len(observed)))
    total = weights.sum(axis=1)
    residual = observed - predicted
    squared = weights @ residual**2
    departure = _departure(predicted, baseline)
    with np.errstate(divide="ignore", invalid="ignore"):
        ranks = _ranks(weights, observed), _ranks(weights, departure)
        return {
            "mae": weights @ np.abs(residual) / total,
            "rmse": np.sqrt(squared / total),
            "r2": 1 - squared / (weights @ (observed - baseline) ** 2),
            "pearson": _association(weights, observed, departure)[0],
            "spearman": _association(weights, *ranks)[0],
            "ccc": _association(weights, observed, predicted)[1],
        }


def _departure(predicted: Array, baseline: Array) -> Array:
    if np.isnan(baseline).any():
        return predicted
    # the mean itself departs by rounding error, which has ranks and correlates
    return np.where(np.abs(predicted - baseline) > ROUNDING, predicted - baseline, 0.0)


def _association(weights: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Pearson's r and Lin's CCC of x and y, each (n,) or a row a resample."""
    share = weights / weights.sum(axis=1, keepdims=True)
    shift_x, shift_y = x - x.mean(), y - y.mean()
    mean_x, mean_y = (share * shift_x).sum(axis=1), (share * shift_y).sum(axis=1)
    var_x = (share * shift_x**2).sum(axis=1) - mean_x**2
    var_y = (share * shift_y**2).sum(axis=1) - mean_y**2
    covariance = (share * shift_x * shift_y).sum(axis=1) - mean_x * mean_y
    apart = mean_x - mean_y + x.mean() - y.mean()
    varies = (var_x > ROUNDING * x.var()) & (var_y > ROUNDING * y.var())
    pearson = np.where(varies, covariance / np.sqrt(var_x * var_y), np.nan)
    return np.clip(pearson, -1, 1), 2 * covariance / (var_x + var_y + apart**2)


def _ranks(weights: Array, values: Array) -> Array:
    """Mid-ranks less a half of the values in each resample, shape of `weights`."""
    _, code, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    tied = np.add.reduceat(weights[:, np.argsort(code)], starts, axis=1)
    return (np.cumsum(tied, axis=1) - tied / 2)[:, code]
