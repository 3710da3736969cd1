"""Tables of recognition: scores, confusion and paired differences of methods on the same clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.training import metrics
from emoclip_clinic.training.metrics import CONFUSION, DIFFERENCES, SCORES

__all__ = ["KEY", "difference", "difference_table", "score_tables"]

KEY = ["method", "prompts"]


def score_tables(
    predictions: pd.DataFrame, classes: Sequence[str], resamples: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every method.

    Returns
    -------
    scores, confusion
        Columns `SCORES` and `CONFUSION` of `training.metrics`.
    """
    draw = partial(distributions, n_resamples=resamples, seed=seed)
    found: tuple[list[pd.DataFrame], list[pd.DataFrame]] = [], []
    for (method, prompts), rows in _by_method(predictions):
        truth, predicted = _numbers(rows["truth"], classes), _numbers(rows["predicted"], classes)
        for tables, make in zip(found, (metrics.scores, metrics.confusion), strict=True):
            table = make(truth, predicted, classes, list(rows["participant"]), draw)
            tables.append(table.assign(method=method, prompts=prompts))
    scores, confusion = (pd.concat(tables, ignore_index=True) for tables in found)
    return scores[list(SCORES)], confusion[list(CONFUSION)]


def difference_table(
    predictions: pd.DataFrame, classes: Sequence[str], resamples: int, seed: int
) -> pd.DataFrame:
    """Compare the first method with each of the others, on the same clips.

    Returns
    -------
    DataFrame
        Columns `DIFFERENCES` of `training.metrics`: first less other.
    """
    (_, first), *others = _by_method(predictions)
    tables = [difference(first, rows, classes, resamples, seed) for _, rows in others]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=DIFFERENCES)


def difference(
    one: pd.DataFrame, other: pd.DataFrame, classes: Sequence[str], resamples: int, seed: int
) -> pd.DataFrame:
    """Compare two methods' predictions of the same clips, which stand in the same order."""
    table = metrics.differences(
        _numbers(one["truth"], classes),
        _numbers(one["predicted"], classes),
        _numbers(other["predicted"], classes),
        len(classes),
        list(one["participant"]),
        partial(distributions, n_resamples=resamples, seed=seed),
    )
    names = {
        f"{column}_{side}": rows[column].iloc[0]
        for side, rows in (("a", one), ("b", other))
        for column in KEY
    }
    return table.assign(**names)[list(DIFFERENCES)]


def _by_method(predictions: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for (method, prompts), rows in predictions.groupby(KEY, sort=False):
        yield (str(method), str(prompts)), rows


def _numbers(labels: pd.Series[str], classes: Sequence[str]) -> NDArray[np.intp]:
    found: NDArray[np.intp] = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.intp)
    return found
