"""What a model may see of the recordings: the vectors of their windows, and covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.frames import FRAMES, Frames
from emoclip_clinic.regression.pooling import pool

__all__ = ["Inputs"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The windows of some recordings in order of recording, or features that are pooled already.

    Make one with `of_windows` or `of_features`; `take` gives that of some of the recordings, so
    that what a fold's model sees is exactly what it was given.
    """

    recordings: pd.Index[str]
    """Names, sorted; the order of the rows of everything that is predicted."""
    vectors: Array
    """Embeddings, shape (n_windows, d)."""
    window_of: NDArray[np.intp]
    """Position in `recordings` of each window, ascending, shape (n_windows,)."""
    features: pd.DataFrame | None = None
    """Index recording: features that were pooled elsewhere, used whatever the pooling."""
    covariates: pd.DataFrame | None = None
    """Index recording, a column a covariate (numbers, or texts for categories); may have gaps."""
    frames: Frames | None = None
    """Those of the windows, in the same order, for models that tune the encoder."""
    _pooled: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    @classmethod
    def of_windows(
        cls,
        vectors: NDArray[np.floating[Any]],
        recordings: Sequence[str] | NDArray[Any],
        covariates: pd.DataFrame | None = None,
        frames: Frames | None = None,
    ) -> Self:
        """Take windows as they come: shape (n_windows, d), and the recording of each.

        Those of a recording are in order of time, and stay so; `frames` are in the order given.

        Raises
        ------
        ClinicError
            Shapes do not match, an embedding is not a finite number, or covariates of a recording
            are given twice.
        """
        # the checks of pooling are those that are needed here
        names = pool(vectors, np.asarray(recordings), "mean").index
        order = np.argsort(np.asarray(recordings, dtype=str), kind="stable")
        window_of = names.get_indexer(pd.Index(np.asarray(recordings, dtype=str)[order]))
        sorted_vectors = np.asarray(vectors, dtype=np.float64)[order]
        if frames is not None and len(frames) != len(order):
            raise ClinicError(
                f"frames of {len(frames)} windows for {len(order)} embeddings; allowed is one for "
                "each. Run 'emoclip-clinic encode --frames' again."
            )
        own = None if frames is None else frames.take(order)
        return cls(names, sorted_vectors, window_of, None, _of(covariates, names), own)

    @classmethod
    def of_features(cls, x: pd.DataFrame, covariates: pd.DataFrame | None = None) -> Self:
        """Take a table that has one row a recording (its index) and a column a feature.

        Raises
        ------
        ClinicError
            A recording or its covariates are given twice, or a feature is not a finite number.
        """
        if not x.index.is_unique:
            twice = ", ".join(sorted(set(x.index[x.index.duplicated()]))[:5])
            raise ClinicError(f"features of {twice} are given twice; allowed is a row a recording.")
        x = x.sort_index().astype(float)
        if not np.isfinite(x.to_numpy()).all():
            raise ClinicError("a feature is not a finite number. Encode the recordings again.")
        return cls(x.index, x.to_numpy(), np.arange(len(x)), x, _of(covariates, x.index))

    def __len__(self) -> int:
        return len(self.recordings)

    def pooled(self, how: str) -> pd.DataFrame:
        """Features of each recording by a pooling that learns nothing; computed once."""
        if self.features is not None:
            return self.features
        if how not in self._pooled:
            names = self.recordings.to_numpy()[self.window_of]
            self._pooled[how] = pool(self.vectors, names, how)
        return self._pooled[how]

    def windows(self, how: str) -> tuple[Array, NDArray[np.intp]]:
        """Give `vectors`, or the rows of `frames`, and `window_of` to a pooling that needs them.

        Raises
        ------
        SettingsError
            There are only features that were pooled elsewhere, or no frames.
        """
        if self.features is not None:
            raise SettingsError(
                f"pooling = {how!r} needs the windows of recordings; given are features that are "
                "pooled already. Choose another pooling, or give windows (Inputs.of_windows)."
            )
        if how != FRAMES:
            return self.vectors, self.window_of
        if self.frames is None:
            raise SettingsError(
                f"pooling = {how!r} needs the frames of windows, and none are given. Run "
                "'emoclip-clinic encode FOLDER --frames', or choose another model, such as head."
            )
        return self.frames.rows(), self.window_of

    def take(self, rows: NDArray[np.intp]) -> Inputs:
        """Keep the recordings at these ascending positions."""
        keep = np.isin(self.window_of, rows)
        return Inputs(
            self.recordings[rows],
            self.vectors[keep],
            np.searchsorted(rows, self.window_of[keep]),
            None if self.features is None else self.features.iloc[rows],
            None if self.covariates is None else self.covariates.iloc[rows],
            None if self.frames is None else self.frames.take(keep),
            {how: table.iloc[rows] for how, table in self._pooled.items()},
        )


def _of(covariates: pd.DataFrame | None, recordings: pd.Index[str]) -> pd.DataFrame | None:
    """Line the covariates up with the recordings; those of others are left out."""
    if covariates is None:
        return None
    if not covariates.index.is_unique:
        twice = ", ".join(sorted(set(covariates.index[covariates.index.duplicated()]))[:5])
        raise ClinicError(f"covariates of {twice} are given twice; allowed is a row a recording.")
    for name, column in covariates.select_dtypes("number").items():
        if np.isinf(column.to_numpy(float, na_value=np.nan)).any():
            raise ClinicError(
                f"covariate {name} is infinite in a recording; allowed are numbers, texts and gaps."
            )
    return covariates.reindex(recordings)
