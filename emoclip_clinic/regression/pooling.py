"""From a vector a window to a vector a recording: the poolings by name.

`POOLINGS` names them; a new one is an entry there. Those that are statistics learn nothing: `pool`
computes them, a recording at a time. The others are learnt or applied within each training set, by
`recipes.RecipeModel`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.fisher import FisherVectors
from emoclip_clinic.regression.frames import FRAMES

__all__ = ["POOLINGS", "LearnedPooling", "Pooling", "pool", "require_pooling"]

Array = NDArray[np.float64]


class LearnedPooling(Protocol):
    """What a pooling that learns must do."""

    def fit(self, vectors: Array, window_of: NDArray[np.intp]) -> Self:
        """Learn from windows (n_windows, d) and the recording (position, ascending) of each."""
        ...

    def transform(self, vectors: Array, window_of: NDArray[np.intp]) -> Array:
        """Features, shape (n_recordings, n_features)."""
        ...


@dataclass(frozen=True)
class Pooling:
    """A way from windows to the rows that a regression sees."""

    label: str
    """In words, as a report says it."""
    reference: str = ""
    """Who published it; empty: elementary."""
    statistics: tuple[str, ...] = ()
    """Names in `STATISTICS`, of which the features are made; empty: it is no summary."""
    learner: Callable[[int], LearnedPooling] | None = None
    """Makes what learns the pooling in a training set, from a seed."""

    @property
    def learns(self) -> bool:
        """Whether something is learnt from the training recordings."""
        return self.learner is not None

    @property
    def needs_windows(self) -> bool:
        """Whether features that were pooled elsewhere cannot stand in for it."""
        return not self.statistics


QUANTILES = (10, 25, 50, 75, 90)
POOLINGS: dict[str, Pooling] = {
    "mean": Pooling("mean", statistics=("mean",)),
    "mean_sd": Pooling("mean and standard deviation", statistics=("mean", "sd")),
    "quantiles": Pooling(
        "10, 25, 50, 75 and 90 % quantiles",
        "Hyndman RJ, Fan Y. Am Stat 1996;50:361-365",
        tuple(f"q{percent}" for percent in QUANTILES),
    ),
    "differences": Pooling(
        "mean, and mean absolute value and standard deviation of the change from window to window",
        statistics=("mean", "change", "change_sd"),
    ),
    "fisher": Pooling(
        "Fisher vectors of a Gaussian mixture on principal components",
        "Perronnin F, Dance C. CVPR 2007; Bishay M et al. IEEE Trans Affect Comput 2021;12:949-961",
        learner=lambda seed: FisherVectors(random_state=seed),
    ),
    "windows": Pooling("none: each window is predicted, and the predictions are averaged"),
    FRAMES: Pooling("none: each window is predicted from its frames, and these are averaged"),
}
"""Every pooling by its name."""

Statistic = Callable[[pd.DataFrame, pd.Index], pd.DataFrame]


def _quantile(percent: int) -> Statistic:
    return lambda windows, key: windows.groupby(key).quantile(percent / 100)


def _changes(windows: pd.DataFrame, key: pd.Index) -> pd.DataFrame:
    return windows.groupby(key).diff()


STATISTICS: dict[str, Statistic] = {
    "mean": lambda windows, key: windows.groupby(key).mean(),
    "sd": lambda windows, key: windows.groupby(key).std(ddof=0),
    **{f"q{percent}": _quantile(percent) for percent in QUANTILES},
    # a recording of one window has no change to be seen: 0
    "change": lambda windows, key: _changes(windows, key).abs().groupby(key).mean().fillna(0.0),
    "change_sd": lambda windows, key: _changes(windows, key).groupby(key).std(ddof=0).fillna(0.0),
}
"""A statistic over the windows of each recording, from windows and the recording of each."""


def require_pooling(how: str) -> Pooling:
    """Give the pooling of that name.

    Raises
    ------
    SettingsError
        There is none; the message lists the names.
    """
    if how not in POOLINGS:
        raise SettingsError(f"pooling = {how!r}; allowed: {', '.join(POOLINGS)}.")
    return POOLINGS[how]


def pool(
    vectors: NDArray[np.floating[Any]], recordings: NDArray[Any], how: str = "mean_sd"
) -> pd.DataFrame:
    """Summarise the windows of each recording by statistics, whoever else was recorded.

    The mean says what the face shows on the whole, the SD how much it changes, which is what
    blunted affect takes away. The SD is the population SD (ddof = 0), so that a recording of a
    single window has SD 0: what it shows is its own variability, not an estimate of another's. So
    have the changes of "differences": the window less the one before it in the same recording.
    Quantiles are interpolated (type 7 of Hyndman & Fan 1996, the default of numpy and R).

    Parameters
    ----------
    vectors
        Embeddings, shape (n_windows, d); those of a recording in order of time, which matters to
        "differences" alone.
    recordings
        The recording of each window, shape (n_windows,).
    how
        "mean" (d features), "mean_sd" (2 d), "quantiles" (5 d) or "differences" (3 d).

    Returns
    -------
    DataFrame
        float64; index `recording`, sorted; columns such as mean_0000 ... and sd_0000 ...

    Raises
    ------
    SettingsError
        `how` is not a pooling, or one that is not made of statistics.
    ClinicError
        Shapes do not match, or an embedding is not a finite number.
    """
    statistics = require_pooling(how).statistics
    if not statistics:
        plain = ", ".join(name for name, pooling in POOLINGS.items() if pooling.statistics)
        raise SettingsError(
            f"pooling = {how!r} has no features of a recording on its own; allowed here: {plain}. "
            "Name it as a model of fit (ESTIMATOR@POOLING) instead."
        )
    vectors = np.asarray(vectors, dtype=np.float64)
    _check(vectors, recordings)
    windows = pd.DataFrame(vectors)
    key = pd.Index(recordings, dtype=str, name="recording")
    parts = [
        STATISTICS[name](windows, key).rename(columns=f"{name}_{{:04d}}".format)
        for name in statistics
    ]
    return pd.concat(parts, axis=1)


def _check(vectors: NDArray[np.floating[Any]], recordings: NDArray[Any]) -> None:
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
