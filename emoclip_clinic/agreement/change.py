"""Agreement about change: what got better or worse from one visit to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from emoclip_clinic.agreement.equivalence import NO_MARGINS, panel_of, rows_of
from emoclip_clinic.agreement.scores import KEYS, model_scores, rating_table

__all__ = ["COLUMNS", "agreement_of_change"]

COLUMNS = [
    *("scale", "target", "kind", "statistic", "value", "ci_low", "ci_high"),
    *("n_subjects", "n_participants", "n_raters", "method", "note"),
]
BETWEEN = ">"


def agreement_of_change(
    scored: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    scale_id: str,
    targets: Iterable[str],
    tolerances: Mapping[str, float],
    model: str = "ridge",
    order: Sequence[str] = (),
    n_resamples: int = 2000,
    seed: int,
) -> pd.DataFrame:
    """Compare the change that the model predicts with the change that raters saw.

    A change is the later score less the earlier one of the same rater, from each visit to the
    next. What is steady in a person cancels, so that agreement about change is lower than about
    level, among raters too: the two are compared on the same changes.

    Parameters
    ----------
    scored, predictions, scale_id, targets, tolerances, model, n_resamples, seed
        As for `equivalence`.
    order
        Sessions in order of time; as their names sort, if empty.

    Returns
    -------
    pandas.DataFrame
        The statistics of `equivalence`, of changes: scale, target, kind, statistic, value, ci_low,
        ci_high, n_subjects (changes), n_participants, n_raters, method, note. Empty where nobody
        has two visits.
    """
    scored = scored[scored["scale"] == scale_id]
    raters = sorted(scored["rater"].unique())
    predicted = model_scores(predictions, scale_id, model)
    kinds = scored.drop_duplicates("target").set_index("target")["kind"]
    rows: list[dict[str, Any]] = []
    for target in targets:
        ratings = rating_table(scored[scored["target"] == target], raters)
        said = predicted[predicted["target"] == target].set_index(KEYS)[["predicted"]]
        changed = _changes(ratings.join(said, how="inner"), order)
        if changed.empty:
            continue
        panel, participants = panel_of(changed[raters], changed["predicted"], tolerances[target])
        about = {"scale": scale_id, "target": target, "kind": kinds.get(target, "")}
        found = rows_of(panel, participants, NO_MARGINS, n_resamples, seed)
        rows.extend({**about, **row} for row in found)
    return pd.DataFrame(rows, columns=COLUMNS)


def _changes(scores: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """From visits (participant, session) to changes (participant, "01>02")."""
    sessions = scores.index.get_level_values("session")
    place = {name: n for n, name in enumerate(order or sorted(set(sessions)))}
    known = scores[sessions.isin(list(place))]
    ordered = known.sort_index(level="session", key=lambda names: names.map(place), kind="stable")
    by_person = ordered.groupby(level="participant", sort=False)
    steps = by_person.diff()
    later = ordered.index.to_frame()
    earlier = later.groupby(level="participant", sort=False)["session"].shift()
    is_step = earlier.notna().to_numpy()
    names = earlier[is_step] + BETWEEN + later["session"][is_step]
    people = later["participant"][is_step]
    return steps[is_step].set_axis(pd.MultiIndex.from_arrays([people, names], names=KEYS))
