"""The ratings of one target, and rows about them with intervals of resampled participants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.agreement.bootstrap import Resampled, cluster_resamples
from emoclip_clinic.agreement.estimates import Estimate, join_notes
from emoclip_clinic.agreement.scores import rating_table

__all__ = [
    "ALIKE",
    "COLUMNS",
    "Target",
    "as_row",
    "estimated",
    "of_targets",
    "redrawn",
    "resampled",
]

COLUMNS = [
    *("scale", "target", "kind", "statistic", "value", "ci_low", "ci_high"),
    *("n_subjects", "n_participants", "n_raters", "method", "note"),
]
ALIKE = "visits of one person counted as independent: the interval is too short"
BOOTSTRAP = "participant-cluster bootstrap (BCa, {} resamples), raters fixed"

Array = NDArray[np.float64]
Numbers = Callable[[Array], dict[str, Array]]
"""From subject weights (n_weightings, n_subjects) to statistics, each (n_weightings,)."""


class Target:
    """Ratings of one target."""

    def __init__(self, scored: pd.DataFrame, target: str, raters: list[str]) -> None:
        own = scored[scored["target"] == target]
        self.table = rating_table(own, raters).dropna(how="all")
        self.scores = self.table.to_numpy(float)
        self.people = self.table.index.get_level_values("participant").to_numpy()
        self.kind = str(own["kind"].iloc[0]) if len(own) else ""
        self.about = {"target": target, "kind": self.kind}

    def complete(self, columns: list[int]) -> tuple[Array, NDArray[np.object_]]:
        """Scores (n, columns) of the visits that all those raters scored, and whose they are."""
        own = self.scores[:, columns]
        there = ~np.isnan(own).any(axis=1)
        return own[there], self.people[there]

    def tidy(self, columns: list[int]) -> pd.DataFrame:
        """Columns subject, rater, value."""
        own = self.table.iloc[:, columns].reset_index(drop=True).rename_axis("subject")
        return own.reset_index().melt("subject", var_name="rater", value_name="value")


def of_targets(
    scored: pd.DataFrame, scale_id: str, targets: Iterable[str]
) -> Iterator[tuple[Target, list[str]]]:
    """Give the ratings of each target, and the names of all raters of the scale, sorted."""
    scored = scored[scored["scale"] == scale_id]
    raters = sorted(scored["rater"].unique())
    for target in targets:
        yield Target(scored, target, raters), raters


def resampled(
    numbers: Numbers, whose: NDArray[np.object_], n_resamples: int, seed: int
) -> dict[str, Resampled]:
    """Resample the participants; `whose` has that of each subject."""
    return cluster_resamples(numbers, pd.factorize(whose)[0], n_resamples, seed)


def estimated(
    numbers: Numbers,
    whose: NDArray[np.object_],
    n_raters: int,
    n_resamples: int,
    seed: int,
    *,
    undefined: str = "",
    note: str = "",
) -> Iterator[dict[str, Any]]:
    """Give a row for each statistic, with the interval of resampled participants.

    Parameters
    ----------
    numbers
        Of the subjects whose participants `whose` has.
    undefined
        Why a statistic may be undefined.
    note
        What is to be known of all of them.
    """
    drawn = resampled(numbers, whose, n_resamples, seed)
    for name, found in drawn.items():
        why = f"undefined: {undefined}" if np.isnan(found.value) else ""
        row = Estimate(name, len(whose), n_raters, value=found.value, note=join_notes(why, note))
        yield as_row(redrawn(row, found, n_resamples), whose)


def redrawn(row: Estimate, drawn: Resampled | None, n_resamples: int) -> Estimate:
    """Give the interval of resampled participants."""
    row = replace(row, method=BOOTSTRAP.format(n_resamples), ci_low=np.nan, ci_high=np.nan)
    if drawn is None or np.isnan(row.value):
        return row
    low, high = drawn.interval()
    none = "no interval: it is the same in all resamples, or there are too few participants"
    # what was said of another interval does not hold for this one
    kept = [
        part for part in row.note.split("; ") if not part.startswith(("no interval", "interval"))
    ]
    return replace(
        row, ci_low=low, ci_high=high, note=join_notes(none if np.isnan(low) else "", *kept)
    )


def as_row(row: Estimate, whose: Any) -> dict[str, Any]:
    """Give the row of a table, from statistic on; `whose` has the participants of the subjects."""
    found = asdict(row)
    return {"statistic": found.pop("name"), **found, "n_participants": len(set(whose))}
