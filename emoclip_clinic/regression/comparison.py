"""Is one model better than another: paired differences, for these predictions and for new folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.regression.measures import METRICS
from emoclip_clinic.regression.sample import BASELINE, Sample, samples, tables

__all__ = ["COLUMNS", "FoldTest", "compare", "corrected_t"]

Array = NDArray[np.float64]

COLUMNS = [
    *("scale", "target", "model_a", "model_b", "metric", "value_a", "value_b"),
    *("difference", "ci_low", "ci_high", "p_bootstrap"),
    *("fold_loss", "fold_difference", "fold_ci_low", "fold_ci_high", "p_corrected_t", "n_folds"),
    *("n_recordings", "n_participants", "note"),
]
# the loss of a recording whose mean over a fold stands for the metric; a handful of people in a
# fold have no correlation worth the name
LOSSES = {"mae": "absolute error", "rmse": "squared error", "r2": "squared error"}


@dataclass(frozen=True)
class FoldTest:
    """A corrected resampled t-test; all NaN where folds are fewer than two or all alike."""

    difference: float
    """Mean difference over the folds."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end."""
    p: float
    """Two-sided p-value."""
    n_folds: int
    """Folds of all repeats."""


def corrected_t(differences: ArrayLike, test_share: float, level: float = 0.95) -> FoldTest:
    """Test the mean of differences between two models over the folds of a cross-validation.

    t = mean / sqrt((1 / J + n_test / n_train) s^2), of J - 1 degrees of freedom, where s^2 is the
    variance (J - 1) of J differences. The second term is there because the training sets of the
    folds overlap: the ordinary t-test, without it, finds differences where there are none.

    Parameters
    ----------
    differences
        One a fold, of all repeats, shape (J,).
    test_share
        n_test / n_train.
    level
        Of the interval.

    Returns
    -------
    FoldTest
        Difference, interval, p-value, number of folds.

    References
    ----------
    Nadeau C, Bengio Y. Machine Learning 2003;52:239-281. For repeated k-fold validation: Bouckaert
    RR, Frank E. PAKDD 2004, LNCS 3056:3-12.
    """
    values = np.asarray(differences, dtype=float)
    n = len(values)
    if n < 2 or not np.ptp(values):
        return FoldTest(float(values.mean()) if n else np.nan, np.nan, np.nan, np.nan, n)
    error = np.sqrt((1 / n + test_share) * values.var(ddof=1))
    half = special.stdtrit(n - 1, (1 + level) / 2) * error
    mean = float(values.mean())
    p = 2 * special.stdtr(n - 1, -abs(mean) / error)
    return FoldTest(mean, float(mean - half), float(mean + half), float(p), n)


def compare(
    predictions: pd.DataFrame,
    model_a: str,
    model_b: str = BASELINE,
    *,
    n_resamples: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare two models on the same recordings, paired, metric by metric.

    There are two tests, for two questions. *Are these predictions better than those?* The
    bootstrap of participants (`bootstrap.Distribution`): each resample gives both models the same
    people; its p-value is that of the interval. *Would this recipe be better than that, trained on
    other people?* The corrected resampled t-test of the loss of each fold (`corrected_t`), which
    allows for the training; it needs the predictions of every repeat. Claim that a recipe is
    better by the second.

    Parameters
    ----------
    predictions
        `CrossValidation.by_repeat`: repeat, fold, participant, recording, target, model, observed,
        predicted; or a table without repeat and fold, which has no test of folds. Metrics are of
        the mean prediction over the repeats. R2, and associations beyond the training mean, need
        the model "mean" too.
    model_a, model_b
        Names of the models. Differences are model_a - model_b: of errors, below 0 is better for
        model_a.
    n_resamples, seed, level
        As in `inference.performance`.

    Returns
    -------
    DataFrame
        A row a target and metric. scale (empty if unknown), target, model_a, model_b, metric;
        value_a, value_b, difference; ci_low, ci_high, p_bootstrap; fold_loss: whose mean is
        compared fold by fold ("absolute error", "squared error", or empty for metrics that a fold
        is too small for); fold_difference, fold_ci_low, fold_ci_high, p_corrected_t; n_folds;
        n_recordings, n_participants (predicted by both); note: why something is missing.
        P-values are of single tests: see `multiplicity` for many targets.

    Raises
    ------
    ClinicError
        A target has no prediction of a model, the models are one, or the table is not what
        `sample.averaged` takes.
    """
    if model_a == model_b:
        raise ClinicError(f"'{model_a}' is compared with itself; name two models.")
    rows: list[dict[str, Any]] = []
    for keys, table in tables(predictions):
        first, second = _pair(table, model_a, model_b, str(keys["target"]))
        folds = _folds(predictions, keys, first, model_a, model_b, level)
        keys = {**keys, "model_a": model_a, "model_b": model_b}
        rows += [{**keys, **row} for row in _rows(first, second, folds, n_resamples, seed, level)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _pair(table: pd.DataFrame, model_a: str, model_b: str, target: str) -> tuple[Sample, Sample]:
    """Both models' scores of the recordings that both predict."""
    found = dict(samples(table))
    for name in (model_a, model_b):
        if name not in found:
            raise ClinicError(
                f"{target} has no predictions of model '{name}'; there are {', '.join(found)}."
            )
    first, second = found[model_a], found[model_b]
    both = set(first.recording) & set(second.recording)
    if not both:
        raise ClinicError(f"{target}: no recording is predicted by both {model_a} and {model_b}.")
    keep_a, keep_b = (np.isin(each.recording, list(both)) for each in (first, second))
    return first.take(keep_a), second.take(keep_b)


def _rows(
    first: Sample,
    second: Sample,
    folds: dict[str, FoldTest],
    n_resamples: int,
    seed: int,
    level: float,
) -> Iterator[dict[str, Any]]:
    def differences(weights: Array) -> dict[str, Array]:
        ours, theirs = first.metrics(weights), second.metrics(weights)
        return {metric: ours[metric] - theirs[metric] for metric in METRICS}

    drawn = distributions(differences, first.cluster, n_resamples, seed)
    values = first.metrics(), second.metrics()
    for metric, found in drawn.items():
        undefined_a, undefined_b = (each.why_undefined(metric) for each in (first, second))
        note = undefined_a or undefined_b
        loss = LOSSES.get(metric, "")
        test = folds.get(loss, FoldTest(np.nan, np.nan, np.nan, np.nan, 0))
        low, high = (np.nan, np.nan) if note else found.interval(level)
        yield {
            "metric": metric,
            "value_a": np.nan if undefined_a else values[0][metric].item(),
            "value_b": np.nan if undefined_b else values[1][metric].item(),
            "difference": np.nan if note else found.value,
            "ci_low": low,
            "ci_high": high,
            "p_bootstrap": np.nan if note else found.p(),
            "fold_loss": loss if loss in folds else "",
            "fold_difference": test.difference,
            "fold_ci_low": test.low,
            "fold_ci_high": test.high,
            "p_corrected_t": test.p,
            "n_folds": test.n_folds,
            "n_recordings": len(first.observed),
            "n_participants": first.n_participants,
            "note": note or found.problem,
        }


def _folds(
    predictions: pd.DataFrame,
    keys: dict[str, Any],
    both: Sample,
    model_a: str,
    model_b: str,
    level: float,
) -> dict[str, FoldTest]:
    """Corrected tests by loss; none where the table does not say who was in which fold."""
    if not {"repeat", "fold"} <= set(predictions):
        return {}
    own = predictions["target"].eq(keys["target"]) & predictions["recording"].isin(both.recording)
    if "scale" in predictions:
        own &= predictions["scale"] == keys["scale"]
    table = predictions[own & predictions["model"].isin([model_a, model_b])]
    error = table["observed"] - table["predicted"]
    share = _test_share(table)
    tests = {}
    for name, loss in (("absolute error", error.abs()), ("squared error", error**2)):
        by_fold = loss.groupby([table["model"], table["repeat"], table["fold"]]).mean()
        differences = (by_fold[model_a] - by_fold[model_b]).dropna()
        tests[name] = corrected_t(differences, share, level)
    return tests


def _test_share(table: pd.DataFrame) -> float:
    """Participants tested in a fold over those of the other folds, on average.

    Who is only trained on is not in the table: the share is then too large, and the test cautious.
    """
    tested = table.groupby(["repeat", "fold"])["participant"].nunique()
    everyone = tested.groupby("repeat").transform("sum")
    return float(tested.mean() / max((everyone - tested).mean(), 1))
