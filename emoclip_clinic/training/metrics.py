"""How well clips were recognised: accuracy, recalls and the confusion matrix, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import DatasetError

__all__ = [
    "CONFUSION", "DIFFERENCES", "LEVEL", "SCORES", "Distributions", "confusion",
    "differences", "scores",
]  # fmt: skip

Array = NDArray[np.float64]
Labels = NDArray[np.intp]
"""Numbers of classes, shape (n_clips,)."""
Statistics = Callable[[Array], dict[str, Array]]
"""From weights of the clips, shape (n_weightings, n_clips), to statistics, each (n_weightings,)."""

LEVEL = 0.95
WAR, UAR = "WAR", "UAR"
MATRIX_CELLS = 2**22
"""Numbers of confusion matrices that are worked on at once, 32 MiB."""

SCORES = (
    "method", "prompts", "statistic", "class", "value", "ci_low", "ci_high", "chance", "n_clips",
    "n_participants", "note",
)  # fmt: skip
CONFUSION = (
    "method", "prompts", "truth", "predicted", "n_clips", "share", "ci_low", "ci_high", "note",
)  # fmt: skip
DIFFERENCES = (
    "method_a", "prompts_a", "method_b", "prompts_b", "statistic", "value", "ci_low", "ci_high",
    "n_clips", "n_participants", "note",
)  # fmt: skip


class Interval(Protocol):
    """An estimate in resamples, as `regression.bootstrap.Distribution` gives it."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def problem(self) -> str:
        """Why there is no interval; empty where there is one."""

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends; NaN where there is none."""


Distributions = Callable[[Statistics, NDArray[np.intp]], Mapping[str, Interval]]
"""From statistics and the number of each clip's cluster to a distribution a statistic."""


def scores(
    truth: Labels,
    predicted: Labels,
    classes: Sequence[str],
    participants: Sequence[str],
    distributions: Distributions,
) -> pd.DataFrame:
    """Score predictions, with 95 % intervals over participants (clips, where none is known).

    WAR is the share of clips that are recognised (accuracy). UAR is the mean, over the classes that
    occur, of the share of their clips that are recognised (recall): every class counts alike,
    however rare.

    Parameters
    ----------
    truth, predicted
        Numbers in `classes`, shape (n_clips,).
    classes
        Names.
    participants
        Who is seen, shape (n_clips,); empty where it is not known: the clip counts by itself.
    distributions
        Resamples.

    Returns
    -------
    DataFrame
        `SCORES` from statistic on: WAR, UAR, then the recall of each class. chance is that of
        guessing: all the same for UAR and recalls, always the most frequent class for WAR. A value
        is missing where a class has no clip; the note says why a value or an interval is missing.
    """
    k, clusters = len(classes), _clusters(participants)
    counts = np.bincount(truth, minlength=k)

    def statistics(weights: Array) -> dict[str, Array]:
        return _summaries(weights, truth, predicted, k)

    found = distributions(statistics, clusters)
    n_known = len({name for name in participants if name})
    occur = int((counts > 0).sum())
    rows = [
        (WAR, "", *_estimate(found[WAR]), counts.max() / len(truth), len(truth), n_known),
        (UAR, "", *_estimate(found[UAR]), 1 / k, len(truth), n_known),
    ]
    rows += [
        ("recall", name, *_estimate(found[str(number)]), 1 / k, int(counts[number]), n_known)
        for number, name in enumerate(classes)
    ]
    table = pd.DataFrame(
        rows,
        columns=[
            "statistic", "class", "value", "ci_low", "ci_high", "note", "chance", "n_clips",
            "n_participants",
        ],
    )  # fmt: skip
    if not n_known:
        table["note"] = table["note"].str.replace("participants", "clips")
    table.loc[table["n_clips"] == 0, "note"] = "no clip of this class"
    if occur < k:
        uar = table["statistic"] == UAR
        table.loc[uar, "note"] = _join(
            table.loc[uar, "note"].item(), f"over {occur} of {k} classes"
        )
    return table[list(SCORES[2:])]


def confusion(
    truth: Labels,
    predicted: Labels,
    classes: Sequence[str],
    participants: Sequence[str],
    distributions: Distributions,
) -> pd.DataFrame:
    """Count what each class was taken for, with the shares of its clips and their intervals.

    Returns
    -------
    DataFrame
        `CONFUSION` from truth on, a row a pair of classes; share and interval are missing where the
        true class has no clip.
    """
    k, clusters = len(classes), _clusters(participants)

    def statistics(weights: Array) -> dict[str, Array]:
        shares = np.concatenate(
            [_shares(one, k) for one in _matrices(weights, truth, predicted, k)]
        ).reshape(len(weights), k * k)
        return {str(cell): shares[:, cell] for cell in range(k * k)}

    found = distributions(statistics, clusters)
    n = np.bincount(truth * k + predicted, minlength=k * k)
    rows = [
        (classes[cell // k], classes[cell % k], int(n[cell]), *_estimate(found[str(cell)]))
        for cell in range(k * k)
    ]
    columns = ["truth", "predicted", "n_clips", "share", "ci_low", "ci_high", "note"]
    table = pd.DataFrame(rows, columns=columns)
    empty = table.groupby("truth")["n_clips"].transform("sum") == 0
    table.loc[empty, "note"] = "no clip of this class"
    return table


def differences(
    truth: Labels,
    one: Labels,
    other: Labels,
    n_classes: int,
    participants: Sequence[str],
    distributions: Distributions,
) -> pd.DataFrame:
    """Give WAR and UAR of one set of predictions less those of another, on the same clips.

    Both are resampled together, so that what makes a clip hard for both does not widen the
    interval.

    Returns
    -------
    DataFrame
        `DIFFERENCES` from statistic on: two rows.
    """

    def statistics(weights: Array) -> dict[str, Array]:
        ours, others = (_summaries(weights, truth, guess, n_classes) for guess in (one, other))
        return {name: ours[name] - others[name] for name in (WAR, UAR)}

    found = distributions(statistics, _clusters(participants))
    n_known = len({name for name in participants if name})
    rows = [(name, *_estimate(found[name]), len(truth), n_known) for name in (WAR, UAR)]
    columns = ["statistic", "value", "ci_low", "ci_high", "note", "n_clips", "n_participants"]
    return pd.DataFrame(rows, columns=columns)[list(DIFFERENCES[4:])]


def _matrices(weights: Array, truth: Labels, predicted: Labels, k: int) -> Iterable[Array]:
    """Give weighted confusion matrices, some rows of `weights` at a time, (rows, k, k)."""
    cells = truth * k + predicted
    used, where = np.unique(cells, return_inverse=True)
    indicator = np.zeros((len(truth), len(used)))
    indicator[np.arange(len(truth)), where] = 1
    step = max(1, MATRIX_CELLS // (k * k))
    for start in range(0, len(weights), step):
        part = weights[start : start + step]
        matrix = np.zeros((len(part), k * k))
        matrix[:, used] = part @ indicator
        yield matrix.reshape(-1, k, k)


def _shares(matrices: Array, k: int) -> Array:
    """Divide the rows of confusion matrices by their sums; NaN where a class has no weight."""
    sums = matrices.sum(axis=2, keepdims=True)
    shares: Array = np.divide(matrices, sums, out=np.full_like(matrices, np.nan), where=sums > 0)
    return shares


def _summaries(weights: Array, truth: Labels, predicted: Labels, k: int) -> dict[str, Array]:
    """WAR, UAR, and the recall of each class by its number."""
    found = [_summary(matrices, k) for matrices in _matrices(weights, truth, predicted, k)]
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _summary(matrices: Array, k: int) -> dict[str, Array]:
    recalls = np.diagonal(_shares(matrices, k), axis1=1, axis2=2)
    occur = np.isfinite(recalls)
    right = np.trace(matrices, axis1=1, axis2=2)
    # without the only participant there is nothing left: NaN
    with np.errstate(invalid="ignore"):
        war = right / matrices.sum(axis=(1, 2))
        uar = np.where(occur, recalls, 0).sum(axis=1) / occur.sum(axis=1)
    return {
        WAR: war,
        UAR: uar,
        **{str(number): recalls[:, number] for number in range(k)},
    }


def _estimate(found: Interval) -> tuple[float, float, float, str]:
    low, high = found.interval(LEVEL)
    return found.value, low, high, found.problem


def _clusters(participants: Sequence[str]) -> NDArray[np.intp]:
    """Give each participant a number; a clip of nobody known has its own."""
    if not len(participants):
        raise DatasetError("no clip is left to score: see the reasons of those left out.")
    names = [name or f"\0{place}" for place, name in enumerate(participants)]
    numbers: NDArray[np.intp] = np.unique(np.array(names, dtype=object), return_inverse=True)[1]
    return numbers


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
