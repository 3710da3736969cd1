"""Predicted scores as a tidy table with the keys of ratings: one row a recording, target, model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import write_csv

__all__ = ["COLUMNS", "label", "read_predictions", "validate", "write_predictions"]

KEYS = ["participant", "session", "recording", "scale", "target", "model"]
NUMBERS = ["observed", "predicted", "predicted_sd"]
COLUMNS = KEYS + NUMBERS


def label(table: pd.DataFrame, scale: str, sessions: pd.Series) -> pd.DataFrame:
    """Complete a cross-validation's predictions with the keys it does not know.

    Parameters
    ----------
    table
        Columns participant, recording, target, model, observed, predicted, predicted_sd.
    scale
        Name of the scale the targets belong to.
    sessions
        Session of each recording (index: recording).

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, validated.
    """
    labelled = table.assign(scale=scale, session=table["recording"].map(sessions))
    return validate(labelled[COLUMNS])


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Check a table of out-of-fold predictions and return it with columns in order.

    Parameters
    ----------
    table
        Columns participant, session, recording, scale, target, model (text), observed (consensus
        of the raters), predicted (mean over the repeats of the cross-validation, by models that
        never saw the participant), predicted_sd (SD over the repeats; missing after one repeat).

    Returns
    -------
    DataFrame
        A copy with exactly `COLUMNS`.

    Raises
    ------
    StudyError
        A column is missing, a key is empty or given twice, or a number is missing or infinite.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise StudyError(
            f"predictions: no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}. "
            "Run 'fit' again to make them."
        )
    table = table[COLUMNS].reset_index(drop=True)
    empty = table[KEYS].isna() | (table[KEYS] == "")
    not_finite = ~np.isfinite(table[["observed", "predicted"]].to_numpy(dtype=float)).all(axis=1)
    twice = table.duplicated(["recording", "scale", "target", "model"])
    for wrong, what in (
        (empty.any(axis=1), "an empty key"),
        (not_finite, "an observed or predicted score that is not a number"),
        (twice, "a recording, scale, target and model given twice"),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0]) + 2
            raise StudyError(f"predictions, row {row}: {what}. Run 'fit' again to make them.")
    return table


def read_predictions(path: Path) -> pd.DataFrame:
    """Read `predictions/<scale>.csv`; ids stay text ("007" is not 7).

    Raises
    ------
    StudyError
        The file is absent, is not a table, or fails `validate`.
    """
    text = dict.fromkeys(KEYS, str)
    try:
        # only an empty cell is missing: a participant may be called NA
        table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
        numbers = table.reindex(columns=NUMBERS).apply(pd.to_numeric)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise StudyError(f"{path.name} cannot be read: {error}. Run 'fit' to make it.") from error
    return validate(table.assign(**{name: numbers[name] for name in NUMBERS if name in table}))


def write_predictions(path: Path, table: pd.DataFrame) -> None:
    """Validate and write atomically, floats at full precision."""
    write_csv(path, validate(table))
