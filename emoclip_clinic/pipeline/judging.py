"""What a cross-validation is worth: every table about it, and the final model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from emoclip_clinic import predictions
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.materials import Material
from emoclip_clinic.regression import (
    CrossValidation,
    Design,
    FittedModel,
    Recipe,
    fit_model,
    measured_coverage,
    performance,
    splits,
)
from emoclip_clinic.regression.comparison import compare
from emoclip_clinic.regression.crossval import prepare
from emoclip_clinic.regression.derived import changes, summed
from emoclip_clinic.regression.folds import TRAINING_ONLY
from emoclip_clinic.regression.jobs import Runner
from emoclip_clinic.regression.learning_curve import learning_curve
from emoclip_clinic.regression.permutation import permutation_test
from emoclip_clinic.regression.precision import precision
from emoclip_clinic.regression.subgroups import subgroups
from emoclip_clinic.settings import FitSettings

__all__ = ["Judged", "final_model", "judge"]

COUNTED = ("sex", "site", "ethnicity")
"""Columns of participants.csv that the model card counts, where no group is small."""
PLANNED = ("pearson", "ccc")
WIDTHS = (0.1, 0.2, 0.3, 0.4)
"""Of the intervals that precision.csv plans for."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The predictions, and what is found out about them."""

    predictions: pd.DataFrame
    """As predictions/<scale>.csv holds them."""
    tables: dict[str, pd.DataFrame]
    """Name of a file in models/<scale>/, without its suffix -> table; none is empty."""
    splits: pd.DataFrame
    """The manifest."""
    notes: tuple[str, ...] = ()
    """What to know beside the exclusions."""


def judge(
    material: Material,
    validated: CrossValidation,
    design: Design,
    settings: FitSettings,
    recipes: list[Recipe],
    run: Runner,
    progress: Progress,
) -> Judged:
    """Find out what out-of-fold predictions are worth.

    Parameters
    ----------
    material, validated, design, settings
        What was cross-validated, and how.
    recipes
        The models; the first is the one that is reported.
    run, progress
        As for `fit`.
    """
    reported, kinds = recipes[0].name, material.kinds
    scale = material.rated.scale
    direct = predictions.label(validated.predictions, scale.id, material.sessions)
    own = direct[direct["model"] == reported]
    everything = predictions.validate(pd.concat([direct, summed(own, scale)], ignore_index=True))

    def measured(table: pd.DataFrame) -> pd.DataFrame:
        return performance(table, kinds, n_resamples=settings.resamples, seed=design.seed)

    progress("bootstrap", 0, 1)
    changed = changes(direct, settings.visits)
    tables = {
        "performance": measured(everything),
        "change": measured(changed) if len(changed) else changed,
        "comparison": _compared(validated, recipes, settings, design),
        "intervals": measured_coverage(
            validated.by_repeat[validated.by_repeat["model"] == reported], material.ranges
        ),
        "subgroups": subgroups(
            own,
            material.attributes(settings.subgroups),
            n_resamples=settings.resamples,
            seed=design.seed,
        ),
    }
    progress("bootstrap", 1, 1)
    if settings.permutations:
        tables["permutation"] = _permuted(
            material, validated, design, settings, recipes[0], run, progress
        )
    if settings.learning_curve:
        tables["learning_curve"] = learning_curve(
            material.inputs,
            material.targets,
            material.people,
            design,
            recipes[0],
            run=run,
            progress=lambda done, total: progress("learning curve", done, total),
        )
    tables["precision"] = _needed(tables["performance"], reported)
    kept = {name: table for name, table in tables.items() if len(table)}
    return Judged(everything, kept, validated.splits)


def _compared(
    validated: CrossValidation, recipes: list[Recipe], settings: FitSettings, design: Design
) -> pd.DataFrame:
    """Compare the reported model with each of the others, the mean among them."""
    first, *others = [recipe.name for recipe in recipes]
    found = [
        compare(validated.by_repeat, first, other, n_resamples=settings.resamples, seed=design.seed)
        for other in others
    ]
    return pd.concat(found, ignore_index=True)


def _needed(measured: pd.DataFrame, model: str) -> pd.DataFrame:
    """Give the participants that a next study would need, if it found what this one did."""
    own = measured[(measured["model"] == model) & measured["metric"].isin(PLANNED)]
    parts = []
    for row in own.dropna(subset="value").to_dict("records"):
        # a study is not planned on an association below 0, nor on a perfect one
        value = float(np.clip(row["value"], 0, 0.99))
        table = precision(row["metric"], [value], WIDTHS)
        parts.append(table.assign(target=row["target"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _permuted(
    material: Material,
    validated: CrossValidation,
    design: Design,
    settings: FitSettings,
    recipe: Recipe,
    run: Runner,
    progress: Progress,
) -> pd.DataFrame:
    prepared = prepare(
        material.inputs, material.targets, material.people, design, splits=validated.splits
    )
    table = permutation_test(
        prepared,
        design,
        recipe,
        material.kinds,
        n_permutations=settings.permutations,
        within=material.strata_within(settings.permute_within),
        folds_follow_scores=bool(settings.stratify),
        run=run,
        progress=lambda done, total: progress("permutations", done, total),
    )
    return table.assign(scale=material.rated.scale.id)[["scale", *table.columns]]


def final_model(
    material: Material, manifest: pd.DataFrame, design: Design, recipe: Recipe, run: Runner
) -> FittedModel:
    """Fit the model that is saved, to everyone but those whom a manifest only tests.

    Without them the manifest has no folds for the prediction intervals: then they are made anew.
    """
    tested = manifest["fold"] != TRAINING_ONLY
    if not tested.all():
        material = material.without(set(manifest.loc[tested, "participant"]))
        n_folds = min(design.n_folds, len(material.analysed))
        own = replace(design, kind="repeated", n_folds=n_folds, n_repeats=1)
        manifest = splits(material.analysed, own)
    people = material.participants.set_index("participant")
    return fit_model(
        material.inputs,
        material.targets,
        material.people,
        recipe,
        scale=material.rated.scale.id,
        features=material.features,
        ranges=material.ranges,
        design=design,
        splits=manifest,
        people=people[[name for name in COUNTED if name in people]],
        run=run,
    )
