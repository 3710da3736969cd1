"""Groups of participants or recordings by an attribute, and which are too small to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError

__all__ = ["NOT_KNOWN", "SMALLEST", "Bands", "group_of", "members_of", "too_small"]

Bands = Mapping[str, tuple[float, float]]
"""Name of a band -> [start, stop)."""

SMALLEST = 10
"""Participants that a group must have to be shown."""
NOT_KNOWN = "not known"
OUTSIDE = "in no band"
MOST_CATEGORIES = 5
"""Numbers with at most so many different values are names (a site 1, 2, 3), not measures."""
THIRDS = ("lowest third", "middle third", "highest third")


def group_of(values: pd.Series, bands: Bands | None = None) -> pd.Series:
    """Name the group of each participant, recording or visit.

    Parameters
    ----------
    values
        An attribute: names, or numbers. Numbers of more than five different values are cut into
        thirds, whose names give the largest value of each.
    bands
        For numbers: name -> [start, stop).

    Returns
    -------
    pandas.Series
        Categorical, with the index of `values`; categories in the order they are shown, and
        "not known" the last.

    Raises
    ------
    ClinicError
        Bands overlap, are empty, or are given for what is not a number.
    """
    known = values.dropna().infer_objects()
    numeric = pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known)
    if bands is not None and not numeric:
        raise ClinicError(f"bands are given for {values.name}, which does not hold numbers.")
    if bands is not None:
        names, order = _in_bands(known, bands)
    elif numeric and known.nunique() > MOST_CATEGORIES:
        names, order = _in_thirds(known)
    else:
        names = known.map(_name)
        order = [_name(value) for value in sorted(known.unique(), key=_by_size)]
    categories = [*dict.fromkeys(order), NOT_KNOWN]
    filled = names.astype(object).reindex(values.index, fill_value=NOT_KNOWN)
    return filled.astype(pd.CategoricalDtype(categories))


def _name(value: Any) -> str:
    # a column of whole numbers with a gap is read as 1.0, 2.0
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _by_size(value: Any) -> tuple[float, str]:
    return (float(value) if isinstance(value, int | float | np.number) else 0.0, str(value))


def _in_bands(values: pd.Series, bands: Bands) -> tuple[pd.Series, list[str]]:
    named = pd.Series(OUTSIDE, values.index, dtype=object)
    taken = pd.Series(False, values.index)
    for name, (start, stop) in bands.items():
        within = values.ge(start) & values.lt(stop)
        if not start < stop or (within & taken).any():
            raise ClinicError(f"{values.name}: band {name} [{start}, {stop}) is empty or overlaps.")
        named[within] = name
        taken |= within
    return named, [*bands, OUTSIDE]


def _in_thirds(values: pd.Series) -> tuple[pd.Series, list[str]]:
    cuts = np.unique(values.quantile([1 / 3, 2 / 3], interpolation="lower"))
    order = [f"{THIRDS[k]} (to {_name(float(cut))})" for k, cut in enumerate(cuts)] + [THIRDS[2]]
    return pd.Series(np.array(order)[np.searchsorted(cuts, values)], values.index), order


def members_of(groups: pd.Categorical) -> dict[str, NDArray[np.bool_]]:
    """Say who is in each group, in the order they are shown; groups of nobody are left out."""
    members = {str(name): np.asarray(groups == name) for name in groups.categories}
    return {name: member for name, member in members.items() if member.any()}


def too_small(
    members: Mapping[str, NDArray[np.bool_]],
    participants: NDArray[Any],
    smallest: int = SMALLEST,
) -> dict[str, str]:
    """Say which groups are not shown, and why.

    Numbers of a group of fewer than `smallest` participants could be traced to persons. Where it
    alone were hidden it could be had from the others by subtraction, so the next smallest are
    hidden with it, until at least two groups and `smallest` participants are.

    Parameters
    ----------
    members
        Name -> who is in it, shape (n,).
    participants
        The participant of each, shape (n,).

    Returns
    -------
    dict
        Name of a group that is not shown -> the reason.
    """
    size = {name: len(np.unique(participants[member])) for name, member in members.items()}
    by_size = sorted(members, key=lambda name: size[name])
    hidden = [name for name in by_size if size[name] < smallest]
    if not hidden:
        return {}
    for name in by_size[len(hidden) :]:
        together = np.any([members[each] for each in hidden], axis=0)
        if len(hidden) > 1 and len(np.unique(participants[together])) >= smallest:
            break
        hidden.append(name)
    note = f"not shown: fewer than {smallest} participants, here or in another group"
    return dict.fromkeys(hidden, note)
