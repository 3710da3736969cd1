"""Whom the agreement holds for: by site, visit, sex and whatever else is known of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from emoclip_clinic.agreement.equivalence import (
    DIFFERENCE,
    MODEL,
    NO_MARGINS,
    RATERS,
    panel_of,
    rows_of,
)
from emoclip_clinic.agreement.panel import Panel
from emoclip_clinic.agreement.scores import KEYS, model_scores, rating_table
from emoclip_clinic.groups import SMALLEST, group_of, members_of, too_small

__all__ = ["COLUMNS", "agreement_by_group"]

COLUMNS = [
    *("scale", "target", "kind", "group", "level", "statistic", "value", "ci_low", "ci_high"),
    *("n_subjects", "n_participants", "n_raters", "method", "note"),
]
SHOWN = (RATERS, MODEL, DIFFERENCE)
VISIT = "session"
"""The group that is of visits, not of people."""


def agreement_by_group(
    scored: pd.DataFrame,
    predictions: pd.DataFrame,
    people: pd.DataFrame,
    *,
    scale_id: str,
    targets: Iterable[str],
    columns: Sequence[str],
    model: str = "ridge",
    smallest: int = SMALLEST,
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Compare model and raters within each group of people, and within each visit.

    ICC(A,1) is a share of the variance between people: in a group of people who are alike it is
    low among raters too. So the model's is read beside that of the raters in the same group.

    Parameters
    ----------
    scored, predictions, scale_id, targets, model, n_resamples, seed
        As for `equivalence`.
    people
        Index participant, a column an attribute.
    columns
        Attributes to go by; numbers of many values are cut into thirds. "session" is always one.
    smallest
        Participants that a group must have to be shown.

    Returns
    -------
    pandas.DataFrame
        scale, target, kind; group (the attribute), level; statistic (rater-rater and
        model-rater ICC(A,1), their difference), value, ci_low, ci_high; n_subjects, n_participants,
        n_raters; method, note. Of a group that is not shown the numbers are missing, and the note
        says why.
    """
    scored = scored[scored["scale"] == scale_id]
    raters = sorted(scored["rater"].unique())
    predicted = model_scores(predictions, scale_id, model)
    kinds = scored.drop_duplicates("target").set_index("target")["kind"]
    named = {name: group_of(people[name]) for name in columns}
    rows: list[dict[str, Any]] = []
    for target in targets:
        ratings = rating_table(scored[scored["target"] == target], raters)
        said = predicted[predicted["target"] == target].set_index(KEYS)["predicted"]
        visits = ratings.index.intersection(said.index)
        if visits.empty:
            continue
        panel, whose = panel_of(ratings.loc[visits], said.loc[visits], tolerance=0.0)
        about = {"scale": scale_id, "target": target, "kind": kinds.get(target, "")}
        sessions = pd.Series(visits.get_level_values(VISIT), visits)
        for name, groups in {**named, VISIT: group_of(sessions)}.items():
            own = (
                groups if name == VISIT else groups.reindex(whose).fillna(groups.cat.categories[-1])
            )
            found = _rows(panel, whose, own.array, smallest, n_resamples, seed)
            rows.extend({**about, "group": name, **row} for row in found)
    table = pd.DataFrame(rows, columns=COLUMNS)
    # whole numbers, also where some are missing
    return table.astype(dict.fromkeys(("n_subjects", "n_participants", "n_raters"), "Int64"))


def _rows(
    panel: Panel, whose: Any, groups: Any, smallest: int, n_resamples: int, seed: int
) -> Iterator[dict[str, Any]]:
    members = members_of(groups)
    if len(members) < 2:
        return
    hidden = too_small(members, whose, smallest)
    for level, member in members.items():
        if level in hidden:
            yield from (
                {"level": level, "statistic": name, "note": hidden[level]} for name in SHOWN
            )
            continue
        own = panel.of_subjects(member.nonzero()[0])
        found = rows_of(own, whose[member], NO_MARGINS, n_resamples, seed, SHOWN)
        yield from ({"level": level, **row} for row in found)
