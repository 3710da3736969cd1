"""From a vector a window to a vector a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError, SettingsError

__all__ = ["POOLINGS", "pool"]

POOLINGS = {"mean": ("mean",), "mean_sd": ("mean", "sd")}
"""Statistics over the windows of a recording, by the name of the pooling."""


def pool(
    vectors: NDArray[np.floating[Any]], recordings: NDArray[Any], how: str = "mean_sd"
) -> pd.DataFrame:
    """Summarise the windows of each recording by their mean and standard deviation.

    The mean says what the face shows on the whole, the SD how much it changes, which is what
    blunted affect takes away. The SD is the population SD (ddof = 0), so that a recording of a
    single window has SD 0: what it shows is its own variability, not an estimate of another's.

    Parameters
    ----------
    vectors
        Embeddings, shape (n_windows, d), any order.
    recordings
        The recording of each window, shape (n_windows,).
    how
        "mean_sd" (2 d features) or "mean" (d features).

    Returns
    -------
    DataFrame
        float64; index `recording`, sorted; columns mean_0000 ... and sd_0000 ...

    Raises
    ------
    SettingsError
        `how` is not a pooling.
    ClinicError
        Shapes do not match, or an embedding is not a finite number.
    """
    if how not in POOLINGS:
        raise SettingsError(f"pooling = {how!r}; allowed: {', '.join(POOLINGS)}.")
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(recordings):
        raise ClinicError(
            f"embeddings of shape {vectors.shape} for {len(recordings)} windows; allowed is one "
            "row a window. Encode the recordings again."
        )
    if not np.isfinite(vectors).all():
        wrong = sorted({str(name) for name in np.asarray(recordings)[~np.isfinite(vectors).all(1)]})
        raise ClinicError(
            f"embeddings of {', '.join(wrong[:5])} hold values that are not finite numbers. "
            "Encode these recordings again."
        )
    windows = pd.DataFrame(vectors).groupby(pd.Index(recordings, dtype=str, name="recording"))
    parts = {"mean": windows.mean(), "sd": windows.std(ddof=0)}
    return pd.concat(
        [parts[name].rename(columns=f"{name}_{{:04d}}".format) for name in POOLINGS[how]], axis=1
    )
