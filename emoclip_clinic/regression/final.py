"""Fit the final model to all recordings, with those of the folds beside it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic import __version__
from emoclip_clinic.regression.crossval import Prepared, fold_seed, prepare, same_recordings
from emoclip_clinic.regression.fitted import (
    Features,
    FittedModel,
    Regression,
    TargetFacts,
    hashed,
    plain_features,
)
from emoclip_clinic.regression.folds import TRAINING_ONLY, Design
from emoclip_clinic.regression.frames import FRAMES
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.jobs import Runner, serially
from emoclip_clinic.regression.novelty import Novelty
from emoclip_clinic.regression.recipes import Recipe, RecipeModel

__all__ = ["SMALLEST_GROUP", "fit_model"]

Array = NDArray[np.float64]

SMALLEST_GROUP = 10
"""Participants below which a group is not counted in what is written of the training."""
# predictions that differ by less than this share of the scale's range are those of a constant
ROUNDING = 1e-9
LIBRARIES = ("numpy", "scikit-learn", "skops")


def fit_model(
    x: pd.DataFrame | Inputs,
    targets: pd.DataFrame,
    participants: pd.Series,
    recipe: str | Recipe = "ridge",
    *,
    scale: str,
    features: Features,
    ranges: Mapping[str, tuple[float, float]],
    design: Design,
    splits: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    level: float = 0.95,
    run: Runner = serially,
) -> FittedModel:
    """Fit the model for new participants to all recordings, and those of the folds beside it.

    What is tuned is tuned by folds of participants, as in each fold of the cross-validation. The
    models of the folds are those of `cross_validate`'s first repeat, made again; they and their
    residuals give the prediction intervals.

    Parameters
    ----------
    x, targets, participants, design, splits
        As given to `cross_validate`; `splits` is best what it returned.
    recipe
        A recipe, or what `Recipe.parse` reads; its pooling is that of `features` where the text
        names none.
    scale, features
        What is predicted, from what.
    ranges
        Lowest and highest possible score of each target.
    people
        Index participant: columns such as sex and site, to be counted for the model card.
    level
        Of the prediction intervals.
    run
        Who fits the folds.

    Raises
    ------
    TooFewError, ClinicError
        As `cross_validate`.
    """
    if isinstance(recipe, str):
        recipe = Recipe.parse(recipe, features.pooling)
    data = prepare(x, targets, participants, design, splits=splits)
    recipe.warm(data.inputs)
    plain = plain_features(data.inputs, recipe.pooling)
    regressions = _regressions(data, recipe, design, run)
    covariates = data.inputs.covariates
    needed = () if recipe.covariates == "ignore" or covariates is None else covariates.columns
    return FittedModel(
        scale=scale,
        recipe=recipe,
        features=replace(features, pooling=recipe.pooling),
        feature_names=tuple(map(str, plain.columns)),
        covariates=tuple(map(str, needed)),
        level=level,
        design=design,
        targets=tuple(_facts(data, regressions, ranges)),
        n_recordings=len(data.inputs),
        n_participants=len(set(data.groups)),
        groups={} if people is None else _counts(people.reindex(sorted(set(data.groups)))),
        training=tuple(sorted({hashed(name) for name in data.groups})),
        versions=_versions(*(["torch"] if recipe.pooling == FRAMES else [])),
        regressions=regressions,
        novelty=Novelty(random_state=design.seed).fit(plain.to_numpy(), data.groups),
    )


@dataclass(frozen=True, eq=False)
class _FoldModels:
    """Fits the models of one fold of the first repeat, called with the fold."""

    data: Prepared
    recipe: Recipe
    design: Design

    def __call__(self, fold: int) -> list[tuple[RecipeModel, Array] | None]:
        """Model and residuals for the targets of each pattern; None where nobody is predicted."""
        data, y = self.data, self.data.targets.to_numpy()
        found: list[tuple[RecipeModel, Array] | None] = []
        in_test = data.fold_of[:, 0] == fold
        for rated, names in same_recordings(data.targets):
            columns = data.targets.columns.isin(names)
            train, test = np.flatnonzero(rated & ~in_test), np.flatnonzero(rated & in_test)
            if not len(test):
                found.append(None)
                continue
            model = self.recipe.make(self.design.n_inner_folds, fold_seed(self.design, 0, fold))
            model.fit(data.inputs.take(train), y[np.ix_(train, columns)], data.groups[train])
            predicted = model.predict(data.inputs.take(test))
            found.append((model, y[np.ix_(test, columns)] - predicted))
        return found


def _regressions(
    data: Prepared, recipe: Recipe, design: Design, run: Runner
) -> tuple[Regression, ...]:
    first = data.fold_of[:, 0]
    folds = [int(fold) for fold in np.unique(first) if fold != TRAINING_ONLY]
    found = list(run(_FoldModels(data, recipe, design), folds))
    y, regressions = data.targets.to_numpy(), []
    patterns = same_recordings(data.targets)
    for (rated, names), parts in zip(patterns, zip(*found, strict=True), strict=True):
        rows, columns = np.flatnonzero(rated), data.targets.columns.isin(names)
        model = recipe.make(design.n_inner_folds, design.seed)
        model.fit(data.inputs.take(rows), y[np.ix_(rows, columns)], data.groups[rows])
        groups = np.concatenate([data.groups[rated & (first == fold)] for fold in folds])
        kept = [part for part in parts if part is not None]
        regressions.append(_regression(names, model, kept, groups))
    return tuple(regressions)


def _regression(
    names: list[str],
    model: RecipeModel,
    folds: list[tuple[RecipeModel, Array]],
    groups: NDArray[np.object_],
) -> Regression:
    """Put the folds together; rows are ordered by their residuals, which says nothing of ids."""
    residuals = np.concatenate([part for _, part in folds])
    fold_of = np.repeat(np.arange(len(folds)), [len(part) for _, part in folds])
    order = np.lexsort([residuals[:, 0], fold_of])
    numbers, _ = pd.factorize(groups[order])
    return Regression(
        targets=tuple(names),
        model=model,
        folds=tuple(fold for fold, _ in folds),
        residuals=residuals[order],
        fold_of=fold_of[order],
        participant_of=numbers,
    )


def _facts(
    data: Prepared, regressions: tuple[Regression, ...], ranges: Mapping[str, tuple[float, float]]
) -> list[TargetFacts]:
    facts: dict[str, TargetFacts] = {}
    for regression in regressions:
        rated = data.targets[regression.targets[0]].notna().to_numpy()
        predicted = regression.model.predict(data.inputs.take(np.flatnonzero(rated)))
        for column, name in enumerate(regression.targets):
            scores, (low, high) = data.targets.loc[rated, name], ranges[name]
            facts[name] = TargetFacts(
                target=name,
                tuned=_tuned(regression.model, column),
                n_recordings=len(scores),
                n_participants=len(set(data.groups[rated])),
                lowest=float(low),
                highest=float(high),
                score_mean=float(scores.mean()),
                score_sd=float(scores.std()),
                score_min=float(scores.min()),
                score_max=float(scores.max()),
                mean_predicted=float(predicted[:, column].mean()),
                mean_only=bool(np.ptp(predicted[:, column]) <= ROUNDING * (high - low)),
            )
    return [facts[str(name)] for name in data.targets]


def _tuned(model: RecipeModel, column: int) -> dict[str, float | str]:
    """Read what was chosen by the inner folds for a target."""
    return dict(model.model_.tuned_[column])


def _counts(people: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the values of each column; small ones together, none where these are few together.

    A count that is left out could be had by subtraction from the number of participants.
    """
    found = {}
    for name in people:
        values = people[name].astype(object).where(people[name].notna(), "not known")
        sizes = values.astype(str).value_counts()
        large = {str(value): int(n) for value, n in sizes[sizes >= SMALLEST_GROUP].items()}
        others = int(sizes[sizes < SMALLEST_GROUP].sum())
        if large and (others == 0 or others >= SMALLEST_GROUP):
            found[str(name)] = {**large, "others": others} if others else large
    return found


def _versions(*others: str) -> dict[str, str]:
    libraries = {name: version(name) for name in (*LIBRARIES, *others)}
    return {"emoclip-clinic": __version__, "python": platform.python_version(), **libraries}
