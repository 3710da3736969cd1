"""From item ratings to scores, rater by rater; then the consensus of the raters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Scale, Subscale
from emoclip_clinic.scales import targets

__all__ = ["consensus", "percent_change", "score"]

RATER_KEYS = ["participant", "session", "rater"]


def score(ratings: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Score the items, subscales and total of each rater by itself.

    A score with a missing item is no row, unless the scale names a prorating rule for it: missing
    is never zero. A prorated sum is the mean of the rated items times their full number. Reverse
    items count as minimum + maximum - rating in sums and means, and stay as rated as items.

    Parameters
    ----------
    ratings
        Tidy: participant, session, rater, scale, item, value. Rows of other scales are left out.
    scale
        What is scored.

    Returns
    -------
        participant, session, rater, scale, target, kind ("item", "subscale", "total"), value;
        sorted by participant, session and rater, targets in the order of the scale.

    Raises
    ------
    RatingsError
        An item is not of the scale, or rated twice.
    """
    own = ratings[ratings["scale"] == scale.id]
    _check(own, scale)
    codes = list(scale.codes)
    rated = own.pivot(index=RATER_KEYS, columns="item", values="value").reindex(columns=codes)
    turned = rated.copy()
    for item in scale.items:
        if item.reverse:
            turned[item.code] = item.minimum + item.maximum - rated[item.code]
    made = [_values(scale, part, turned).rename(part.id) for part in scale.scores]
    table = pd.concat([rated, *made], axis="columns").reset_index()
    tidy = table.melt(RATER_KEYS, var_name="target", ignore_index=False).dropna(subset="value")
    kinds = targets(scale).set_index("target")["kind"]
    tidy = tidy.assign(scale=scale.id, kind=tidy["target"].map(kinds))
    # melt goes target by target: a stable sort on the old rows keeps the targets in order
    tidy = tidy.sort_index(kind="stable").reset_index(drop=True)
    return tidy[[*RATER_KEYS, "scale", "target", "kind", "value"]]


def _check(own: pd.DataFrame, scale: Scale) -> None:
    unknown = sorted(set(own["item"]) - set(scale.codes))
    if unknown:
        raise RatingsError(
            f"{scale.abbreviation} has no item {', '.join(unknown)}. "
            f"See 'emoclip-clinic scales show {scale.id}'."
        )
    twice = own[own.duplicated([*RATER_KEYS, "item"])]
    if len(twice):
        key = twice.iloc[0]
        raise RatingsError(
            f"participant {key['participant']}, session {key['session']}, rater {key['rater']}: "
            f"{scale.abbreviation} item {key['item']} is rated twice. Keep one of the ratings."
        )


def _values(scale: Scale, part: Subscale, rated: pd.DataFrame) -> pd.Series[float]:
    rule = scale.prorating
    tolerated = rule.maximum_missing if rule and part.id in rule.targets else 0
    answers = rated[list(part.items)]
    answered = answers.count(axis="columns")
    share = answered if part.method == "mean" else answered / len(part.items)
    value = answers.sum(axis="columns") / share
    return value.where(answered >= len(part.items) - tolerated)


def consensus(scored: pd.DataFrame) -> pd.DataFrame:
    """Average each score over the raters who gave it: score first, then average.

    Parameters
    ----------
    scored
        What `score` returns.

    Returns
    -------
        participant, session, scale, target, kind, value (mean of the raters), n_raters.
    """
    keys = ["participant", "session", "scale", "target", "kind"]
    groups = scored.groupby(keys, sort=False)["value"]
    return groups.agg(value="mean", n_raters="count").reset_index()


def percent_change(baseline: ArrayLike, follow_up: ArrayLike, floor: float) -> NDArray[np.float64]:
    """Compute the percent change from baseline on a scale that does not begin at zero.

    100 (baseline - follow_up) / (baseline - floor): positive where the score fell, 100 where it
    fell to `floor`. Without the subtraction a scale whose items begin at 1 could never reach 100,
    and response would be underestimated (Obermeier et al., BMC Psychiatry 2011;11:113).

    Parameters
    ----------
    baseline, follow_up
        Scores, of equal shape.
    floor
        The score of a person without symptoms: `Scale.percent_change_floor` for the total.

    Returns
    -------
        Percent, of that shape; NaN where the baseline is not above the floor.
    """
    start, end = np.asarray(baseline, dtype=float), np.asarray(follow_up, dtype=float)
    room = np.where(start > floor, start - floor, np.nan)
    return np.asarray(100 * (start - end) / room)
