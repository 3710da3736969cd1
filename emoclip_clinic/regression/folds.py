"""Who is in which fold: every split is by participant, and there is no other kind.

Windows and recordings of one person share face, light and camera. A model that has seen some of
them recognises the person in the others and recalls the score: a random split of clips reaches
r near 1 on scores that are pure noise. So the manifest below assigns *participants* to folds, and
nothing in this package can split a participant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from emoclip_clinic.errors import SettingsError, StudyError, TooFewError

__all__ = ["FEWEST_PARTICIPANTS", "Design", "check", "grouped_folds", "splits"]

FEWEST_PARTICIPANTS = 5
"""Below this the inner folds would tune on one or two people."""


@dataclass(frozen=True)
class Design:
    """How participants are divided for cross-validation."""

    kind: Literal["repeated", "lopo"] = "repeated"
    """"repeated": k folds, drawn anew each repeat; "lopo": leave one participant out, once."""
    n_folds: int = 10
    """Folds a repeat; not used by "lopo"."""
    n_repeats: int = 5
    """Repeats with different folds; not used by "lopo"."""
    n_inner_folds: int = 5
    """Folds within the training participants, to tune the penalty."""
    seed: int = 0
    """Fixes every fold, outer and inner."""

    def __post_init__(self) -> None:
        if self.kind not in ("repeated", "lopo"):
            raise SettingsError(f"cv = {self.kind!r}; allowed: 'repeated', 'lopo'.")
        for name, least in (("n_folds", 2), ("n_repeats", 1), ("n_inner_folds", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise SettingsError(f"{name} = {getattr(self, name)}; allowed: {least} or more.")


def grouped_folds(
    groups: NDArray[Any], n_folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test rows of shuffled folds of whole groups, as sklearn's GroupKFold gives.

    Where there are fewer groups than folds, there is a fold a group.
    """
    n_groups = len(np.unique(groups))
    splitter = GroupKFold(min(n_folds, n_groups), shuffle=True, random_state=seed)
    yield from splitter.split(groups, groups=groups)


def splits(participants: Iterable[str], design: Design) -> pd.DataFrame:
    """Assign every participant to one test fold in every repeat.

    Parameters
    ----------
    participants
        Ids, repeats allowed (as in a column with a row a recording); their order has no effect.
    design
        Kind, numbers of folds and repeats, seed.

    Returns
    -------
    DataFrame
        The manifest: participant (text), repeat (from 1), fold (from 1); sorted by repeat, then
        participant. Equal input gives an equal manifest.

    Raises
    ------
    TooFewError
        Fewer participants than folds, or than `FEWEST_PARTICIPANTS`.
    """
    ids = np.unique(np.array([str(name) for name in participants]))
    needed = FEWEST_PARTICIPANTS
    if design.kind == "repeated":
        needed = max(needed, design.n_folds)
    if len(ids) < needed:
        raise TooFewError(_too_few(len(ids), design))
    if design.kind == "lopo":
        return _manifest(ids, 1, LeaveOneGroupOut().split(ids, groups=ids))
    # a seed a repeat, so that the first repeats stay the same when more are asked for
    seeds = np.random.SeedSequence(design.seed).generate_state(design.n_repeats)
    parts = [
        _manifest(ids, repeat, grouped_folds(ids, design.n_folds, int(seed)))
        for repeat, seed in enumerate(seeds, start=1)
    ]
    return pd.concat(parts, ignore_index=True)


def _too_few(n_participants: int, design: Design) -> str:
    if n_participants < FEWEST_PARTICIPANTS:
        return (
            f"{n_participants} participants with features and ratings; at least "
            f"{FEWEST_PARTICIPANTS} are needed for cross-validation. Add rated recordings."
        )
    return (
        f"{n_participants} participants with features and ratings, fewer than the {design.n_folds} "
        f"folds; allowed: 2 to {n_participants} folds. Set folds = {n_participants} or less, or "
        "leave one participant out ('fit --cv lopo')."
    )


def _manifest(ids: NDArray[Any], repeat: int, folds: Iterable[Any]) -> pd.DataFrame:
    fold = np.zeros(len(ids), dtype=int)
    for number, (_, test) in enumerate(folds, start=1):
        fold[test] = number
    return pd.DataFrame({"participant": ids, "repeat": repeat, "fold": fold})


def check(manifest: pd.DataFrame, participants: Iterable[str]) -> None:
    """Check that a manifest given back has every participant exactly once a repeat.

    Raises
    ------
    StudyError
        A participant is in no fold or in two folds of a repeat, or a repeat has a single fold.
    """
    wanted = {str(name) for name in participants}
    for repeat, rows in manifest.groupby("repeat"):
        absent = sorted(wanted - set(rows["participant"]))
        twice = sorted(set(rows.loc[rows["participant"].duplicated(), "participant"]))
        for names, what in ((absent, "in no fold"), (twice, "in more than one fold")):
            if names:
                raise StudyError(
                    f"split manifest, repeat {repeat}: participants {what}: "
                    f"{', '.join(names[:5])}. Each must be in exactly one fold; make a new "
                    "manifest by fitting without one."
                )
        if rows["fold"].nunique() < 2:
            raise StudyError(f"split manifest, repeat {repeat}: one fold; 2 or more are needed.")
