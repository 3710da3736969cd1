"""What raters and a model said of each visit, side by side."""

from __future__ import annotations

import pandas as pd

from emoclip_clinic.errors import RatingsError

__all__ = ["KEYS", "model_scores", "rating_table"]

BASELINE = "mean"
"""The model that predicts the training mean."""

ROUNDING = 1e-10
"""Points of a scale below which the model's departure from its training mean is rounding error."""

KEYS = ["participant", "session"]


def model_scores(predictions: pd.DataFrame, scale_id: str, model: str) -> pd.DataFrame:
    """Take one model's predictions, a row a visit and target.

    Returns
    -------
    pandas.DataFrame
        Columns participant, session, target, predicted, and departure: what the model says beyond
        its training mean. Several recordings of a visit are averaged.
    """
    keys = [*KEYS, "target"]
    own = predictions[predictions["scale"] == scale_id]
    mean = own.pivot_table(index=keys, columns="model", values="predicted", sort=False)
    mean = mean.reindex(columns=[model, BASELINE]).dropna(subset=[model])
    departure = mean[model] - mean[BASELINE]
    # the mean itself departs by rounding error, which would correlate
    departure = departure.where(departure.abs() > ROUNDING, 0.0)
    if mean[BASELINE].isna().any():
        # not every baseline is known: the predictions themselves, not a mixture of both
        departure = mean[model]
    return pd.DataFrame({"predicted": mean[model], "departure": departure}).reset_index()


def rating_table(scored: pd.DataFrame, raters: list[str]) -> pd.DataFrame:
    """Spread the scores of one target: a row a visit (participant, session), a column a rater.

    Raises
    ------
    RatingsError
        A rater scored a visit twice.
    """
    double = scored.duplicated([*KEYS, "rater"])
    if double.any():
        row = scored[double].iloc[0]
        raise RatingsError(
            f"rater {row['rater']} scored {row['target']} of participant {row['participant']}, "
            f"session {row['session']} twice. Keep one score a rater and session."
        )
    return scored.pivot(index=KEYS, columns="rater", values="value").reindex(columns=raters)
