"""What would remain of a study under other limits of quality: arithmetic on the measured windows.

Nothing is encoded or fitted again, and the thresholds are the same in every study, so that one can
be chosen before the results are seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.quality import MEASURES, Measure
from emoclip_clinic.resources import close_matches

__all__ = ["THRESHOLD_COLUMNS", "grid", "kept", "measure_of", "remaining"]

THRESHOLD_COLUMNS = (
    *("measure", "limit", "threshold", "n_windows", "n_recordings", "n_participants"),
    "n_unknown",
)
"""Columns of quality_thresholds.csv; `limit` is "min" or "max"."""


def measure_of(name: str) -> Measure:
    """Give the measure of that name.

    Raises
    ------
    SettingsError
        There is none; the message lists the names.
    """
    known = {measure.name: measure for measure in MEASURES}
    if name not in known:
        raise SettingsError(
            f"measure = {name!r}. {close_matches(name, list(known))}Allowed: {', '.join(known)}."
        )
    return known[name]


def grid(measure: Measure) -> Iterator[tuple[str, float]]:
    """Give the limits of a measure that are tried, as ("min" or "max", threshold)."""
    yield from (("min", float(threshold)) for threshold in measure.grid_low)
    yield from (("max", float(threshold)) for threshold in measure.grid_high)


def kept(
    windows: pd.DataFrame, measure: Measure, limit: str, threshold: float
) -> npt.NDArray[np.bool_]:
    """Say of each window whether it keeps a limit; one whose value is not known does not."""
    values = windows[measure.name].to_numpy(float)
    return values >= threshold if limit == "min" else values <= threshold


def remaining(windows: pd.DataFrame, participants: pd.Series) -> pd.DataFrame:
    """Count what remains of the used windows under each threshold of each measure.

    Parameters
    ----------
    windows
        quality.WINDOW_COLUMNS, used and excluded.
    participants
        Participant of each recording (index recording).

    Returns
    -------
    pandas.DataFrame
        THRESHOLD_COLUMNS: a first row without a measure, what is used now; then a row a threshold,
        one measure at a time. n_unknown: used windows of which the measure is not known, which do
        not remain.
    """
    used = windows[windows["status"] == "used"]
    people = used["recording"].map(participants)
    everything = np.ones(len(used), bool)
    rows = [("", "", np.nan, *_counts(used, people, everything), 0)]
    for measure in MEASURES:
        n_unknown = int(used[measure.name].isna().sum())
        for limit, threshold in grid(measure):
            inside = kept(used, measure, limit, threshold)
            counts = _counts(used, people, inside)
            rows.append((measure.name, limit, threshold, *counts, n_unknown))
    return pd.DataFrame(rows, columns=list(THRESHOLD_COLUMNS))


def _counts(
    used: pd.DataFrame, people: pd.Series, inside: npt.NDArray[np.bool_]
) -> tuple[int, int, int]:
    return int(inside.sum()), used["recording"][inside].nunique(), people[inside].nunique()
