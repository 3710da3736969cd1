"""Agreement over a whole scale: raters among themselves, the model with each and with all.

A subject is a session of a participant. The comparisons, in the order of the table:

- rater-rater: all raters together (rater_a "all"), then every pair; differences are rater_b minus
  rater_a.
- model-rater: rater_a "model", rater_b the rater; model minus rater.
- model-consensus: the model with the mean of all raters who scored the subject; model minus
  consensus.
- rater-consensus and model-loo-consensus: a rater, then the model, with the mean of the *other*
  raters, on the same subjects. Only these two answer on equal terms whether the model is as good
  as another clinician: a mean that holds a rater's own score flatters the rater, and a mean of
  more raters is easier to agree with.

Where every participant has one session, intervals are those of `icc`, `ccc`, `pearson`,
`bland_altman` and `mae`. Where someone has several, sessions of a person are alike and these would
be too short: whole participants are resampled instead. Such intervals are about the raters at
hand, while the F-based one of ICC(A,1) allows for other raters of their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.bootstrap import cluster_intervals
from emoclip_clinic.agreement.concordance import (
    concordance_estimates,
    pearson_estimate,
    weighted_concordance,
)
from emoclip_clinic.agreement.estimates import Estimate, join_notes
from emoclip_clinic.agreement.limits import limits_estimates, weighted_limits
from emoclip_clinic.agreement.reliability import icc_estimates, icc_values, weighted_icc
from emoclip_clinic.agreement.scores import KEYS, model_scores, rating_table

__all__ = ["COLUMNS", "STATISTICS", "agree"]

STATISTICS = ["ICC(A,1)", "ICC(C,1)", "CCC", "Pearson", "bias", "LoA lower", "LoA upper", "MAE"]
"""Of a pair; of all raters together, the first two."""

COLUMNS = ["scale", "target", "kind", "comparison", "rater_a", "rater_b", "statistic", "value"]
COLUMNS += ["ci_low", "ci_high", "n_subjects", "n_participants", "n_raters", "n_excluded"]
COLUMNS += ["method", "note"]


@dataclass(frozen=True)
class Comparison:
    """What is compared with what, for the subjects that at least one side scored."""

    comparison: str
    """rater-rater, model-rater, model-consensus, rater-consensus or model-loo-consensus."""
    rater_a: str
    """As in the table."""
    rater_b: str
    """As in the table."""
    scores: NDArray[np.float64]
    """Shape (subjects, columns), NaN where missing; only subjects with all columns are analysed."""
    n_raters: int
    """Human raters whose scores enter."""
    difference: str = ""
    """First column minus second, in words; empty where all columns are compared together."""
    departure: NDArray[np.float64] | None = None
    """Of the model in the first column: what it says beyond its training mean, shape (subjects,).

    Pearson is of this: a fold's training mean is low where the test fold is high, and would turn
    no association into a negative one (docs/inference.md).
    """


def agree(
    scored: pd.DataFrame,
    predictions: pd.DataFrame | None,
    *,
    scale_id: str,
    targets: Iterable[str],
    model: str = "ridge",
    consensus_rater: str = "",
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Compare raters with each other and the model with the raters, target by target.

    The comparisons, their directions and their intervals are described at the top of this module.

    Parameters
    ----------
    scored : pandas.DataFrame
        Columns participant, session, rater, scale, target, kind, value.
    predictions : pandas.DataFrame or None
        Columns participant, session, scale, target, model, predicted; only `model` is compared,
        with "mean" as its training mean. None: raters only. Several recordings of a session are
        averaged.
    scale_id : str
        The scale compared; rows of other scales are left alone.
    targets : iterable of str
        Items, subscales and totals, in the order of the table.
    model : str
        The model that is compared.
    consensus_rater
        The rater whose scores are the consensus, for everyone else; empty: the mean of raters.
    n_resamples : int
        Bootstrap resamples, where they are needed.
    seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        Columns scale, target, kind, comparison, rater_a, rater_b, statistic, value, ci_low,
        ci_high, n_subjects, n_participants, n_raters (human raters whose scores enter),
        n_excluded (subjects that lack one of the scores compared), method, note. A statistic that
        is undefined has value NaN and the note says why.

    Raises
    ------
    RatingsError
        A rater scored a target twice for one session.
    """
    scored = scored[scored["scale"] == scale_id]
    predicted = None if predictions is None else model_scores(predictions, scale_id, model)
    raters = sorted(scored["rater"].unique())
    kinds = scored.drop_duplicates("target").set_index("target")["kind"]
    rows: list[dict[str, object]] = []
    for target in targets:
        scores = scored[scored["target"] == target]
        ratings = rating_table(scores, raters)
        own = None
        if predicted is not None:
            own = predicted[predicted["target"] == target].set_index(KEYS)
        if own is not None:
            ratings = ratings.reindex(ratings.index.union(own.index))
            own = own.reindex(ratings.index)
        participants = ratings.index.get_level_values("participant").to_numpy()
        head = {"scale": scale_id, "target": target, "kind": kinds.get(target, "")}
        for comparison in _comparisons(ratings, own, consensus_rater):
            found = _rows(comparison, participants, n_resamples, seed)
            rows.extend({**head, **row} for row in found)
    return pd.DataFrame(rows, columns=COLUMNS)


def _comparisons(
    ratings: pd.DataFrame, model: pd.DataFrame | None, named: str
) -> Iterator[Comparison]:
    raters = list(ratings.columns)
    scores = ratings.to_numpy(float)
    yield Comparison("rater-rater", "all", "", scores, len(raters))
    for i, first in enumerate(raters):
        for j, second in enumerate(raters[i + 1 :], i + 1):
            label = f"{second} minus {first}"
            yield Comparison("rater-rater", first, second, scores[:, [j, i]], 2, label)
    if model is not None:
        yield from _model_comparisons(raters, scores, model, named)
    if len(raters) > 1:
        yield from _leave_one_out(raters, scores, model, named)


def _model_comparisons(
    raters: list[str], scores: NDArray[np.float64], model: pd.DataFrame, named: str
) -> Iterator[Comparison]:
    predicted, departure = model[["predicted", "departure"]].to_numpy(float).T
    for j, rater in enumerate(raters):
        pair = np.column_stack([predicted, scores[:, j]])
        label = f"model minus {rater}"
        yield Comparison("model-rater", "model", rater, pair, 1, label, departure)
    agreed = scores[:, [raters.index(named)]] if named else scores
    pair = np.column_stack([predicted, _mean(agreed)])
    label, k = "model minus consensus", agreed.shape[1]
    yield Comparison("model-consensus", "model", "consensus", pair, k, label, departure)


def _leave_one_out(
    raters: list[str], scores: NDArray[np.float64], model: pd.DataFrame | None, named: str
) -> Iterator[Comparison]:
    for j, rater in enumerate(raters):
        if rater == named:
            # whose scores are the consensus: nobody else's are
            continue
        others = scores[:, [raters.index(named)]] if named else np.delete(scores, j, axis=1)
        k = 1 + others.shape[1]
        # all three columns must be there, so that rater and model face the same subjects
        columns = [scores[:, j], _mean(others)]
        if model is not None:
            columns.append(model["predicted"].to_numpy(float))
        triple = np.column_stack(columns)
        label = f"{rater} minus consensus of the others"
        yield Comparison("rater-consensus", rater, "consensus", triple, k, label)
        if model is not None:
            label = f"model minus consensus without {rater}"
            departure = model["departure"].to_numpy(float)
            swapped = triple[:, [2, 1, 0]]
            yield Comparison(
                "model-loo-consensus", "model", rater, swapped, k - 1, label, departure
            )


def _mean(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    there = ~np.isnan(scores)
    n = there.sum(axis=1)
    return np.where(n > 0, np.where(there, scores, 0).sum(axis=1) / np.maximum(n, 1), np.nan)


def _rows(
    comparison: Comparison, participants: NDArray[np.object_], n_resamples: int, seed: int
) -> Iterator[dict[str, object]]:
    missing = np.isnan(comparison.scores)
    some = ~missing.all(axis=1)
    every = some & ~missing.any(axis=1)
    scores, clusters = comparison.scores[every], pd.factorize(participants[every])[0]
    n_participants = len(set(clusters))
    again = n_participants < len(scores)
    departure = None if comparison.departure is None else comparison.departure[every]
    estimates = _estimates(scores, comparison, departure, icc_values if again else icc_estimates)
    if again and any(np.isfinite(row.value) for row in estimates):
        weighted = partial(_weighted, scores, comparison, departure)
        intervals = cluster_intervals(weighted, clusters, n_resamples, seed)
        method = f"participant-cluster bootstrap (BCa, {n_resamples} resamples), raters fixed"
        estimates = [_replaced(row, *intervals[row.name], method) for row in estimates]
    for estimate in estimates:
        yield {
            "comparison": comparison.comparison,
            "rater_a": comparison.rater_a,
            "rater_b": comparison.rater_b,
            "statistic": estimate.name,
            "value": estimate.value,
            "ci_low": estimate.ci_low,
            "ci_high": estimate.ci_high,
            "n_subjects": len(scores),
            "n_participants": n_participants,
            "n_raters": comparison.n_raters,
            "n_excluded": int((some & ~every).sum()),
            "method": estimate.method,
            "note": estimate.note,
        }


def _estimates(
    scores: NDArray[np.float64],
    comparison: Comparison,
    departure: NDArray[np.float64] | None,
    icc: Callable[[NDArray[np.float64]], list[Estimate]],
) -> list[Estimate]:
    if not comparison.difference:
        found = icc(scores)
    else:
        x, y = scores[:, 0], scores[:, 1]
        limits = [
            replace(row, note=join_notes(comparison.difference, row.note))
            for row in limits_estimates(x, y)
        ]
        found = [*icc(scores[:, :2]), *concordance_estimates(x, y), *limits]
        if departure is not None:
            found += [_pearson_of_model(departure, y)]
    # of two rows of a name the later
    by_name = {row.name: row for row in found}
    return [by_name[name] for name in STATISTICS if name in by_name]


def _pearson_of_model(departure: NDArray[np.float64], y: NDArray[np.float64]) -> Estimate:
    row = pearson_estimate(departure, y, note="of the departure from the mean")
    if len(departure) and not departure.any():
        return replace(row, note="undefined: the model says nothing beyond the mean")
    return row


def _weighted(
    scores: NDArray[np.float64],
    comparison: Comparison,
    departure: NDArray[np.float64] | None,
    weights: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Every statistic of every resample: name -> shape (resamples,)."""
    if not comparison.difference:
        return weighted_icc(scores, weights)
    pair, x, y = scores[:, :2], scores[:, 0], scores[:, 1]
    found = weighted_icc(pair, weights) | weighted_concordance(x, y, weights)
    if departure is not None:
        found["Pearson"] = weighted_concordance(departure, y, weights)["Pearson"]
    return found | weighted_limits(x, y, weights)


def _replaced(row: Estimate, low: float, high: float, method: str) -> Estimate:
    if np.isnan(row.value):
        return replace(row, method=method)
    none = "no interval: too few participants or values" if np.isnan(low) else ""
    return replace(row, ci_low=low, ci_high=high, method=method, note=join_notes(row.note, none))
