"""An agreement statistic with its interval: the row that every function here returns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

__all__ = ["LEVEL", "Estimate", "join_notes", "mean_interval", "to_table"]

LEVEL = 0.95
"""Coverage of every interval in this room."""


@dataclass(frozen=True)
class Estimate:
    """A statistic at full precision; NaN where it is undefined, and the note says why."""

    name: str
    """Name of the statistic, as it is printed: "ICC(A,1)", "CCC", "LoA lower"."""
    n_subjects: int
    """Subjects analysed, after those with missing ratings were dropped."""
    n_raters: int
    """Raters (or methods) compared."""
    value: float = math.nan
    """The estimate."""
    ci_low: float = math.nan
    """Lower end of the 95 % interval."""
    ci_high: float = math.nan
    """Upper end of the 95 % interval."""
    method: str = ""
    """How the interval was made."""
    note: str = ""
    """What a reader must know: why it is undefined, how many subjects were dropped."""


COLUMNS = ["name", "value", "ci_low", "ci_high", "n_subjects", "n_raters", "method", "note"]


def to_table(estimates: Iterable[Estimate]) -> pd.DataFrame:
    """Make the table, a row an estimate.

    Returns
    -------
    pandas.DataFrame
        Columns name, value, ci_low, ci_high, n_subjects, n_raters, method, note.
    """
    names = [field.name for field in fields(Estimate)]
    return pd.DataFrame([asdict(estimate) for estimate in estimates], columns=names)[COLUMNS]


def join_notes(*notes: str) -> str:
    """Join the notes that are not empty, each once, with semicolons."""
    return "; ".join(dict.fromkeys(note for note in notes if note))


def mean_interval(row: Estimate, values: NDArray[np.float64]) -> Estimate:
    """Fill in the mean of differences, shape (n,), and its Student t interval."""
    n = len(values)
    if n == 0:
        return replace(row, note=join_notes("undefined: needs 1 subject, has 0", row.note))
    row = replace(row, value=float(values.mean()))
    if np.ptp(values) == 0:
        why = (
            "no interval: needs 2 subjects, has 1"
            if n == 1
            else "no interval: every difference is the same"
        )
        return replace(row, note=join_notes(why, row.note))
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    return replace(row, ci_low=row.value - half, ci_high=row.value + half)
