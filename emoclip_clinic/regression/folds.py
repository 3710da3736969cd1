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

__all__ = [
    "FEWEST_PARTICIPANTS",
    "KINDS",
    "TRAINING_ONLY",
    "Design",
    "check",
    "grouped_folds",
    "splits",
    "train_test",
]

FEWEST_PARTICIPANTS = 5
"""Below this the inner folds would tune on one or two people."""
TRAINING_ONLY = 0
"""The fold of participants who are trained on in every fold of the repeat and never predicted."""
KINDS = ("repeated", "lopo", "loso")
"""k-fold, drawn anew each repeat; leave one participant out; leave one site out."""


@dataclass(frozen=True)
class Design:
    """How participants are divided for cross-validation."""

    kind: Literal["repeated", "lopo", "loso"] = "repeated"
    """"repeated": k folds, drawn anew each repeat; "lopo": leave one participant out, once;
    "loso": leave one site out, once."""
    n_folds: int = 10
    """Folds a repeat; used by "repeated" only."""
    n_repeats: int = 5
    """Repeats with different folds; used by "repeated" only."""
    n_inner_folds: int = 5
    """Folds within the training participants, to tune the penalty."""
    seed: int = 0
    """Fixes every fold, outer and inner."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingsError(f"cv = {self.kind!r}; allowed: {', '.join(KINDS)}.")
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


def splits(
    participants: Iterable[str],
    design: Design,
    *,
    sites: pd.Series | None = None,
    strata: pd.Series | None = None,
) -> pd.DataFrame:
    """Assign every participant to one test fold in every repeat.

    Parameters
    ----------
    participants
        Ids, repeats allowed (as in a column with a row a recording); their order has no effect.
    design
        Kind, numbers of folds and repeats, seed.
    sites
        Site of each participant (index participant); "loso" needs it.
    strata
        A number of each participant (index participant), such as the total score: the folds of
        "repeated" then have alike distributions of it.

    Returns
    -------
    DataFrame
        The manifest: participant (text), repeat (from 1), fold (from 1); sorted by repeat, then
        participant. Equal input gives an equal manifest.

    Raises
    ------
    TooFewError
        Fewer participants than folds, or than `FEWEST_PARTICIPANTS`; fewer than two sites.
    StudyError
        A participant has no site.
    """
    ids = np.unique(np.array([str(name) for name in participants]))
    needed = FEWEST_PARTICIPANTS
    if design.kind == "repeated":
        needed = max(needed, design.n_folds)
    if len(ids) < needed:
        raise TooFewError(_too_few(len(ids), design))
    if design.kind == "lopo":
        return _manifest(ids, 1, LeaveOneGroupOut().split(ids, groups=ids))
    if design.kind == "loso":
        return _manifest(ids, 1, LeaveOneGroupOut().split(ids, groups=_sites(ids, sites)))
    # a seed a repeat, so that the first repeats stay the same when more are asked for
    seeds = np.random.SeedSequence(design.seed).generate_state(design.n_repeats)
    parts = []
    for repeat, seed in enumerate(seeds, start=1):
        folds = grouped_folds(ids, design.n_folds, int(seed))
        if strata is not None:
            folds = _stratified_folds(strata.reindex(ids).to_numpy(float), design.n_folds, seed)
        parts.append(_manifest(ids, repeat, folds))
    return pd.concat(parts, ignore_index=True)


def _sites(ids: NDArray[Any], sites: pd.Series | None) -> NDArray[Any]:
    if sites is None:
        raise StudyError(
            "leave one site out needs a column site in participants.csv (or .tsv): add it, or "
            "choose another design with --cv."
        )
    of = sites.reindex(ids)
    if of.isna().any():
        absent = ", ".join(of.index[of.isna()][:5])
        raise StudyError(f"no site is known of participant {absent}: add it to participants.csv.")
    if of.nunique() < 2:
        raise TooFewError(
            f"leave one site out needs two sites or more; all participants are at {of.iloc[0]}. "
            "Choose another design with --cv."
        )
    return of.astype(str).to_numpy()


def _stratified_folds(
    values: NDArray[np.float64], n_folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Deal the participants in order of their value: each run of n_folds has one in every fold."""
    generator = np.random.default_rng(seed)
    # ties, and those whose value is not known (last), in random order
    order = np.lexsort([generator.random(len(values)), values])
    fold = np.empty(len(values), dtype=int)
    for start in range(0, len(values), n_folds):
        run = order[start : start + n_folds]
        fold[run] = generator.permutation(n_folds)[: len(run)]
    for number in range(n_folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def train_test(training: Iterable[str], test: Iterable[str]) -> pd.DataFrame:
    """Make the manifest of a hold-out or an external cohort: one test fold, predicted once.

    Returns
    -------
    DataFrame
        As `splits` gives; the fold of those who are only trained on is `TRAINING_ONLY`.

    Raises
    ------
    StudyError
        Someone is in both.
    """
    fold = dict.fromkeys(training, TRAINING_ONLY)
    both = sorted(fold.keys() & (tested := set(test)))
    if both:
        raise StudyError(
            f"participants {', '.join(both[:5])} would be in training and test. A participant is "
            "on one side only: choose two cohorts that have nobody in common."
        )
    fold |= dict.fromkeys(tested, 1)
    rows = [(name, 1, number) for name, number in sorted(fold.items())]
    return pd.DataFrame(rows, columns=["participant", "repeat", "fold"])


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
            raise StudyError(
                f"split manifest, repeat {repeat}: one fold; 2 or more are needed, or fold "
                f"{TRAINING_ONLY} for those who are only trained on."
            )
