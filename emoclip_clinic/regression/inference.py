"""How well out-of-fold predictions meet the scores, with intervals over participants.

Formulas, references and what was found about the coverage of the intervals: docs/inference.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.bootstrap import Distribution, distributions
from emoclip_clinic.regression.measures import ASSOCIATIONS, METRICS, metrics
from emoclip_clinic.regression.sample import BASELINE, Sample, samples, tables

__all__ = ["BASELINE", "COLUMNS", "METRICS", "metrics", "performance"]

Array = NDArray[np.float64]

CORRECTED = ("r2", *ASSOCIATIONS)
COLUMNS = [
    *("scale", "target", "kind", "model", "metric", "value"),
    *("ci_low", "ci_high", "ci_low_corrected", "ci_high_corrected"),
    *("n_recordings", "n_participants", "note"),
]
# of r, rho and CCC, the variance that includes the training of the models over that which does not:
# in out-of-fold products each pair of recordings counts twice, once trained on and once tested
TRAINED = 2.0


def _log_error(r2: Array) -> Array:
    return np.log1p(-r2)


# on these scales a metric is nearly normal in small samples: (there, back)
FISHER: tuple[Callable[[Any], Any], Callable[[Any], Any]] = (np.arctanh, np.tanh)
SCALES = {"r2": (_log_error, lambda z: -np.expm1(z)), **dict.fromkeys(ASSOCIATIONS, FISHER)}


def performance(
    predictions: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    n_resamples: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Give every metric of every target and model with its intervals over participants.

    There are two intervals, for two questions; both resample participants with all their
    recordings.

    *How sure is this number, for these predictions?* `ci_low`, `ci_high`: bias-corrected and
    accelerated, widened for few participants (`bootstrap.Distribution`). It is of one metric of
    one target, and takes the models of the folds as they are.

    *Is there anything to predict, in any of these targets, by models trained on other people?*
    `ci_low_corrected`, `ci_high_corrected`, of r2, pearson, spearman and ccc: on a scale where the
    metric is nearly normal (Fisher's z, log(1 - R2)), estimate +- t x the bootstrap standard
    error, t of n_participants - 1 degrees of freedom, at the level of Bonferroni for all targets
    of a kind. For pearson, spearman and ccc the squared error is doubled, because other
    participants would have trained other models (Nadeau C, Bengio Y, Machine Learning
    2003;52:239-281, of cross-validation).

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
        Of the intervals; the corrected ones hold at `level` for all targets of a kind together.

    Returns
    -------
    DataFrame
        A row for each metric. scale, target, kind, model, metric; value; ci_low, ci_high;
        ci_low_corrected, ci_high_corrected (missing for the other metrics); n_recordings,
        n_participants; note: why a value or an interval is missing, or empty.

    Raises
    ------
    ClinicError
        No kind is known for a target, or the predictions are not what `sample.averaged` takes.
    """
    parts = list(tables(predictions))
    unknown = [str(keys["target"]) for keys, _ in parts if keys["target"] not in kinds]
    if unknown:
        raise ClinicError(f"no kind (item, subscale, total) is given for {', '.join(unknown)}.")
    n_of_kind = Counter((keys["scale"], kinds[str(keys["target"])]) for keys, _ in parts)
    rows = []
    for keys, table in parts:
        kind = kinds[str(keys["target"])]
        levels = level, 1 - (1 - level) / n_of_kind[keys["scale"], kind]
        for model, sample in samples(table):
            drawn = distributions(sample.metrics, sample.cluster, n_resamples, seed)
            found = _rows(sample, drawn, levels)
            rows += [{**keys, "kind": kind, "model": model, **row} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def corrected_interval(metric: str, found: Distribution, level: float) -> tuple[float, float]:
    """Interval on the metric's scale, allowing for the training of the models."""
    there, back = SCALES[metric]
    widening = TRAINED if metric in ASSOCIATIONS else 1.0
    return found.t_interval(level, there, back, widening)


def _rows(
    sample: Sample, drawn: Mapping[str, Distribution], levels: tuple[float, float]
) -> Iterator[dict[str, Any]]:
    n = sample.n_participants
    for metric, found in drawn.items():
        undefined = sample.why_undefined(metric)
        if metric == "r2" and sample.is_baseline:
            undefined = "the baseline itself"
        limits = [np.nan] * 4
        if not (note := undefined or found.problem):
            limits[:2] = found.interval(levels[0])
            if metric in CORRECTED:
                limits[2:] = corrected_interval(metric, found, levels[1])
        yield {
            "metric": metric,
            "value": np.nan if undefined else found.value,
            **dict(zip(COLUMNS[6:10], limits, strict=True)),
            "n_recordings": len(sample.observed),
            "n_participants": n,
            "note": note,
        }
