"""Scores that follow from predicted ones: totals summed from items, and change between visits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from emoclip_clinic.scale import Scale, Subscale

__all__ = ["SUMMED", "changes", "summed"]

SUMMED = ":summed"
"""Added to a model's name where a score is made of its predictions of the items."""

BETWEEN = ">"


def summed(predictions: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Make subscales and totals of predicted items, to stand beside those predicted directly.

    A sum of items has the errors of all of them, but each item was tuned by itself; a direct
    prediction is tuned for the score at once. Neither is better by nature.

    Parameters
    ----------
    predictions
        As `cross_validate` returns them, of any number of models.
    scale
        Says of which items the scores are, and which items are reversed.

    Returns
    -------
    DataFrame
        The same columns; model is the model's name with `SUMMED` added. A score has a row where the
        score itself was predicted and all its items were; predicted_sd is missing.
    """
    parts = [
        _scored(own, scale, score)
        for _, own in predictions.groupby("model", sort=False)
        for score in scale.scores
    ]
    made = [part for part in parts if len(part)]
    return pd.concat(made, ignore_index=True) if made else predictions.iloc[:0]


def _scored(own: pd.DataFrame, scale: Scale, score: Subscale) -> pd.DataFrame:
    direct = own[own["target"] == score.id]
    items = own[own["target"].isin(score.items)]
    wide = items.pivot(index="recording", columns="target", values="predicted")
    wide = wide.reindex(columns=list(score.items)).dropna()
    for code in score.items:
        item = scale.item(code)
        if item.reverse:
            wide[code] = item.minimum + item.maximum - wide[code]
    values = wide.mean(axis=1) if score.method == "mean" else wide.sum(axis=1)
    known = direct[direct["recording"].isin(values.index)]
    return known.assign(
        model=known["model"] + SUMMED,
        predicted=known["recording"].map(values),
        predicted_sd=float("nan"),
    )


def changes(predictions: pd.DataFrame, order: Sequence[str] = ()) -> pd.DataFrame:
    """Compare the change between visits that was rated with the change that was predicted.

    The change of a person is their later score less their earlier one, from each visit to the next.
    Both predictions come from models that never saw the person. What is steady in a face or a
    camera cancels, so that change is a harder test than level: a model that tells people apart need
    not see a person get better.

    Parameters
    ----------
    predictions
        Columns participant, session, recording, scale, target, model, observed, predicted.
    order
        Sessions in order of time, such as ("pre", "post"); as their names sort, if empty.

    Returns
    -------
    DataFrame
        The same columns, where observed and predicted are differences, session is "01>02" and
        recording the participant with it; several recordings of a session are averaged first.
        Empty where nobody has two visits.
    """
    visit = ["scale", "target", "model", "participant", "session"]
    scores = predictions.groupby(visit, sort=False)[["observed", "predicted"]].mean().reset_index()
    place = {name: number for number, name in enumerate(order or sorted(set(scores["session"])))}
    scores = scores[scores["session"].isin(place)]
    found = list(_steps(scores.sort_values("session", kind="stable", key=lambda s: s.map(place))))
    if not found:
        return predictions.iloc[:0][[*visit, "recording", "observed", "predicted"]]
    return pd.concat(found, ignore_index=True)


def _steps(scores: pd.DataFrame) -> Iterator[pd.DataFrame]:
    own = scores.groupby(["scale", "target", "model", "participant"], sort=False)
    earlier = own[["session", "observed", "predicted"]].shift()
    later = scores[earlier["session"].notna()]
    if later.empty:
        return
    before = earlier.loc[later.index]
    session = before["session"] + BETWEEN + later["session"]
    yield later.assign(
        session=session,
        recording="sub-" + later["participant"] + "_ses-" + session,
        observed=later["observed"] - before["observed"],
        predicted=later["predicted"] - before["predicted"],
    )
