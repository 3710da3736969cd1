"""Habits of a rater: leniency, use of the scale, drift over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.concordance import weighted_line
from emoclip_clinic.agreement.estimates import Estimate
from emoclip_clinic.agreement.target import COLUMNS, Target, as_row, estimated, of_targets

__all__ = ["RATER_COLUMNS", "rater_diagnostics"]

RATER_COLUMNS = [*COLUMNS[:3], "rater", *COLUMNS[3:]]
YEAR_DAYS = 365.25

Array = NDArray[np.float64]


def rater_diagnostics(
    scored: pd.DataFrame,
    dates: pd.Series | None = None,
    *,
    scale_id: str,
    targets: Iterable[str],
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Describe each rater beside the mean of the others, on the visits that they share.

    Leniency is the mean difference, rater minus the others (points; above 0: rates higher). Spread
    ratio is the SD of the rater's scores over that of the others' mean: below 1, the rater keeps
    to the middle. Drift is the slope of the difference over dates (points a year): a rater who
    grows stricter has one below 0.

    Parameters
    ----------
    dates : pandas.Series, optional
        Index (participant, session, rater), the date of the rating; drift needs them.

    Returns
    -------
    pandas.DataFrame
        scale, target, kind, rater, statistic, value, ci_low, ci_high, n_subjects, n_participants,
        n_raters, method, note.
    """
    rows: list[dict[str, Any]] = []
    for one, raters in of_targets(scored, scale_id, targets):
        for place, rater in enumerate(raters):
            about = {"scale": scale_id, **one.about, "rater": rater}
            found = _of_rater(one, place, _years(dates, one, rater), n_resamples, seed)
            rows.extend({**about, **row} for row in found)
    return pd.DataFrame(rows, columns=RATER_COLUMNS)


def _years(dates: pd.Series | None, one: Target, rater: str) -> Array:
    """Years of the ratings since the rater's first, NaN where not known."""
    if dates is None or dates.empty:
        return np.full(len(one.table), np.nan)
    keys = one.table.index.to_frame(index=False).assign(rater=rater)
    when = pd.to_datetime(dates.reindex(pd.MultiIndex.from_frame(keys)), errors="coerce")
    days = (when - when.min()).dt.total_seconds().to_numpy(float) / 86_400
    return np.asarray(days / YEAR_DAYS)


def _of_rater(
    one: Target, place: int, years: Array, n_resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    others = np.delete(one.scores, place, axis=1)
    own = one.scores[:, place]
    there = ~np.isnan(own) & (~np.isnan(others)).any(axis=1)
    n_others = int((~np.isnan(others[there])).any(axis=0).sum())
    names = ("leniency", "spread ratio", "drift a year")
    if there.sum() < 2:
        why = f"undefined: needs 2 visits that another rater scored too, has {int(there.sum())}"
        for name in names:
            yield as_row(Estimate(name, int(there.sum()), 1 + n_others, note=why), [])
        return
    mean = np.nanmean(others[there], axis=1)
    x, when, whose = own[there], years[there], one.people[there]
    yield from estimated(
        partial(_habits, x, mean), whose, 1 + n_others, n_resamples, seed,
        undefined="the others' mean does not differ between visits",
    )  # fmt: skip
    dated = ~np.isnan(when)
    if dated.sum() < 3 or np.ptp(when[dated]) == 0:
        why = "undefined: the ratings have no dates, or all have one"
        yield as_row(Estimate(names[2], int(dated.sum()), 1 + n_others, note=why), [])
        return
    drift = partial(_drift, when[dated], (x - mean)[dated])
    yield from estimated(drift, whose[dated], 1 + n_others, n_resamples, seed)


def _habits(x: Array, others: Array, weights: Array) -> dict[str, Array]:
    n = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = [
            weights @ (one - one.mean()) ** 2 - (weights @ (one - one.mean())) ** 2 / n
            for one in (x, others)
        ]
        above, below = (np.maximum(each, 0) for each in spread)
        ratio = np.where(below > 1e-12 * n, np.sqrt(above / below), np.nan)
        return {"leniency": weights @ (x - others) / n, "spread ratio": ratio}


def _drift(when: Array, difference: Array, weights: Array) -> dict[str, Array]:
    return {"drift a year": weighted_line(when, difference, weights)[1]}
