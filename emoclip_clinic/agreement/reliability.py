"""Intraclass correlation: how far subjects differ, beside how far raters disagree about them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pingouin
from numpy.typing import NDArray

from emoclip_clinic.agreement.designs import complete, wide
from emoclip_clinic.agreement.estimates import Estimate, join_notes, to_table

__all__ = [
    "FORMS",
    "icc",
    "icc_estimates",
    "icc_values",
    "mean_squares",
    "weighted_icc",
    "weighted_sem",
]

FORMS = ["ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"]
"""McGraw and Wong's names, in pingouin's order."""

DETECTABLE = 1.96 * np.sqrt(2)
"""Standard errors that a change must exceed: 95 % of differences of two ratings do not."""

METHOD = "F-based interval (McGraw & Wong 1996)"

NO_INTERVAL = np.full(2, np.nan)
ZERO = 1e-12
"""A sum of squares below this share of the values' is rounding, and counts as 0."""


def icc(ratings: pd.DataFrame) -> pd.DataFrame:
    """Estimate all six intraclass correlations with their F-based 95 % intervals.

    ICC(A,1), absolute agreement of single ratings by two-way random raters, is the form to cite
    when a rater's number is used as it stands; ICC(C,1) ignores that a rater is lenient; the k
    forms are for the mean of the k raters. ICC(1, ) is for subjects who each met other raters.

    With mean squares MSB between n subjects, MSJ between k raters and MSE residual,
    ICC(C,1) = (MSB - MSE) / (MSB + (k-1) MSE) and
    ICC(A,1) = (MSB - MSE) / (MSB + (k-1) MSE + k (MSJ - MSE) / n).

    Parameters
    ----------
    ratings : pandas.DataFrame
        Columns subject, rater, value; a missing rating has no row, or NaN. Subjects that some
        rater did not rate are dropped, and the note says how many.

    Returns
    -------
    pandas.DataFrame
        A row a form: name, value, ci_low, ci_high, n_subjects, n_raters, method, note. An
        undefined value is NaN and the note says why.

    Raises
    ------
    RatingsError
        A column is missing, a value is not a number, or a rater rated a subject twice.

    References
    ----------
    McGraw KO, Wong SP (1996). Psychological Methods 1:30-46.
    Shrout PE, Fleiss JL (1979). Psychological Bulletin 86:420-428.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame(
    ...     {"subject": [1, 1, 2, 2, 3, 3], "rater": list("ABABAB"), "value": [1, 2, 3, 3, 5, 6]}
    ... )
    >>> float(icc(ratings).set_index("name").value.round(4)["ICC(A,1)"])
    0.9231
    """
    scores, note = complete(wide(ratings))
    return to_table(icc_estimates(scores.to_numpy(), note))


def icc_values(scores: NDArray[np.float64], note: str = "") -> list[Estimate]:
    """Estimate the six forms without intervals, from a complete table (subjects, raters).

    For who makes intervals by resampling: the values are those of `icc_estimates`, sooner.
    """
    n_subjects, n_raters = scores.shape
    blank = Estimate("", n_subjects, n_raters, note=join_notes(_constant_raters(scores), note))
    if reason := _undefined(scores):
        blank = replace(blank, note=join_notes(reason, note))
        return [replace(blank, name=form) for form in FORMS]
    values = weighted_icc(scores, np.ones((1, n_subjects)))
    return [
        _estimate(replace(blank, name=form, value=_zero(values[form][0])), NO_INTERVAL, True)
        for form in FORMS
    ]


def icc_estimates(scores: NDArray[np.float64], note: str = "") -> list[Estimate]:
    """Estimate the six forms from a complete table of shape (subjects, raters)."""
    n_subjects, n_raters = scores.shape
    reason = _undefined(scores)
    if reason:
        note = join_notes(reason, note)
        return [Estimate(form, n_subjects, n_raters, method=METHOD, note=note) for form in FORMS]
    table = _pingouin(scores)
    note = join_notes(_constant_raters(scores), note)
    subjects, between, residual = (ms[0] for ms in mean_squares(scores, np.ones((1, n_subjects))))
    error = {"1": between + residual, "A": residual, "C": residual}
    blank = Estimate("", n_subjects, n_raters, method=METHOD, note=note)
    if subjects == 0:
        # the mean of k raters has this in its denominator, where pingouin divides by rounding
        table.loc[3:, "ICC"] = np.nan
    return [
        _estimate(replace(blank, name=form, value=_zero(value)), interval, error[form[4]] > 0)
        for form, value, interval in zip(FORMS, table["ICC"], table["CI95"], strict=True)
    ]


def _zero(value: float) -> float:
    return 0.0 if abs(value) < ZERO else float(value)


def _estimate(row: Estimate, interval: NDArray[np.float64], has_error: bool) -> Estimate:
    low, high = map(float, interval)
    if not np.isfinite(row.value) and interval is NO_INTERVAL:
        why = "undefined: subjects' means do not differ, or raters disagree more than by chance"
        note = join_notes(why, row.note)
        return replace(row, value=np.nan, note=note)
    if not np.isfinite(row.value):
        note = join_notes("undefined: the subjects' mean ratings do not differ", row.note)
        return replace(row, value=np.nan, note=note)
    if row.value > 1 + ZERO:
        # stepping ICC(A,1) up to k raters has a pole at -1 / (k - 1)
        note = join_notes("undefined: raters disagree more than by chance", row.note)
        return replace(row, value=np.nan, note=note)
    if interval is NO_INTERVAL:
        return row
    if not has_error or not np.isfinite([low, high]).all():
        note = join_notes("no interval: raters differ by no more than a constant", row.note)
        return replace(row, note=note)
    # far below 0 the F-based interval may miss its own estimate
    if low > row.value:
        low, row = np.nan, replace(row, note=join_notes("interval has no lower end", row.note))
    if high < row.value:
        high, row = np.nan, replace(row, note=join_notes("interval has no upper end", row.note))
    return replace(row, ci_low=low, ci_high=high)


def _undefined(scores: NDArray[np.float64]) -> str:
    n_subjects, n_raters = scores.shape
    if n_raters < 2:
        return f"undefined: needs 2 raters, has {n_raters}"
    if n_subjects < 2:
        return f"undefined: needs 2 subjects rated by every rater, has {n_subjects}"
    if scores.size < 5:
        return f"undefined: needs 5 ratings, has {scores.size}"
    if (np.ptp(scores, axis=0) == 0).all():
        return "undefined: no rater's values differ between subjects"
    return ""


def _constant_raters(scores: NDArray[np.float64]) -> str:
    constant = int((np.ptp(scores, axis=0) == 0).sum())
    return f"{constant} rater(s) gave every subject the same value" if constant else ""


def _pingouin(scores: NDArray[np.float64]) -> pd.DataFrame:
    n_subjects, n_raters = scores.shape
    tidy = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(n_subjects), n_raters),
            "rater": np.tile(np.arange(n_raters), n_subjects),
            "value": scores.ravel(),
        }
    )
    with _unrounded(), warnings.catch_warnings(), np.errstate(all="ignore"):
        # its own use of pandas is none of the caller's business; 0/0 is dealt with by the caller
        warnings.simplefilter("ignore")
        table: pd.DataFrame = pingouin.intraclass_corr(tidy, "subject", "rater", "value")
    return table


@contextlib.contextmanager
def _unrounded() -> Iterator[None]:
    # pingouin rounds intervals to 2 decimals unless its global options say otherwise
    kept = dict(pingouin.options)
    pingouin.options.update({"round": None, "round.column.CI95": None})
    try:
        yield
    finally:
        pingouin.options.update(kept)


class MeanSquares(NamedTuple):
    """Two-way analysis of variance, each of shape (weightings,); exactly 0 where only rounding."""

    subjects: NDArray[np.float64]
    raters: NDArray[np.float64]
    residual: NDArray[np.float64]


def mean_squares(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> MeanSquares:
    """Mean squares of a complete (subjects, raters) table, for each row of subject weights.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n_subjects, n_raters)
        Complete ratings.
    weights : numpy.ndarray, shape (n_weightings, n_subjects)
        How often each subject counts: ones for the sample itself, counts for a resample.
    """
    n_raters = scores.shape[1]
    centred = scores - scores.flat[0]  # any origin will do; this one keeps whole numbers exact
    n = weights.sum(axis=1)
    rater_means = weights @ centred / n[:, None]
    grand = rater_means.mean(axis=1)
    squares = weights @ (centred**2).sum(axis=1)
    total = squares - n_raters * n * grand**2
    subjects = n_raters * (weights @ centred.mean(axis=1) ** 2 - n * grand**2)
    raters = n * ((rater_means - grand[:, None]) ** 2).sum(axis=1)
    residual = total - subjects - raters
    subjects, raters, residual = (
        np.where(part > ZERO * squares, part, 0) for part in (subjects, raters, residual)
    )
    free = n - 1, n_raters - 1, (n - 1) * (n_raters - 1)
    return MeanSquares(subjects / free[0], raters / free[1], residual / free[2])


def weighted_icc(
    scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """All six forms for each row of subject weights; NaN where undefined.

    Shapes as in `mean_squares`; the values equal pingouin's on the repeated rows.
    """
    n, k = weights.sum(axis=1), scores.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        msb, msj, mse = mean_squares(scores, weights)
        # within subjects: raters and residual together
        msw = (msj + (n - 1) * mse) / n
        consistent, extra = msb + (k - 1) * mse, (msj - mse) / n
        undefined = consistent == 0
        found = {
            "ICC(1,1)": (msb - msw) / (msb + (k - 1) * msw),
            "ICC(A,1)": (msb - mse) / (consistent + k * extra),
            "ICC(C,1)": (msb - mse) / consistent,
            "ICC(1,k)": (msb - msw) / msb,
            "ICC(A,k)": (msb - mse) / (msb + extra),
            "ICC(C,k)": (msb - mse) / msb,
        }
        # a mean of raters who disagree more than by chance has no ICC: its formula has a pole there
        for name, value in found.items():
            none = undefined | (value > 1 + ZERO) | ((msb == 0) & name.endswith("k)"))
            found[name] = np.where(none, np.nan, value)
    return found


def weighted_sem(
    scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Give standard error of measurement and smallest detectable change for each row of weights.

    SEM (consistency) is the square root of the residual mean square; SEM (agreement) adds the
    variance between raters, where it is above 0. The smallest detectable change of a person
    between two single ratings is 1.96 sqrt(2) SEM: less can be error.

    References
    ----------
    Weir JP (2005). J Strength Cond Res 19:231-240.
    de Vet HCW, Terwee CB, Knol DL, Bouter LM (2006). J Clin Epidemiol 59:1033-1039.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        _, msj, mse = mean_squares(scores, weights)
        between = np.maximum(msj - mse, 0) / weights.sum(axis=1)
    found = {}
    for way, variance in (("consistency", mse), ("agreement", mse + between)):
        found[f"SEM ({way})"] = np.sqrt(variance)
        found[f"SDC ({way})"] = DETECTABLE * np.sqrt(variance)
    return found
