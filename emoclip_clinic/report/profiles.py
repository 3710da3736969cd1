"""The profile of a cohort: mean observed and predicted score of each item, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

__all__ = ["PROFILE", "profile"]

PROFILE = ["target", "kind", "source", "mean", "ci_low", "ci_high", "n_participants", "note"]


def profile(
    predictions: pd.DataFrame, model: str, targets: pd.DataFrame, level: float = 0.95
) -> pd.DataFrame:
    """Average what was observed and what was predicted, every participant weighing the same.

    The mean is over participants of the mean over each one's recordings; its interval is Student's,
    of n_participants - 1 degrees of freedom. Predictions are out of fold and vary less than what is
    observed: that both means agree says that the model is right on average, not that it tells
    people apart.

    Parameters
    ----------
    predictions
        Columns participant, target, model, observed, predicted.
    model
        Whose predictions.
    targets
        Columns target and kind, in the order of the scale.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        A row a target and source, columns `PROFILE`. source: "observed" or "predicted"; mean,
        ci_low, ci_high in points of the scale; note: why there is no interval, or empty.
    """
    own = predictions[predictions["model"] == model]
    means = own.groupby(["target", "participant"])[["observed", "predicted"]].mean()
    known = set(own["target"])
    rows = []
    for target, kind in targets[["target", "kind"]].itertuples(index=False, name=None):
        if target in known:
            head = {"target": target, "kind": kind}
            people = means.loc[target]
            rows += [
                {**head, "source": source, **_mean(people[source], level)}
                for source in ("observed", "predicted")
            ]
    return pd.DataFrame(rows, columns=PROFILE)


def _mean(values: pd.Series, level: float) -> dict[str, Any]:
    n, mean = len(values), float(values.mean())
    half, note = np.nan, "no interval: one participant"
    if n > 1:
        note = ""
        error = float(values.std(ddof=1)) / np.sqrt(n)
        half = float(special.stdtrit(n - 1, (1 + level) / 2)) * error
    return {
        "mean": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "n_participants": n,
        "note": note,
    }
