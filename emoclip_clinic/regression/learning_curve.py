"""Would more participants help: performance of smaller studies drawn from this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from emoclip_clinic.errors import ClinicError, TooFewError
from emoclip_clinic.regression.crossval import align, cross_validate, participants_of
from emoclip_clinic.regression.folds import FEWEST_PARTICIPANTS, TRAINING_ONLY, Design
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.regression.measures import METRICS
from emoclip_clinic.regression.recipes import Recipe
from emoclip_clinic.regression.sample import BASELINE, samples, tables

__all__ = ["COLUMNS", "TREND_COLUMNS", "learning_curve", "trend"]

Array = NDArray[np.float64]

COLUMNS = [
    *("n_participants", "n_training", "draw", "target", "model", "metric", "value", "note"),
]
TREND_COLUMNS = [
    *("target", "model", "metric", "n_participants", "kind", "n_draws", "mean", "sd"),
    *("fitted", "note"),
]
N_SIZES = 6
"""Sizes that are tried where none are given."""
FALLING = ("mae", "rmse")
RISING = ("r2", "pearson", "spearman", "ccc")
FEWEST_SIZES = 4
"""Sizes that a law of three parameters needs, at the least, to be tested by one."""
EXPONENTS = (0.02, 5.0)
"""Exponents that are tried; one at an end means that the sizes do not tell it."""


def learning_curve(
    x: pd.DataFrame | Inputs,
    targets: pd.DataFrame,
    participants: pd.Series,
    design: Design,
    model: str | Recipe = "ridge",
    sizes: Sequence[int] | None = None,
    *,
    n_draws: int = 5,
    metrics: Sequence[str] = ("mae", "r2", "pearson", "ccc"),
    run: Runner = serially,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Cross-validate on random subsets of the participants, each within the next larger one.

    Parameters
    ----------
    x, targets, participants, run
        As for `crossval.cross_validate`.
    design
        Likewise; every draw of participants has folds of its own.
    model
        A recipe, or what `recipes.Recipe.parse` reads.
    sizes
        Numbers of participants; six equal steps from the fewest that the design allows to all, if
        absent.
    n_draws
        Random orders of the participants; a size takes the first of each.
    metrics
        Of `measures.METRICS`.
    progress
        Called with (studies done, studies in all).

    Returns
    -------
    DataFrame
        A row a size, draw, target and metric. n_participants: of the subset; n_training: those
        that a fold trains on, mean over the folds; draw (from 1); target; model; metric; value
        (out of fold, within the subset; missing where undefined); note: why it is missing.

    Raises
    ------
    TooFewError
        A size is below what the design needs, or above the participants there are.
    ClinicError
        A metric is not known, or what `crossval.cross_validate` raises.
    """
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise ClinicError(f"metric {unknown[0]}; allowed: {', '.join(METRICS)}.")
    recipe = model if isinstance(model, Recipe) else Recipe.parse(model)
    inputs, scores, _ = align(x, targets)
    groups = participants_of(inputs.recordings, participants)
    people = np.unique(groups.astype(str))
    jobs = [(size, draw) for size in _sizes(sizes, len(people), design) for draw in range(n_draws)]
    rows: list[dict[str, Any]] = []
    for done, (size, draw) in enumerate(jobs, start=1):
        seed = int(np.random.SeedSequence([design.seed, draw]).generate_state(1)[0])
        chosen = np.random.default_rng(seed).permutation(people)[:size]
        kept = np.flatnonzero(np.isin(groups, chosen))
        own = replace(design, seed=seed)
        about = {"n_participants": size, "draw": draw + 1, "model": recipe.name}
        found = _study(
            inputs.take(kept), scores.iloc[kept], participants, own, recipe, metrics, run
        )
        rows += [{**about, **row} for row in found]
        if progress:
            progress(done, len(jobs))
    return pd.DataFrame(rows, columns=COLUMNS)


def _sizes(sizes: Sequence[int] | None, n: int, design: Design) -> list[int]:
    least = FEWEST_PARTICIPANTS
    if design.kind == "repeated":
        least = max(least, design.n_folds)
    if sizes is None:
        sizes = np.unique(np.linspace(least, n, N_SIZES).astype(int)).tolist()
    wrong = [size for size in sizes if not least <= size <= n]
    if wrong or not sizes:
        raise TooFewError(
            f"a subset of {wrong[0] if wrong else 'no'} participants; allowed: {least} (what the "
            f"folds need) to {n} (who has features and ratings). Choose other sizes or fewer folds."
        )
    return sorted(set(sizes))


def _study(
    inputs: Inputs,
    scores: pd.DataFrame,
    participants: pd.Series,
    design: Design,
    model: Recipe,
    metrics: Sequence[str],
    run: Runner,
) -> Iterator[dict[str, Any]]:
    """Rows of one subset; a target that cannot be fitted has one a metric too, with the reason."""
    try:
        models = [model] if model.name == BASELINE else [model, Recipe.parse(BASELINE)]
        found = cross_validate(inputs, scores, participants, design, models, run=run)
    except TooFewError as error:
        yield from _missing(dict.fromkeys(scores.columns, str(error)), metrics)
        return
    sizes = found.splits[found.splits["fold"] != TRAINING_ONLY].groupby(["repeat", "fold"]).size()
    n_training = found.splits["participant"].nunique() - sizes.mean()
    for keys, table in tables(found.predictions):
        sample = dict(samples(table))[model.name]
        values = sample.metrics()
        for metric in metrics:
            why = sample.why_undefined(metric)
            value = np.nan if why else values[metric].item()
            row = {"n_training": n_training, "target": keys["target"], "metric": metric}
            yield {**row, "value": value, "note": why}
    lost = found.exclusions[found.exclusions["unit"] == "target"]
    yield from _missing(dict(zip(lost["id"], lost["reason"], strict=True)), metrics)


def _missing(reasons: dict[Any, str], metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    for target, reason in reasons.items():
        yield from ({"target": target, "metric": each, "note": reason} for each in metrics)


def trend(curve: pd.DataFrame, further: Sequence[int] = ()) -> pd.DataFrame:
    """Summarise a learning curve, and carry it on where it follows an inverse power law.

    value = a + b n^-c (Figueroa RL et al., BMC Med Inform Decis Mak 2012;12:8), by least squares
    on the means over the draws. It is given only where four sizes or more have a mean, the law
    improves with n (errors fall, the others rise), and c is not at an end of what is tried. What
    lies beyond the largest study is a guess that the law holds on, and says so.

    Parameters
    ----------
    curve
        What `learning_curve` returns.
    further
        Numbers of participants to extrapolate to.

    Returns
    -------
    DataFrame
        A row a target, metric and size. target, model, metric; n_participants; kind: "measured" or
        "extrapolation"; n_draws: with a value; mean, sd: over these draws (n - 1), which share
        people, the more the larger they are, so that sd is no standard error; fitted: by the law;
        note: why there is none.
    """
    rows: list[dict[str, Any]] = []
    for (target, model, metric), table in curve.groupby(["target", "model", "metric"], sort=False):
        by_size = table.groupby("n_participants")["value"].agg(["count", "mean", "std"])
        law, note = _law(by_size["mean"].dropna(), str(metric))
        keys = {"target": target, "model": model, "metric": metric, "note": note}
        for size, row in by_size.iterrows():
            about = {"kind": "measured", "n_draws": int(row["count"]), "mean": row["mean"]}
            rows.append({**keys, **about, "n_participants": size, "sd": row["std"]})
        beyond = [size for size in sorted(set(further)) if size not in by_size.index]
        rows += [{**keys, "kind": "extrapolation", "n_participants": size} for size in beyond]
        for each in rows[-len(by_size) - len(beyond) :]:
            each["fitted"] = law(each["n_participants"]) if law else np.nan
    return pd.DataFrame(rows, columns=TREND_COLUMNS)


def _law(means: pd.Series, metric: str) -> tuple[Callable[[float], float] | None, str]:
    """Fit the inverse power law; None and the reason where it cannot be had."""
    if metric not in (*FALLING, *RISING):
        return None, "no law: more participants move this metric neither up nor down"
    if len(means) < FEWEST_SIZES:
        return None, f"no law: fewer than {FEWEST_SIZES} sizes with a value"
    n, values = means.index.to_numpy(float), means.to_numpy(float)

    def solve(c: float) -> tuple[Array, float]:
        # scaled to 1 at the smallest size, so that both columns are alike in size
        design = np.column_stack([np.ones_like(n), (n / n[0]) ** -c])
        found: Array = np.linalg.lstsq(design, values)[0]
        return found, float(((values - design @ found) ** 2).sum())

    low, high = np.log(EXPONENTS)
    best = optimize.minimize_scalar(
        lambda log_c: solve(float(np.exp(log_c)))[1], bounds=(low, high), method="bounded"
    )
    c = float(np.exp(best.x))
    (a, b), _ = solve(c)
    improves = b > 0 if metric in FALLING else b < 0
    if not best.success or not improves or min(best.x - low, high - best.x) < 0.01 * (high - low):
        return None, "no law: the sizes do not follow an inverse power that improves"
    return (lambda size: float(a + b * (size / n[0]) ** -c)), ""
