"""The tables of `agree`, a question each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from emoclip_clinic import agreement, scales
from emoclip_clinic.agreement.among_raters import rater_pairs, reliability
from emoclip_clinic.agreement.by_group import agreement_by_group
from emoclip_clinic.agreement.change import agreement_of_change
from emoclip_clinic.agreement.equivalence import Margins, equivalence
from emoclip_clinic.agreement.limit_forms import limit_forms
from emoclip_clinic.agreement.rater_habits import rater_diagnostics
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.pipeline.sources import Rated
from emoclip_clinic.scale import Scale
from emoclip_clinic.settings import Settings

__all__ = ["TABLES", "Case", "summary"]

USUAL_GROUPS = ("sex", "age", "ethnicity", "site")


@dataclass(frozen=True, eq=False)
class Case:
    """What is compared."""

    rated: Rated
    """The scale and its ratings."""
    scored: pd.DataFrame
    """Those of the cohort: participant, session, rater, scale, target, kind, value."""
    predicted: pd.DataFrame | None
    """Predictions of the cohort; None before `fit`."""
    people: pd.DataFrame
    """participants.csv; empty where there is none."""
    model: str
    """The model that is compared."""
    settings: Settings
    """What study.toml says."""

    @cached_property
    def targets(self) -> list[str]:
        """Items, subscales and totals in the scale's order."""
        return list(scales.targets(self.rated.scale)["target"])

    @property
    def options(self) -> dict[str, Any]:
        """What every table is made with."""
        return {
            "scale_id": self.rated.scale.id,
            "targets": self.targets,
            "model": self.model,
            "n_resamples": self.settings.agree.resamples,
            "seed": self.settings.study.seed,
        }

    @property
    def of_raters(self) -> dict[str, Any]:
        """What a table of raters alone is made with."""
        return {name: value for name, value in self.options.items() if name != "model"}

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of each item."""
        return {item.code: (item.minimum, item.maximum) for item in self.rated.scale.items}

    @property
    def dates(self) -> pd.Series | None:
        """Date of each visit's rating (index participant, session, rater); None without dates."""
        table = self.rated.ratings
        if "date" not in table:
            return None
        return table.groupby(["participant", "session", "rater"])["date"].first()

    @property
    def tolerances(self) -> Mapping[str, float]:
        """Points that two scores may differ and still agree.

        Errors of n items that have nothing to do with each other add up to sqrt(n) times those of
        one: so much more a sum of items may differ, and their mean 1 / sqrt(n).
        """
        return tolerances(self.rated.scale, self.settings.agree.tolerance)


def tolerances(scale: Scale, of_item: float) -> dict[str, float]:
    """Give the tolerance of every item, subscale and total, in its own points."""
    known = dict.fromkeys(scale.codes, of_item)
    for score in scale.scores:
        n = len(score.items)
        known[score.id] = of_item * math.sqrt(n) / (n if score.method == "mean" else 1)
    for part in scale.differences:
        known[part.id] = math.hypot(known[part.plus], known[part.minus])
    return known


def summary(case: Case) -> pd.DataFrame:
    """Every pair, statistic by statistic: agreement/<slug>.csv."""
    rule = case.settings.ratings.consensus
    return agreement.agree(
        case.scored,
        case.predicted,
        consensus_rater=rule.partition("rater:")[2],
        **case.options,
    )


def _equivalence(case: Case) -> pd.DataFrame:
    if case.predicted is None:
        return pd.DataFrame()
    chosen = case.settings.agree
    return equivalence(
        case.scored,
        case.predicted,
        tolerances=case.tolerances,
        margins=Margins(chosen.margin, chosen.interchange_margin),
        primary=case.settings.report.primary,
        **case.options,
    )


def _change(case: Case) -> pd.DataFrame:
    if case.predicted is None:
        return pd.DataFrame()
    return agreement_of_change(
        case.scored,
        case.predicted,
        tolerances=case.tolerances,
        order=case.settings.fit.visits,
        **case.options,
    )


def _groups(case: Case) -> pd.DataFrame:
    if case.predicted is None:
        return pd.DataFrame()
    people = case.people.set_index("participant")
    wanted = case.settings.agree.groups or [name for name in USUAL_GROUPS if name in people]
    unknown = [name for name in wanted if name not in people]
    if unknown:
        raise SettingsError(
            f"study.toml: agree: groups = {unknown[0]!r}; allowed: columns of participants.csv: "
            f"{', '.join(map(str, people)) or 'it has none'}"
        )
    return agreement_by_group(
        case.scored, case.predicted, people, columns=list(wanted), **case.options
    )


TABLES: Mapping[str, Callable[[Case], pd.DataFrame]] = {
    "reliability": lambda case: reliability(case.scored, ranges=case.ranges, **case.of_raters),
    "pairs": lambda case: rater_pairs(case.scored, ranges=case.ranges, **case.of_raters),
    "raters": lambda case: rater_diagnostics(case.scored, case.dates, **case.of_raters),
    "limits": lambda case: limit_forms(case.scored, case.predicted, **case.options),
    "equivalence": _equivalence,
    "groups": _groups,
    "change": _change,
}
"""Name of a file in agreement/<slug>/, without its suffix -> what makes it; empty: no file."""
