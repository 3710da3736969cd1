"""Totals that stand in a rating sheet, compared with those that are computed from its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from emoclip_clinic.rating_cells import Visit, counted
from emoclip_clinic.scale import Scale
from emoclip_clinic.scoring import score

__all__ = ["compare"]

ROUNDING = 0.01
"""Means are often written with two decimals."""


def compare(
    given: Mapping[str, Sequence[tuple[Visit, float]]], ratings: pd.DataFrame, scale: Scale
) -> list[str]:
    """Compare the totals of a sheet with ours, which are always computed from the items.

    Parameters
    ----------
    given
        "heading, score" to visits and values.
    ratings
        The tidy ratings of the sheet.
    scale
        Says how they are scored.

    Returns
    -------
        A sentence a column: in how many rows it differs, and in how many there is no score of ours.
    """
    keys = ["participant", "session", "rater", "target"]
    ours = score(ratings, scale).set_index(keys)["value"].to_dict() if given else {}
    notes = []
    for name, cells in given.items():
        heading, target = name.rsplit(", ", 1)
        known = [(value, ours.get((*visit.key, target))) for visit, value in cells]
        pairs = [(value, own) for value, own in known if own is not None]
        differing = sum(abs(value - own) > ROUNDING for value, own in pairs)
        text = f"{cells[0][0].file}: {heading} "
        text += (
            f"differs in {differing} of {counted(len(pairs), 'row')}"
            if differing
            else "is as computed"
        )
        if incomplete := len(known) - len(pairs):
            text += f"; in {counted(incomplete, 'row')} items are missing and no {target} is made"
        notes.append(f"{text}; ours is computed from the items")
    return notes
