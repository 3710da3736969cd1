"""Ratings as arrays: a tidy frame becomes subjects x raters, two series become complete pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from emoclip_clinic.errors import RatingsError

__all__ = ["complete", "paired", "wide"]

COLUMNS = ["subject", "rater", "value"]


def wide(ratings: pd.DataFrame) -> pd.DataFrame:
    """Spread a tidy frame into subjects x raters; what was not rated is NaN.

    Parameters
    ----------
    ratings : pandas.DataFrame
        Columns subject, rater, value; a missing rating has no row, NaN or an empty text.

    Returns
    -------
    pandas.DataFrame
        Float, a row a subject and a column a rater, both sorted. Subjects and raters with no
        rating at all are left out.

    Raises
    ------
    RatingsError
        A column is missing, a value is not a finite number, or a rater rated a subject twice.
    """
    missing = [name for name in COLUMNS if name not in ratings.columns]
    if missing:
        raise RatingsError(
            f"the ratings have no column {', '.join(missing)}; they have "
            f"{', '.join(map(str, ratings.columns))}. Rename to subject, rater, value."
        )
    tidy = ratings[COLUMNS].assign(value=_numbers(ratings["value"])).dropna()
    double = tidy.duplicated(["subject", "rater"], keep=False)
    if double.any():
        subject, rater, _ = tidy[double].iloc[0]
        raise RatingsError(
            f"rater {rater} rated subject {subject} more than once "
            f"({int(double.sum())} such rows in all); each rater has one value a subject. Remove "
            "the repeats, or make the visit part of the subject."
        )
    return tidy.pivot(index="subject", columns="rater", values="value").astype(float)


def _numbers(values: pd.Series) -> pd.Series:
    blank = values.isna() | (values.astype(str).str.strip() == "")
    numbers = pd.to_numeric(values.where(~blank), errors="coerce").astype(float)
    bad = (numbers.isna() & ~blank) | np.isinf(numbers)
    if bad.any():
        raise RatingsError(
            f"value {values[bad].iloc[0]!r} in row {int(np.flatnonzero(bad)[0]) + 1} of the "
            "ratings is not a finite number. Correct it, or leave it empty if it was not rated."
        )
    return numbers


def complete(scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the subjects that every rater rated, and say how many were dropped."""
    kept = scores.dropna()
    dropped = len(scores) - len(kept)
    return kept, f"{dropped} of {len(scores)} subjects dropped: incomplete" if dropped else ""


def paired(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Keep the pairs of which both values are there, and say how many were dropped.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Values of two raters or methods for the same subjects; NaN where missing.

    Raises
    ------
    RatingsError
        The two are not one-dimensional and equally long, or a value is infinite.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise RatingsError(
            f"paired values have shapes {first.shape} and {second.shape}; both must be (n,), value "
            "for value of the same subjects."
        )
    if np.isinf(first).any() or np.isinf(second).any():
        raise RatingsError("a paired value is infinite; give a finite number, or NaN if missing.")
    there = ~(np.isnan(first) | np.isnan(second))
    dropped = int((~there).sum())
    note = f"{dropped} of {len(there)} subjects dropped: incomplete" if dropped else ""
    return first[there], second[there], note
