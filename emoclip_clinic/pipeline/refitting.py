"""The same models fitted on the windows that keep a limit of quality, limit by limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic import features, predictions
from emoclip_clinic.errors import TooFewError
from emoclip_clinic.pipeline.materials import Material
from emoclip_clinic.quality import Measure
from emoclip_clinic.regression import CrossValidation, Design, Recipe, cross_validate, performance
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.jobs import Runner
from emoclip_clinic.settings import FitSettings
from emoclip_clinic.thresholds import kept

__all__ = ["COLUMNS", "METRICS", "Trial", "at_limits"]

Mask = npt.NDArray[np.bool_]

METRICS = ("pearson", "ccc", "mae")
COLUMNS = (
    *("scale", "target", "model", "measure", "limit", "threshold", "n_windows", "n_recordings"),
    *("n_participants", "metric", "value", "ci_low", "ci_high", "value_all_windows", "note"),
)
"""Columns of quality_MEASURE.csv in models/SCALE/."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What is fitted again and again, and how."""

    material: Material
    """Ratings and people; its own windows are not used."""
    vectors: features.FeatureTable
    """The used windows."""
    windows: pd.DataFrame
    """Their measures: WINDOW_COLUMNS, in the order of the vectors."""
    targets: list[str]
    """What is predicted."""
    recipes: list[Recipe]
    """The first is measured."""
    design: Design
    """Of the cross-validation."""
    settings: FitSettings
    """Of the study."""
    run: Runner
    """Who fits the folds."""

    def fit(self, inside: Mask, splits: pd.DataFrame | None) -> CrossValidation:
        """Cross-validate on some of the windows; `splits` keeps everyone in their folds."""
        if not inside.any():
            raise TooFewError("no window is left")
        material = self.material
        return cross_validate(
            Inputs.of_windows(
                self.vectors.vectors[inside],
                self.vectors.segments["recording"].to_numpy()[inside],
                material.inputs.covariates,
            ),
            material.targets[self.targets],
            material.people,
            self.design,
            self.recipes,
            splits=splits,
            sites=material.column("site"),
            strata=material.strata(self.settings.stratify),
            run=self.run,
        )

    def measured(self, table: pd.DataFrame) -> pd.DataFrame:
        """Give the performance of the first model, a row a target and metric."""
        scale = self.material.rated.scale.id
        labelled = predictions.label(table, scale, self.material.sessions)
        made = performance(
            labelled,
            self.material.kinds,
            n_resamples=self.settings.resamples,
            seed=self.design.seed,
        )
        return made[(made["model"] == self.recipes[0].name) & made["metric"].isin(METRICS)]


def at_limits(
    trial: Trial,
    measure: Measure,
    limits: Sequence[tuple[str, float]],
    progress: Callable[[int, int], None],
) -> pd.DataFrame:
    """Give the performance on all windows, then at each limit: COLUMNS.

    Parameters
    ----------
    trial
        What is fitted, and how.
    measure, limits
        ("min" or "max", threshold), in the order of the rows.
    progress
        Called with (fits done, fits in all).
    """
    total = len(limits) + 1
    everything = np.ones(len(trial.windows), bool)
    whole = trial.fit(everything, None)
    progress(1, total)
    parts = [_rows(trial, everything, whole, whole).assign(limit="", threshold=np.nan)]
    for done, (limit, threshold) in enumerate(limits, start=2):
        inside = kept(trial.windows, measure, limit, threshold)
        try:
            rows = _rows(trial, inside, trial.fit(inside, whole.splits), whole)
        except TooFewError as error:
            rows = _nothing(trial, inside, str(error))
        parts.append(rows.assign(limit=limit, threshold=threshold))
        progress(done, total)
    table = pd.concat(parts, ignore_index=True)
    scale, model = trial.material.rated.scale.id, trial.recipes[0].name
    about = table.assign(scale=scale, model=model, measure=measure.name)
    return about[list(COLUMNS)]


def _rows(
    trial: Trial, inside: Mask, found: CrossValidation, whole: CrossValidation
) -> pd.DataFrame:
    """Measure what was found, and the models of all windows on the same recordings."""
    same = whole.predictions[whole.predictions["recording"].isin(found.predictions["recording"])]
    keys = ["target", "metric"]
    beside = trial.measured(same).set_index(keys)["value"]
    table = trial.measured(found.predictions).assign(n_windows=int(inside.sum()))
    table["value_all_windows"] = beside.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
    return table.reindex(columns=list(COLUMNS))


def _nothing(trial: Trial, inside: Mask, why: str) -> pd.DataFrame:
    left = trial.windows.loc[inside, "recording"].unique()
    rows = [
        {
            "target": target,
            "metric": metric,
            "n_windows": int(inside.sum()),
            "n_recordings": len(left),
            "n_participants": trial.material.people.reindex(left).nunique(),
            "note": why,
        }
        for target in trial.targets
        for metric in METRICS
    ]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))
