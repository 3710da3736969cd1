"""Permutation tests: whether scores that have nothing to do with the faces are predicted as well.

Under the null hypothesis that a person's scores are independent of their recordings, the scores of
persons can be exchanged. The whole nested cross-validation, tuning included, is run again on scores
that are exchanged *between participants*, never between the recordings of one, and the observed
statistic is compared with what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.crossval import Prepared, fold_seed, same_recordings
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.regression.multiplicity import benjamini_hochberg, max_t
from emoclip_clinic.regression.recipes import Recipe

__all__ = ["COLUMNS", "exchange", "permutation_test"]

Array = NDArray[np.float64]

COLUMNS = [
    *("target", "kind", "model", "metric", "value", "p", "p_max_t", "q_bh"),
    *("n_permutations", "n_participants", "note"),
]
METRICS = ("pearson", "r2")
CHUNK = 250
"""Permutations that are fitted together: memory is bounded by it, whatever their number."""
# departures from the training mean below this are rounding error (as in `inference`)
ROUNDING = 1e-10
# statistics closer than this are equal: the same exchange reached by another way
TIE = 1e-9


def permutation_test(
    prepared: Prepared,
    design: Design,
    model: str | Recipe,
    kinds: Mapping[str, str],
    *,
    n_permutations: int = 1000,
    within: pd.Series | None = None,
    folds_follow_scores: bool = False,
    run: Runner = serially,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Test whether a model predicts better than it predicts scores exchanged between participants.

    Scores move as whole blocks, all targets and visits of a participant together, between
    participants with as many recordings (whole-block exchangeability, Winkler et al. 2015), so that
    the correlations between targets and between visits stay as they are. One-sided: large is good.

    Parameters
    ----------
    prepared
        What was cross-validated, from `crossval.prepare`.
    design, model
        As in `cross_validate`.
    kinds
        Kind of each target; p_max_t and q_bh are over the targets of a kind.
    n_permutations
        Exchanges; the smallest p is 1 / (n_permutations + 1).
    within
        Site of each participant (index participant): scores are exchanged within sites only, where
        sites differ in both scores and cameras.
    folds_follow_scores
        Whether the folds were made from the scores (stratified): the features are then exchanged
        and scores and folds stay, which is as valid and needs all models anew each time.
    run, progress
        As in `cross_validate`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, a row a target and metric: pearson (of the scores with what the model
        says beyond its training mean) and r2 (against the training mean), as in `performance`; p,
        the share of exchanges with a statistic at least as large, the observed one counted (Phipson
        & Smyth 2010); p_max_t, p corrected for all targets of the kind (Westfall & Young's
        step-down max-T); q_bh, Benjamini & Hochberg's. A statistic that is not a number found
        nothing: p = 1.

    Raises
    ------
    SettingsError
        n_permutations is below 19: no p could reach 0.05.

    References
    ----------
    Winkler AM et al. Multi-level block permutation. NeuroImage 2015;123:253-268.
    Phipson B, Smyth GK. Permutation p-values should never be zero. Stat Appl Genet Mol Biol
    2010;9:39.
    """
    if n_permutations < 19:
        raise SettingsError(f"n_permutations = {n_permutations}; allowed: 0 (none), 19 or more.")
    recipe = model if isinstance(model, Recipe) else Recipe.parse(model)
    recipe.warm(prepared.inputs)
    blocks = list(same_recordings(prepared.targets))
    strata = _strata(prepared, within)
    # number 0 is the observed one
    starts = range(0, n_permutations + 1, CHUNK)
    jobs = [
        (block, start, min(start + CHUNK, n_permutations + 1), *test)
        for block, start in product(range(len(blocks)), starts)
        for test in prepared.tests
    ]
    function = _Exchanged(prepared, recipe, design, blocks, strata, folds_follow_scores)
    results = run(function, jobs)
    found = np.full((len(METRICS), n_permutations + 1, prepared.targets.shape[1]), np.nan)
    for block, (rows, names) in enumerate(blocks):
        columns = prepared.targets.columns.isin(names)
        for number, start in enumerate(starts):
            sums = _Sums(function.scores(block, start, min(start + CHUNK, n_permutations + 1)))
            for repeat, fold in prepared.tests:
                sums.add(prepared.fold_of[rows, repeat] == fold, next(results))
            found[:, start : start + CHUNK, columns] = sums.statistics()
            if progress:
                progress(block * len(starts) + number + 1, len(blocks) * len(starts))
    return _table(found, prepared, recipe.name, kinds, strata)


def _strata(prepared: Prepared, within: pd.Series | None) -> NDArray[np.intp]:
    """Give each recording the number of its stratum, which is the site of its participant."""
    if within is None:
        return np.zeros(len(prepared.groups), dtype=np.intp)
    return np.asarray(pd.factorize(within.reindex(prepared.groups).astype(str))[0])


def exchange(person: NDArray[np.intp], strata: NDArray[np.intp], keys: Array) -> NDArray[np.intp]:
    """Exchange participants: for each exchange and row, the row whose scores it gets.

    Parameters
    ----------
    person
        Number of the participant of each row, shape (n,); the rows of one are its visits, in order.
    strata
        Stratum of each row, shape (n,): exchanges stay within it, and between participants with as
        many rows.
    keys
        Random numbers, shape (n_exchanges, n_participants): participants change places with the
        order of their keys.

    Returns
    -------
        Positions, shape (n_exchanges, n).
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for number in np.unique(person):
        rows = np.flatnonzero(person == number)
        alike.setdefault((int(strata[rows[0]]), len(rows)), []).append(int(number))
    order = np.tile(np.arange(len(person)), (len(keys), 1))
    for members in alike.values():
        rows = np.array([np.flatnonzero(person == number) for number in members])
        givers = np.argsort(keys[:, members], axis=1, kind="stable")
        order[:, rows.ravel()] = rows[givers].reshape(len(keys), -1)
    return order


@dataclass(frozen=True, eq=False)
class _Exchanged:
    """Fits one fold to many exchanges: called with (block, start, stop, repeat from 0, fold)."""

    data: Prepared
    recipe: Recipe
    design: Design
    blocks: list[tuple[NDArray[np.bool_], list[str]]]
    """Recordings and targets that are fitted together."""
    strata: NDArray[np.intp]
    move_features: bool

    def order(self, block: int, start: int, stop: int) -> NDArray[np.intp]:
        """Where the exchanges start to stop send the rows of a block; number 0 is no exchange."""
        rows, _ = self.blocks[block]
        person = np.unique(self.data.groups.astype(str), return_inverse=True)[1]
        # a key a participant and exchange, so that blocks with other gaps are exchanged alike
        keys = np.array(
            [
                np.random.default_rng([self.design.seed, number]).random(person.max() + 1)
                for number in range(start, stop)
            ]
        )
        order = exchange(person[rows], self.strata[rows], keys)
        if start == 0:
            order[0] = np.arange(rows.sum())
        return order

    def scores(self, block: int, start: int, stop: int) -> Array:
        """Scores of the rows of a block in each exchange, shape (n_exchanges, n, n_targets)."""
        rows, names = self.blocks[block]
        y = self.data.targets.loc[rows, names].to_numpy()
        if self.move_features:
            return np.broadcast_to(y, (stop - start, *y.shape))
        return np.asarray(y[self.order(block, start, stop)])

    def __call__(self, job: tuple[int, int, int, int, int]) -> tuple[Array, Array]:
        """Predictions (n_exchanges, n_tested, n_targets), and the training means in their place."""
        block, start, stop, repeat, fold = job
        rows = np.flatnonzero(self.blocks[block][0])
        y = self.scores(block, start, stop)
        in_test = self.data.fold_of[rows, repeat] == fold
        train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
        means = np.broadcast_to(y[:, train].mean(axis=1, keepdims=True), y[:, test].shape)
        model = self.recipe.make(self.design.n_inner_folds, fold_seed(self.design, repeat, fold))
        if not len(test):
            return y[:, test], means
        if self.move_features or self.recipe.joint:
            order = np.tile(np.arange(len(rows)), (stop - start, 1))
            if self.move_features:
                order = self.order(block, start, stop)
            # every exchange trains by itself: nothing is shared between them
            predicted = [
                _predict(model, self.data, rows[places[train]], one[train], rows[places[test]])
                for places, one in zip(order, y, strict=True)
            ]
            return np.stack(predicted), means
        beside = y[:, train].transpose(1, 0, 2).reshape(len(train), -1)
        flat = _predict(model, self.data, rows[train], beside, rows[test])
        return flat.reshape(len(test), len(y), -1).transpose(1, 0, 2), means


def _predict(
    model: Any, data: Prepared, train: NDArray[np.intp], y: Array, test: NDArray[np.intp]
) -> Array:
    """Fit to the recordings at positions `train` and predict those at `test`, in any order."""
    seen, unseen = np.argsort(train), np.argsort(test)
    predicted = model.fit_predict(
        data.inputs.take(train[seen]), y[seen], data.groups[train[seen]],
        data.inputs.take(test[unseen]),
    )  # fmt: skip
    return np.asarray(predicted[np.argsort(unseen)])


class _Sums:
    """Adds up the predictions of the folds and repeats of one chunk of exchanges.

    Parameters
    ----------
    scores
        Shape (n_exchanges, n, n_targets).
    """

    def __init__(self, scores: Array) -> None:
        self.scores = scores
        self.predicted = np.zeros(scores.shape)
        self.means = np.zeros(scores.shape)
        self.times = np.zeros(scores.shape[1])

    def add(self, tested: NDArray[np.bool_], found: tuple[Array, Array]) -> None:
        """Add the predictions of a fold to the rows that it tested."""
        self.predicted[:, tested] += found[0]
        self.means[:, tested] += found[1]
        self.times[tested] += 1

    def statistics(self) -> Array:
        """`METRICS` over the tested rows, shape (n_metrics, n_exchanges, n_targets)."""
        rows = self.times > 0
        times = self.times[rows, np.newaxis]
        y, predicted, means = self.scores[:, rows], self.predicted[:, rows], self.means[:, rows]
        predicted, means = predicted / times, means / times
        departure = predicted - means
        departure[np.abs(departure) <= ROUNDING] = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = 1 - ((y - predicted) ** 2).sum(axis=1) / ((y - means) ** 2).sum(axis=1)
        # a model that says nothing has found nothing, whichever the measure
        r2[np.ptp(departure, axis=1) <= ROUNDING] = np.nan
        return np.stack([_pearson(y, departure), r2])


def _pearson(x: Array, y: Array) -> Array:
    """Correlation along axis 1, NaN where one side is constant."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.where(np.ptp(y, axis=1) > ROUNDING, r, np.nan)


def _table(
    found: Array,
    data: Prepared,
    model: str,
    kinds: Mapping[str, str],
    strata: NDArray[np.intp],
) -> pd.DataFrame:
    parts = []
    targets = data.targets.columns
    kind_of = np.array([kinds[str(name)] for name in targets])
    rated = data.targets.notna().to_numpy()
    for metric, statistics in zip(METRICS, found, strict=True):
        table = pd.DataFrame(
            {
                "target": targets,
                "kind": kind_of,
                "model": model,
                "metric": metric,
                "value": statistics[0],
                "p": _p(statistics),
                "n_permutations": len(statistics) - 1,
                "n_participants": [len(set(data.groups[column])) for column in rated.T],
                "note": [_note(data.groups[column], strata[column]) for column in rated.T],
            }
        )
        for kind in dict.fromkeys(kind_of):
            own = kind_of == kind
            # rounding must not make an equal statistic a smaller one
            table.loc[own, "p_max_t"] = max_t(statistics[0, own] - TIE, statistics[1:, own])
            table.loc[own, "q_bh"] = benjamini_hochberg(table.loc[own, "p"].to_numpy())
        nothing = np.isnan(statistics[0])
        table.loc[nothing, ["p", "p_max_t", "q_bh"]] = 1.0
        table.loc[nothing, "note"] = "the model says nothing beyond the mean"
        parts.append(table)
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _p(statistics: Array) -> Array:
    # the observed statistic is one of the exchanges
    least = np.where(np.isnan(statistics), -np.inf, statistics)
    return np.asarray((least >= least[0] - TIE).mean(axis=0))


def _note(groups: NDArray[Any], strata: NDArray[np.intp]) -> str:
    """Say how many participants have nobody to change places with."""
    table = pd.DataFrame({"person": groups, "stratum": strata})
    people = table.groupby("person").agg(stratum=("stratum", "first"), n=("stratum", "size"))
    alone = int((people.value_counts() == 1).sum())
    if not alone:
        return ""
    return f"{alone} of {len(people)} participants cannot be exchanged (own number of recordings)"
