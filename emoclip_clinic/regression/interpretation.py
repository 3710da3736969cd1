"""Plain words for a table of performance: what was found, and what that does not mean."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.sample import BASELINE

__all__ = ["words"]

ALPHA = 0.05
"""Chance of any false finding that a finding allows."""
METRIC = "pearson"
"""What a finding rests on: it is 0 where nothing of a person is known."""
WIDE = 0.6
"""Width of an interval of r that holds both nothing and a strong relation (0 and 0.6)."""
MOST_NAMES = 8
"""Targets that a sentence names; more are counted."""


def words(performance: pd.DataFrame, permutation: pd.DataFrame | None = None) -> list[str]:
    """Say what a model's performance shows, in a few sentences.

    A target counts as found where its permutation p-value, adjusted for all targets, is at most
    0.05; without permutations, where the corrected interval of Pearson's r lies above 0.

    Parameters
    ----------
    performance
        Rows of one model of what `inference.performance` returns.
    permutation
        Columns scale, target, model, metric, p, p_max_t, q_bh; rows of other models do not matter.

    Returns
    -------
    list of str
        Sentences, the most important first.

    Raises
    ------
    ClinicError
        The rows are of no model, or of several models or scales.
    """
    models = performance["model"].unique()
    if len(models) != 1 or performance["scale"].nunique() != 1:
        raise ClinicError(
            f"rows of the models {', '.join(models) or 'none'}; allowed: of one model and scale."
        )
    if models[0] == BASELINE:
        return ["The mean of the training scores says the same of everyone: nothing to interpret."]
    by_metric = performance.groupby("metric")
    tables = {str(metric): rows.set_index("target") for metric, rows in by_metric}
    r = tables[METRIC]
    tests = _tests(performance, permutation)
    found = _found(r, tests)
    sentences = [_finding(found, len(r), tests is not None)]
    if tests is not None:
        likely = [name for name in tests.index[tests["q_bh"] <= ALPHA] if name not in found]
        rate = f"at a false discovery rate of {ALPHA:.0%}"
        sentences += (
            [f"Worth another look in new data, {rate}: {_names(likely)}."] if likely else []
        )
    if found:
        sentences += _meaning(tables, found)
    sentences += _width(r)
    if len(found) < len(r):
        n = int(r["n_participants"].max())
        sentences.append(
            f"Not found is not absent: {n} participants show strong relations only. An r below 0 "
            "means that nothing was found, not that the reverse was."
        )
    return [
        *sentences,
        "This holds for people, cameras and interviews like these, and is no diagnosis of anyone.",
    ]


def _tests(performance: pd.DataFrame, permutation: pd.DataFrame | None) -> pd.DataFrame | None:
    """Permutation tests of the model's Pearson, by target; None where there are none."""
    if permutation is None:
        return None
    own = permutation["metric"] == METRIC
    for key in ("scale", "model"):
        own &= permutation[key] == performance[key].iloc[0]
    tests = permutation[own].set_index("target")
    return tests if len(tests) else None


def _found(r: pd.DataFrame, tests: pd.DataFrame | None) -> list[str]:
    if tests is None:
        return list(r.index[r["ci_low_corrected"] > 0])
    return list(r.index[tests["p_max_t"].reindex(r.index) <= ALPHA])


def _finding(found: list[str], n: int, permuted: bool) -> str:
    by = (
        f"permutation test; any false finding among scores of a kind at most {ALPHA:.0%}"
        if permuted
        else "interval of r corrected for the number of targets and for the training"
    )
    if not found:
        return f"Nothing was found: the model tells people apart in none of {n} targets ({by})."
    return (
        f"The model tells people it has never seen apart in {len(found)} of {n} targets: "
        f"{_names(found)} ({by})."
    )


def _meaning(tables: dict[str, pd.DataFrame], found: list[str]) -> list[str]:
    r2, slope = (tables[name].loc[found] for name in ("r2", "calibration_slope"))
    better = list(r2.index[r2["ci_low_corrected"] > 0])
    sentences = [
        f"Its error is less than that of saying the mean of everyone in {_names(better)}."
        if better
        else "That its error is less than that of saying the mean of everyone is not shown."
    ]
    for far, what in (
        (slope["ci_high"] < 1, "too far from the mean"),
        (slope["ci_low"] > 1, "too near to the mean"),
    ):
        if far.any():
            sentences.append(f"Predictions lie {what} in {_names(slope.index[far])}.")
    return [
        *sentences,
        "r is association, not agreement: predictions can follow the scores and be points off. For "
        "agreement read CCC and MAE, and compare with two clinicians.",
    ]


def _width(r: pd.DataFrame) -> list[str]:
    """Warn where half of the intervals of r, or more, hold both nothing and a strong relation."""
    width = float((r["ci_high"] - r["ci_low"]).median())
    if not width > WIDE:
        return []
    return [
        f"Too few participants to say how strong: with {int(r['n_participants'].max())}, half of "
        f"the intervals of r are wider than {width:.1f}, and r can be from -1 to 1."
    ]


def _names(targets: Iterable[str]) -> str:
    names = list(targets)
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
