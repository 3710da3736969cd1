"""Paired scores of one target and model, as every statistic takes them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.measures import (
    ASSOCIATIONS,
    CALIBRATION,
    ROUNDING,
    departure,
    metrics,
)

__all__ = ["BASELINE", "Sample", "averaged", "samples", "tables"]

Array = NDArray[np.float64]

BASELINE = "mean"
"""The model whose error is R2's denominator."""
NEEDED = ("participant", "recording", "target", "model", "observed", "predicted")


@dataclass(frozen=True, eq=False)
class Sample:
    """Observed and predicted scores of one target and model, recording by recording."""

    recording: NDArray[np.object_]
    """Names, sorted."""
    observed: Array
    """Scores, shape (n_recordings,)."""
    predicted: Array
    """Out-of-fold predictions, likewise."""
    baseline: Array
    """Those of the training mean; NaN where the table has no model "mean"."""
    participant: NDArray[np.object_]
    """Whose recording it is."""
    is_baseline: bool = False
    """Whether the model is the training mean itself."""

    @property
    def cluster(self) -> NDArray[np.intp]:
        """Number of each recording's participant, from 0, in the order of the recordings."""
        return pd.factorize(self.participant)[0]

    @property
    def n_participants(self) -> int:
        """How many people the recordings are of."""
        return len(np.unique(self.cluster))

    def take(self, keep: NDArray[np.bool_]) -> Sample:
        """Keep some of the recordings."""
        return Sample(
            self.recording[keep],
            self.observed[keep],
            self.predicted[keep],
            self.baseline[keep],
            self.participant[keep],
            self.is_baseline,
        )

    def metrics(self, weights: Array | None = None) -> dict[str, Array]:
        """As `measures.metrics`."""
        return metrics(self.observed, self.predicted, self.baseline, weights)

    def why_undefined(self, metric: str) -> str:
        """Why a metric of these scores is not a number, or means nothing; else an empty text."""
        if metric == "r2" and np.isnan(self.baseline).any():
            return f"needs the predictions of '{BASELINE}'"
        if metric not in (*ASSOCIATIONS, *CALIBRATION):
            return ""
        if self.is_baseline:
            return "not informative: varies only with the fold, against the score"
        if np.ptp(self.observed) == 0:
            return "undefined: observed scores are constant"
        said = min(np.ptp(departure(self.predicted, self.baseline)), np.ptp(self.predicted))
        # agreement with a constant is 0, association with it is not a number
        if said <= ROUNDING and metric != "ccc":
            return "undefined: the model says nothing beyond the mean"
        return ""


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Take the mean prediction over the repeats, where a table has them; check it.

    Raises
    ------
    ClinicError
        A column is missing, a score is not a number, or one is given twice.
    """
    absent = [name for name in NEEDED if name not in table]
    if absent:
        raise ClinicError(f"predictions lack the columns {', '.join(absent)}.")
    table = table if "scale" in table else table.assign(scale="")
    scores = ["observed", "predicted"]
    if not np.isfinite(table[scores].to_numpy(float)).all():
        raise ClinicError("an observed or predicted score is not a finite number: drop its row.")
    keys = ["scale", "recording", "target", "model"]
    if "repeat" in table:
        _check_single(table, [*keys, "repeat"])
        table = table.groupby([*keys, "participant"], sort=False, as_index=False)[scores].mean()
    _check_single(table, keys)
    return table


def _check_single(table: pd.DataFrame, keys: list[str]) -> None:
    twice = table.loc[table.duplicated(keys), "recording"]
    if len(twice):
        raise ClinicError(
            f"recording {twice.iloc[0]} has two predictions of one target and model; allowed is "
            "one, or one a repeat, told apart by a column repeat."
        )


def tables(predictions: pd.DataFrame) -> Iterator[tuple[dict[str, Hashable], pd.DataFrame]]:
    """Split predictions by scale and target: the keys of the rows, and the rows."""
    for (scale, target), table in averaged(predictions).groupby(["scale", "target"], sort=False):
        yield {"scale": scale, "target": target}, table


def samples(table: pd.DataFrame) -> Iterator[tuple[str, Sample]]:
    """Split one target's predictions by model, each beside the baseline's."""
    rows = table.sort_values("recording")
    by_model = rows.pivot(index="recording", columns="model", values="predicted")
    baseline = by_model.reindex(columns=[BASELINE])[BASELINE]
    for model in table["model"].unique():
        own = rows[rows["model"] == model]
        recording = own["recording"].to_numpy(dtype=object)
        yield (
            model,
            Sample(
                recording,
                own["observed"].to_numpy(float),
                own["predicted"].to_numpy(float),
                baseline.loc[recording].to_numpy(float),
                own["participant"].to_numpy(dtype=object),
                model == BASELINE,
            ),
        )
