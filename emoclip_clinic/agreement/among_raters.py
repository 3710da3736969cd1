"""Raters among themselves: reliability of all of them, agreement of each pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.categorical import (
    fleiss_kappa,
    gwet_ac,
    kappa,
    krippendorff_alpha,
)
from emoclip_clinic.agreement.concordance import rank_estimate, weighted_distance
from emoclip_clinic.agreement.estimates import Estimate, join_notes
from emoclip_clinic.agreement.mixed import mixed_estimates
from emoclip_clinic.agreement.reliability import (
    icc_estimates,
    icc_values,
    weighted_icc,
    weighted_sem,
)
from emoclip_clinic.agreement.target import (
    ALIKE,
    COLUMNS,
    Target,
    as_row,
    estimated,
    of_targets,
    redrawn,
    resampled,
)

__all__ = ["PAIR_COLUMNS", "rater_pairs", "reliability"]

PAIR_COLUMNS = [*COLUMNS[:3], "rater_a", "rater_b", *COLUMNS[3:]]

NAMES = {"kappa": "Cohen's kappa", "Fleiss kappa": "Fleiss' kappa"}
PARADOX = (
    "most ratings are in one category: kappa is low however well raters agree; read AC1 or AC2"
)

Array = NDArray[np.float64]


def reliability(
    scored: pd.DataFrame,
    *,
    scale_id: str,
    targets: Iterable[str],
    ranges: Mapping[str, tuple[float, float]] | None = None,
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Estimate how far all raters together agree, target by target.

    All six ICCs, standard error of measurement, smallest detectable change, and the share of pairs
    of ratings within 1 point; the ICCs of a mixed
    model where raters missed visits; and of items, whose ratings are categories: raw agreement,
    Cohen's or Fleiss' kappa, AC1, AC2 (quadratic) and alpha (ordinal).

    Parameters
    ----------
    scored, scale_id, targets, n_resamples, seed
        As for `summary.agree`.
    ranges
        Lowest and highest value that an item allows, by item: AC1 and AC2 depend on how many
        categories there are, used or not. Without it, those that occur.

    Returns
    -------
    pandas.DataFrame
        scale, target, kind, statistic, value, ci_low, ci_high, n_subjects (visits analysed),
        n_participants, n_raters, method, note. NaN where undefined, and the note says why.
    """
    rows: list[dict[str, Any]] = []
    for one, _ in of_targets(scored, scale_id, targets):
        found = [
            *_of_scores(one, n_resamples, seed),
            *_of_categories(one, _categories(one, ranges)),
        ]
        rows.extend({"scale": scale_id, **one.about, **row} for row in found)
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_scores(one: Target, n_resamples: int, seed: int) -> Iterator[dict[str, Any]]:
    everyone = list(range(one.scores.shape[1]))
    scores, whose = one.complete(everyone)
    dropped = len(one.scores) - len(scores)
    note = f"{dropped} of {len(one.scores)} visits dropped: incomplete" if dropped else ""
    again = len(set(whose)) < len(whose)
    forms = icc_values(scores, note) if again else icc_estimates(scores, note)
    numbers = partial(_score_statistics, scores)
    drawn = resampled(numbers, whose, n_resamples, seed) if len(scores) else {}
    for row in forms:
        yield as_row(redrawn(row, drawn.get(row.name), n_resamples) if again else row, whose)
    for name in ("SEM (agreement)", "SDC (agreement)", "SEM (consistency)", "SDC (consistency)"):
        blank = Estimate(name, len(scores), len(everyone), note=note)
        if len(everyone) < 2 or len(scores) < 2:
            why = f"undefined: needs 2 visits that 2 raters scored, has {len(scores)}"
            yield as_row(replace(blank, note=join_notes(why, note)), whose)
        else:
            value = float(numbers(np.ones((1, len(scores))))[name][0])
            yield as_row(redrawn(replace(blank, value=value), drawn.get(name), n_resamples), whose)
    yield _within(one, n_resamples, seed)
    if dropped and len(everyone) > 1:
        clusters = pd.factorize(one.people)[0]
        for row in mixed_estimates(one.scores, clusters, seed):
            yield as_row(row, one.people)


def _within(one: Target, n_resamples: int, seed: int) -> dict[str, Any]:
    """Share of the pairs of ratings of a visit that differ by 1 point at most."""
    some = (~np.isnan(one.scores)).sum(axis=1) > 1
    scores, whose = one.scores[some], one.people[some]
    row = Estimate("within 1 point", len(scores), one.scores.shape[1])
    if len(scores) < 2:
        why = f"undefined: needs 2 visits that 2 raters scored, has {len(scores)}"
        return as_row(replace(row, note=why), whose)
    numbers = partial(_close_pairs, scores)
    return next(estimated(numbers, whose, row.n_raters, n_resamples, seed))


def _close_pairs(scores: Array, weights: Array) -> dict[str, Array]:
    apart = np.abs(scores[:, :, None] - scores[:, None, :])
    upper = np.triu(np.ones(apart.shape[1:], bool), 1)
    there = (~np.isnan(apart) & upper).sum(axis=(1, 2)).astype(float)
    close = ((apart <= 1 + 1e-9) & upper).sum(axis=(1, 2)).astype(float)
    return {"within 1 point": (weights @ close) / np.maximum(weights @ there, 1)}


def _score_statistics(scores: Array, weights: Array) -> dict[str, Array]:
    return {**weighted_icc(scores, weights), **weighted_sem(scores, weights)}


def _categories(one: Target, ranges: Mapping[str, tuple[float, float]] | None) -> Array | None:
    """Whole numbers that an item allows, and whatever else occurs; None where it is not known."""
    if ranges is None or one.about["target"] not in ranges:
        return None
    low, high = ranges[one.about["target"]]
    occurring = one.scores[~np.isnan(one.scores)]
    return np.union1d(np.arange(low, high + 1), occurring)


def _of_categories(one: Target, categories: Array | None) -> Iterator[dict[str, Any]]:
    if one.kind != "item":
        return
    everyone = list(range(one.scores.shape[1]))
    alike = ALIKE if len(set(one.people)) < len(one.people) else ""
    tidy = one.tidy(everyone)
    cohen = kappa(tidy) if len(everyone) == 2 else fleiss_kappa(tidy)
    tables = [
        cohen.assign(name=cohen["name"].replace(NAMES)),
        gwet_ac(tidy, None, categories).iloc[:1],
        gwet_ac(tidy, "quadratic", categories).iloc[:1],
        krippendorff_alpha(tidy, "ordinal"),
    ]
    found = pd.concat(tables, ignore_index=True)
    if len(everyone) == 2:
        # the names of the pair are in the table
        found["note"] = found["note"].str.replace(r"^[^;]* with [^;]*(; |$)", "", regex=True)
    found["note"] = [
        join_notes(PARADOX if "kappa" in name and _is_paradox(found) else "", note, alike)
        for name, note in zip(found["name"], found["note"], strict=True)
    ]
    n_complete = len(set(one.complete(everyone)[1]))
    for row in _as_rows(found):
        dropped = row["statistic"] in (*NAMES.values(), "raw agreement")
        yield {**row, "n_participants": n_complete if dropped else len(set(one.people))}


def _as_rows(found: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in found.rename(columns={"name": "statistic"}).to_dict("records")
    ]


def _is_paradox(found: pd.DataFrame) -> bool:
    """High raw agreement, and a kappa far below AC1."""
    value = found.groupby("name")["value"].first()
    chance_corrected = value.filter(like="kappa").iloc[0]
    return bool(value["raw agreement"] >= 0.8 and value["AC1"] - chance_corrected > 0.2)


def rater_pairs(
    scored: pd.DataFrame,
    *,
    scale_id: str,
    targets: Iterable[str],
    ranges: Mapping[str, tuple[float, float]] | None = None,
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Estimate the agreement of each pair of raters, also of those with nothing in common.

    Spearman's rho (association), RMSE, and the share of visits on which they differ by 1 point at
    most; of items also raw agreement, Cohen's kappa (unweighted, linear, quadratic) and AC1.

    Returns
    -------
    pandas.DataFrame
        scale, target, kind, rater_a, rater_b, statistic, value, ci_low, ci_high, n_subjects,
        n_participants, n_raters, method, note. A pair with no visit in common has one row,
        "in common", of value 0.
    """
    rows: list[dict[str, Any]] = []
    for one, raters in of_targets(scored, scale_id, targets):
        for pair in combinations(range(len(raters)), 2):
            about = {"scale": scale_id, **one.about}
            about |= {"rater_a": raters[pair[0]], "rater_b": raters[pair[1]]}
            allowed = _categories(one, ranges)
            found = _of_pair(one, list(pair), allowed, n_resamples, seed)
            rows.extend({**about, **row} for row in found)
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def _of_pair(
    one: Target, pair: list[int], categories: Array | None, n_resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    scores, whose = one.complete(pair)
    n = len(scores)
    note = "the two rated nothing in common" if not n else ""
    yield as_row(Estimate("in common", n, 2, value=float(n), method="count", note=note), whose)
    if not n:
        return
    x, y = scores.T
    alike = ALIKE if len(set(whose)) < n else ""
    rho = rank_estimate(x, y)
    yield as_row(replace(rho, note=join_notes(rho.note, alike)), whose)
    yield from estimated(partial(weighted_distance, x, y), whose, 2, n_resamples, seed)
    if one.kind != "item":
        return
    tidy = one.tidy(pair)
    tables = [kappa(tidy), kappa(tidy, "linear").iloc[:1], kappa(tidy, "quadratic").iloc[:1]]
    found = pd.concat(
        [*tables, gwet_ac(tidy.dropna(), None, categories).iloc[:1]], ignore_index=True
    )
    found["note"] = found["note"].str.replace(r"^[^;]* with [^;]*(; |$)", "", regex=True)
    found["note"] = [
        join_notes(PARADOX if "kappa" in name and _is_paradox(found) else "", note, alike)
        for name, note in zip(found["name"], found["note"], strict=True)
    ]
    yield from ({**row, "n_participants": len(set(whose))} for row in _as_rows(found))
