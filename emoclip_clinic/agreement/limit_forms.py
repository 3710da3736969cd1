"""Limits of agreement in their other forms, each named, of the model and of pairs of raters.

With d the differences of n visits and m the means of each pair:

- approximate and exact: bias -+ 1.96 SD, with Bland and Altman's interval or Carkeet's exact one.
- repeated measures: several visits of a person are alike, so that SD is put together of the
  variance between and within persons (Bland and Altman 2007, the true value varies).
- non-parametric: the 2.5th and 97.5th percentile of d, for differences that are not normal.
- percentage: d in per cent of m; log ratio: limits of the logarithms, back as ratios. Both only
  where all scores are above 0, as on scales that begin at 1.
- proportional bias: d as a line of m, intercept + slope m. Where the slope's interval is without 0,
  the difference grows with the score, and one pair of limits does not fit all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.concordance import weighted_line
from emoclip_clinic.agreement.estimates import Estimate, join_notes
from emoclip_clinic.agreement.limits import Z, limits_estimates
from emoclip_clinic.agreement.scores import KEYS, model_scores
from emoclip_clinic.agreement.target import COLUMNS, as_row, estimated, of_targets

__all__ = ["FORMS", "LIMIT_COLUMNS", "limit_forms"]

LIMIT_COLUMNS = [*COLUMNS[:3], "rater_a", "rater_b", "form", *COLUMNS[3:]]
FORMS = (
    "approximate",
    "exact",
    "repeated measures",
    "non-parametric",
    "percentage",
    "log ratio",
    "proportional bias",
)
FEWEST = 40
"""Visits that percentiles need: of fewer, the 2.5th is beyond the second lowest."""
PERCENTILES = (0.025, 0.975)
ALIKE = "visits of one person counted as independent: read the form of repeated measures"
LIMITS = ("bias", "LoA lower", "LoA upper")

Array = NDArray[np.float64]


def limit_forms(
    scored: pd.DataFrame,
    predictions: pd.DataFrame | None,
    *,
    scale_id: str,
    targets: Iterable[str],
    model: str = "ridge",
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Estimate limits of agreement in every form, of the model with the raters' mean and of pairs.

    Parameters
    ----------
    scored, predictions, scale_id, targets, model, n_resamples, seed
        As for `summary.agree`. Differences are rater_a less rater_b: "model" less "consensus", and
        of raters the second of the pair less the first.

    Returns
    -------
    pandas.DataFrame
        scale, target, kind, rater_a, rater_b; form, as at the top of this module; statistic (bias,
        LoA lower, LoA upper; or intercept, slope), value, ci_low, ci_high; n_subjects,
        n_participants, n_raters; method, note. NaN where undefined, and the note says why.

    References
    ----------
    Bland JM, Altman DG (1999). Stat Methods Med Res 8:135-160; (2007). J Biopharm Stat 17:571-582.
    Carkeet A (2015). Optometry and Vision Science 92:e71-e80.
    """
    predicted = None if predictions is None else model_scores(predictions, scale_id, model)
    rows: list[dict[str, Any]] = []
    for one, raters in of_targets(scored, scale_id, targets):
        pairs = [(raters[k], raters[j], one.table.iloc[:, [k, j]]) for j, k in _pairs(raters)]
        if predicted is not None:
            own = predicted[predicted["target"] == one.about["target"]]
            said = own.set_index(KEYS)["predicted"].reindex(one.table.index)
            both = pd.DataFrame({"model": said, "consensus": one.table.mean(axis=1)})
            pairs.insert(0, ("model", "consensus", both))
        for first, second, scores in pairs:
            about = {"scale": scale_id, **one.about, "rater_a": first, "rater_b": second}
            found = _forms(scores.dropna(), n_resamples, seed)
            rows.extend({**about, **row} for row in found)
    return pd.DataFrame(rows, columns=LIMIT_COLUMNS)


def _pairs(raters: list[str]) -> Iterator[tuple[int, int]]:
    return combinations(range(len(raters)), 2)


def _forms(scores: pd.DataFrame, n_resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    x, y = scores.to_numpy(float).T
    whose = scores.index.get_level_values("participant").to_numpy()
    n = len(x)
    if n < 3:
        for form in FORMS:
            blank = Estimate("bias", n, 2, note=f"undefined: needs 3 visits, has {n}")
            yield {"form": form, **as_row(blank, whose)}
        return
    once = len(set(whose)) == n
    apart = "" if once else ALIKE
    found = {
        "approximate": limits_estimates(x, y, apart, "approximate"),
        "exact": limits_estimates(x, y, apart, "exact"),
        "percentage": _relative(x, y, apart, ratio=False),
        "log ratio": _relative(x, y, apart, ratio=True),
    }
    for form, rows in found.items():
        for row in rows:
            if row.name in LIMITS:
                yield {"form": form, **as_row(row, whose)}
    drawn = {
        "repeated measures": partial(_repeated, x - y, whose),
        "non-parametric": partial(_percentiles, x - y),
        "proportional bias": partial(_line, (x + y) / 2, x - y),
    }
    few = f"{n} visits: percentiles of fewer than {FEWEST} are near the extremes"
    notes = {"non-parametric": few if n < FEWEST else ""}
    undefined = {"repeated measures": f"needs 2 participants, has {len(set(whose))}"}
    for form, numbers in drawn.items():
        found_again = estimated(
            numbers, whose, 2, n_resamples, seed,
            undefined=undefined.get(form, "the means of the pairs do not differ"),
            note=notes.get(form, ""),
        )  # fmt: skip
        yield from ({"form": form, **row} for row in found_again)


def _relative(x: Array, y: Array, note: str, *, ratio: bool) -> list[Estimate]:
    """Limits in per cent of the mean, or as ratios."""
    if (x <= 0).any() or (y <= 0).any():
        why = join_notes("undefined: a score is 0 or below, and is no part of a ratio", note)
        return [Estimate(name, len(x), 2, note=why) for name in LIMITS]
    if not ratio:
        zero = np.zeros(len(x))
        return limits_estimates(200 * (x - y) / (x + y), zero, note, "exact")
    rows = limits_estimates(np.log(x), np.log(y), note, "exact")
    return [
        replace(
            row, value=np.exp(row.value), ci_low=np.exp(row.ci_low), ci_high=np.exp(row.ci_high)
        )
        for row in rows
    ]


def _repeated(difference: Array, whose: NDArray[np.object_], weights: Array) -> dict[str, Array]:
    """Limits with the variance between and within persons, for each row of weights.

    Weights are equal within a person. With one visit a person they are those of all visits.
    """
    codes, people = pd.factorize(whose)
    member = (codes[:, None] == np.arange(len(people))).astype(float)
    m = member.sum(axis=0)
    person_mean = difference @ member / m
    within = ((difference - person_mean[codes]) ** 2) @ member
    w = weights[:, np.unique(codes, return_index=True)[1]]
    n_people, n = w.sum(axis=1), w @ m
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = w @ (m * person_mean) / n
        free = n - n_people
        inner = np.where(free > 0, w @ within / np.where(free > 0, free, 1), 0.0)
        spread = person_mean - bias[:, None]
        between = (w * m * spread**2).sum(axis=1) / (n_people - 1)
        size = (n**2 - w @ m**2) / ((n_people - 1) * n)
        # of one visit a person, all variance is between
        sd = np.sqrt(np.maximum((between - inner) / size, 0) + inner)
    return dict(zip(LIMITS, (bias, bias - Z * sd, bias + Z * sd), strict=True))


def _percentiles(difference: Array, weights: Array) -> dict[str, Array]:
    order = np.argsort(difference, kind="stable")
    values, w = difference[order], weights[:, order]
    # the place of each repeated value, as numpy's linear quantile of the repeated values
    ends = w.cumsum(axis=1)
    n = ends[:, -1]
    found = {"bias": w @ values / np.where(n > 0, n, 1)}
    for name, share in zip(LIMITS[1:], PERCENTILES, strict=True):
        place = share * (n - 1)
        low, high = (_at(values, ends, each) for each in (np.floor(place), np.ceil(place)))
        found[name] = low + (place - np.floor(place)) * (high - low)
    return found


def _at(values: Array, ends: Array, place: Array) -> Array:
    """Give the value at a place (from 0) among the repeated, sorted values of each row."""
    index = (ends <= place[:, None]).sum(axis=1)
    return np.asarray(values[np.minimum(index, len(values) - 1)])


def _line(mean: Array, difference: Array, weights: Array) -> dict[str, Array]:
    intercept, slope = weighted_line(mean, difference, weights)
    return {"intercept": intercept, "slope": slope}
