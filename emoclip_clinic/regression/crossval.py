"""Nested, participant-grouped cross-validation of many targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError, TooFewError
from emoclip_clinic.regression import folds
from emoclip_clinic.regression.folds import FEWEST_PARTICIPANTS, TRAINING_ONLY, Design
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.regression.recipes import Recipe

__all__ = [
    "CrossValidation",
    "Prepared",
    "align",
    "cross_validate",
    "fold_seed",
    "participants_of",
    "prepare",
    "same_recordings",
]

Array = NDArray[np.float64]

FEWEST_TRAINING = 4
"""Participants that a training set must have, so that two inner folds have two each."""


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation leaves behind."""

    predictions: pd.DataFrame
    """participant, recording, target, model, observed, predicted, predicted_sd (over repeats)."""
    splits: pd.DataFrame
    """The manifest: participant, repeat, fold."""
    exclusions: pd.DataFrame
    """stage, unit ("recording" or "target"), id, reason."""
    by_repeat: pd.DataFrame = field(default_factory=pd.DataFrame)
    """repeat, fold, participant, recording, target, model, observed, predicted."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Recordings that have features and scores, the targets that can be fitted, the folds."""

    inputs: Inputs
    """Of the n recordings, in order."""
    targets: pd.DataFrame
    """Scores of the same recordings, NaN where missing, shape (n, n_targets)."""
    groups: NDArray[np.object_]
    """Their participants, shape (n,)."""
    fold_of: NDArray[np.intp]
    """Their test fold in every repeat, shape (n, n_repeats)."""
    splits: pd.DataFrame
    """The manifest."""
    exclusions: pd.DataFrame
    """What was left out, and why."""

    @property
    def tests(self) -> list[tuple[int, int]]:
        """Every (repeat from 0, fold) that is predicted."""
        return [
            (repeat, int(fold))
            for repeat, column in enumerate(self.fold_of.T)
            for fold in np.unique(column)
            if fold != TRAINING_ONLY
        ]


def cross_validate(
    x: pd.DataFrame | Inputs,
    targets: pd.DataFrame,
    participants: pd.Series,
    design: Design,
    models: Sequence[str | Recipe] = ("ridge", "mean"),
    *,
    splits: pd.DataFrame | None = None,
    sites: pd.Series | None = None,
    strata: pd.Series | None = None,
    run: Runner = serially,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidation:
    """Predict every recording's scores by models that never saw its participant.

    In each repeat every participant is in the test fold once. Whatever is learnt or tuned
    (standardisation, pooling, penalty, coefficients) is learnt from the training participants
    alone. A target trains on the recordings that have it; targets with the same recordings are
    fitted together. Predictions are averaged over the repeats.

    Parameters
    ----------
    x
        Features (index recording, a column a feature), or the windows they are to be pooled from.
    targets
        Scores; index recording, a column a target, NaN where missing.
    participants
        The participant of each recording (index recording); it may hold further recordings.
    design
        Folds, repeats, seed.
    models
        Recipes, or what `Recipe.parse` reads.
    splits
        A manifest to use again; made from `design` if absent.
    sites, strata
        As in `folds.splits`.
    run
        Who fits the folds.
    progress
        Called with (folds done, folds in all).

    Returns
    -------
    CrossValidation
        Predictions sorted by model and target (both in the order given), then recording.

    Raises
    ------
    TooFewError
        Fewer participants than folds, or no target that can be fitted.
    ClinicError
        A recording is given twice or has no participant, or a feature is not a finite number.
    """
    prepared = prepare(x, targets, participants, design, splits=splits, sites=sites, strata=strata)
    recipes = [name if isinstance(name, Recipe) else Recipe.parse(name) for name in models]
    for recipe in recipes:
        recipe.warm(prepared.inputs)
    tests = prepared.tests
    predicted = np.full((len(recipes), prepared.fold_of.shape[1], *prepared.targets.shape), np.nan)
    results = run(_Fold(prepared, recipes, design), tests)
    for done, ((repeat, fold), found) in enumerate(zip(tests, results, strict=True), start=1):
        predicted[:, repeat, prepared.fold_of[:, repeat] == fold] = found
        if progress:
            progress(done, len(tests))
    by_repeat = _by_repeat(predicted, recipes, prepared)
    return CrossValidation(
        _averaged(predicted, recipes, prepared), prepared.splits, prepared.exclusions, by_repeat
    )


def prepare(
    x: pd.DataFrame | Inputs,
    targets: pd.DataFrame,
    participants: pd.Series,
    design: Design,
    *,
    splits: pd.DataFrame | None = None,
    sites: pd.Series | None = None,
    strata: pd.Series | None = None,
) -> Prepared:
    """Line up what `cross_validate` is given, and assign the folds; its parameters and errors."""
    inputs, targets, exclusions = align(x, targets)
    groups = participants_of(inputs.recordings, participants)
    if splits is None:
        splits = folds.splits(groups, design, sites=sites, strata=strata)
    folds.check(splits, groups)
    schedule = splits.pivot(index="participant", columns="repeat", values="fold").loc[list(groups)]
    targets, unfit = _fittable(targets, groups, schedule, design)
    lost = pd.DataFrame([*exclusions, *unfit], columns=["stage", "unit", "id", "reason"])
    return Prepared(inputs, targets, groups, schedule.to_numpy(), splits, lost)


def fold_seed(design: Design, repeat: int, fold: int) -> int:
    """Seed of what is drawn within a fold (repeat from 0)."""
    return int(np.random.SeedSequence([design.seed, repeat, fold]).generate_state(1)[0])


@dataclass(frozen=True, eq=False)
class _Fold:
    """Fits and predicts one fold, called with (repeat from 0, fold)."""

    data: Prepared
    recipes: Sequence[Recipe]
    design: Design

    def __call__(self, test: tuple[int, int]) -> Array:
        """Predictions, shape (n_models, n_recordings of the fold, n_targets), NaN if unrated."""
        repeat, fold = test
        data, y = self.data, self.data.targets.to_numpy()
        in_test = data.fold_of[:, repeat] == fold
        seed = fold_seed(self.design, repeat, fold)
        found = np.full((len(self.recipes), len(y), y.shape[1]), np.nan)
        for rated, names in same_recordings(data.targets):
            columns = data.targets.columns.isin(names)
            train, tested = np.flatnonzero(rated & ~in_test), np.flatnonzero(rated & in_test)
            if not len(tested):
                continue
            seen, unseen = data.inputs.take(train), data.inputs.take(tested)
            for number, recipe in enumerate(self.recipes):
                model = recipe.make(self.design.n_inner_folds, seed)
                model.fit(seen, y[np.ix_(train, columns)], data.groups[train])
                found[number][np.ix_(tested, columns)] = model.predict(unseen)
        return found[:, in_test]


def same_recordings(targets: pd.DataFrame) -> Iterator[tuple[NDArray[np.bool_], list[str]]]:
    """Group targets that are known for the same recordings: pairs of row mask and target names.

    Names are in the order of the columns.
    """
    known = targets.notna().to_numpy()
    patterns, block = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        yield patterns[:, number], list(targets.columns[block.ravel() == number])


def align(
    x: pd.DataFrame | Inputs, targets: pd.DataFrame
) -> tuple[Inputs, pd.DataFrame, list[tuple[str, str, str, str]]]:
    """Keep the recordings with features and a rating; the others are exclusions."""
    inputs = x if isinstance(x, Inputs) else Inputs.of_features(x)
    if not targets.index.is_unique:
        twice = ", ".join(sorted(set(targets.index[targets.index.duplicated()]))[:5])
        raise ClinicError(f"scores of {twice} are given twice; allowed is a row a recording.")
    rated = targets.index[targets.notna().any(axis=1)]
    both = inputs.recordings.isin(rated)
    reasons = [(name, "rated, no features") for name in rated.difference(inputs.recordings)]
    reasons += [(name, "no rating of this scale") for name in inputs.recordings[~both]]
    lost = [("fit", "recording", name, why) for name, why in sorted(reasons)]
    kept = inputs.take(np.flatnonzero(both))
    return kept, targets.loc[kept.recordings].astype(float), lost


def participants_of(recordings: pd.Index[str], participants: pd.Series) -> NDArray[np.object_]:
    """Look up the participant of each recording, as text; one that is unknown is an error."""
    groups = participants.reindex(recordings)
    if groups.isna().any():
        unknown = ", ".join(groups.index[groups.isna()][:5])
        raise ClinicError(f"no participant is known for {unknown}. Add them to recordings.csv.")
    return groups.astype(str).to_numpy(dtype=object)


def _fittable(
    targets: pd.DataFrame, groups: NDArray[np.object_], schedule: pd.DataFrame, design: Design
) -> tuple[pd.DataFrame, list[tuple[str, str, str, str]]]:
    """Drop the targets that cannot be cross-validated, each with its reason."""
    reasons = {name: _reason(targets[name], groups, schedule, design) for name in targets}
    unfit = {str(name): why for name, why in reasons.items() if why}
    kept = targets.drop(columns=list(unfit))
    if kept.columns.empty:
        raise TooFewError(
            f"none of {len(unfit)} targets can be fitted ({'; '.join(sorted(set(unfit.values())))})"
            ". Add rated recordings, or choose fewer folds."
        )
    return kept, [("fit", "target", name, why) for name, why in unfit.items()]


def _reason(
    scores: pd.Series, groups: NDArray[np.object_], schedule: pd.DataFrame, design: Design
) -> str:
    """Why a target cannot be cross-validated, or an empty string."""
    known = scores.notna().to_numpy()
    n = len(set(groups[known]))
    needed = max(FEWEST_PARTICIPANTS, design.n_folds if design.kind == "repeated" else 0)
    if n < needed:
        return f"ratings of {n} participants, {needed} needed"
    if scores.nunique() == 1:
        return "constant: every rating is the same"
    rated = schedule[known].groupby(level=0).first()
    tested = rated.where(rated != TRAINING_ONLY)
    if tested.isna().all(axis=None):
        return "rated in no participant who is to be predicted"
    largest_fold = max(tested[repeat].value_counts().max() for repeat in tested)
    if n - largest_fold < FEWEST_TRAINING:
        return f"fewer than {FEWEST_TRAINING} participants to train on in a fold"
    return ""


def _averaged(predicted: Array, recipes: Sequence[Recipe], data: Prepared) -> pd.DataFrame:
    n_times = np.isfinite(predicted).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(predicted, axis=1) / n_times
        squares = np.nansum((predicted - mean[:, np.newaxis]) ** 2, axis=1)
        # the SD of a single repeat is unknown, not 0
        spread = np.sqrt(squares / np.where(n_times > 1, n_times - 1, np.nan))
    table = _long(mean, recipes, data)
    return table.assign(predicted_sd=_long(spread, recipes, data)["predicted"]).dropna(
        subset="predicted", ignore_index=True
    )


def _by_repeat(predicted: Array, recipes: Sequence[Recipe], data: Prepared) -> pd.DataFrame:
    parts = []
    for repeat in range(predicted.shape[1]):
        table = _long(predicted[:, repeat], recipes, data)
        fold = np.tile(data.fold_of[:, repeat], len(table) // len(data.groups))
        parts.append(table.assign(repeat=repeat + 1, fold=fold))
    whole = pd.concat(parts, ignore_index=True).dropna(subset="predicted", ignore_index=True)
    return whole[["repeat", "fold", *whole.columns.drop(["repeat", "fold"])]]


def _long(values: Array, recipes: Sequence[Recipe], data: Prepared) -> pd.DataFrame:
    """Tidy table of values of shape (n_models, n_recordings, n_targets)."""
    n_models, n, n_targets = values.shape
    return pd.DataFrame(
        {
            "participant": np.tile(data.groups, n_models * n_targets),
            "recording": np.tile(data.inputs.recordings.to_numpy(), n_models * n_targets),
            "target": np.tile(np.repeat(data.targets.columns.to_numpy(), n), n_models),
            "model": np.repeat([recipe.name for recipe in recipes], n * n_targets),
            "observed": np.tile(data.targets.to_numpy().T.ravel(), n_models),
            "predicted": values.transpose(0, 2, 1).ravel(),
        }
    )
