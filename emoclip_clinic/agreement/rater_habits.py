"""Habits of a rater: leniency, use of the scale, drift over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.estimates import Estimate
from emoclip_clinic.agreement.target import COLUMNS, Target, as_row, of_targets, redrawn, resampled

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
    parts = {names[0]: (x, mean, when), names[1]: (x, mean, when)}
    dated = ~np.isnan(when)
    blank = Estimate(names[2], int(dated.sum()), 1 + n_others)
    for name in parts:
        numbers = partial(_habits, x, mean)
        value = float(numbers(np.ones((1, len(x))))[name][0])
        drawn = resampled(numbers, whose, n_resamples, seed)
        row = Estimate(name, len(x), 1 + n_others, value=value)
        if np.isnan(value):
            row = replace(row, note="undefined: the others' mean does not differ between visits")
        yield as_row(redrawn(row, drawn.get(name), n_resamples), whose)
    if dated.sum() < 3 or np.ptp(when[dated]) == 0:
        why = "undefined: the ratings have no dates, or all have one"
        yield as_row(replace(blank, note=why), [])
        return
    slope = partial(_slope, when[dated], (x - mean)[dated])
    value = float(slope(np.ones((1, int(dated.sum()))))[names[2]][0])
    drawn = resampled(slope, whose[dated], n_resamples, seed)
    yield as_row(
        redrawn(replace(blank, value=value), drawn.get(names[2]), n_resamples), whose[dated]
    )


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


def _slope(when: Array, difference: Array, weights: Array) -> dict[str, Array]:
    n = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mx, my = weights @ when / n, weights @ difference / n
        xx = weights @ when**2 / n - mx**2
        slope = (weights @ (when * difference) / n - mx * my) / xx
        return {"drift a year": np.where(xx > 1e-12, slope, np.nan)}
