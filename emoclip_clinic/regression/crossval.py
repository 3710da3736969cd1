"""Nested, participant-grouped cross-validation of many targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError, TooFewError
from emoclip_clinic.regression import folds
from emoclip_clinic.regression.estimators import make
from emoclip_clinic.regression.folds import FEWEST_PARTICIPANTS, Design

__all__ = ["CrossValidation", "align", "cross_validate", "participants_of", "same_recordings"]

FEWEST_TRAINING = 4
"""Participants that a training set must have, so that two inner folds have two each."""


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation leaves behind."""

    predictions: pd.DataFrame
    """participant, recording, target, model, observed, predicted, predicted_sd (over repeats)."""
    splits: pd.DataFrame
    """The manifest: participant, repeat, fold."""
    exclusions: pd.DataFrame
    """stage, unit ("recording" or "target"), id, reason."""


def cross_validate(
    x: pd.DataFrame,
    targets: pd.DataFrame,
    participants: pd.Series,
    design: Design,
    estimators: Sequence[str] = ("ridge", "mean"),
    *,
    splits: pd.DataFrame | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossValidation:
    """Predict every recording's scores by models that never saw its participant.

    In each repeat every participant is in the test fold once. Whatever is learnt or tuned
    (standardisation, penalty, coefficients) is learnt from the training participants alone. A
    target trains on the recordings that have it; targets with the same recordings are fitted
    together. Predictions are averaged over the repeats.

    Parameters
    ----------
    x
        Features; index recording, a column a feature.
    targets
        Scores; index recording, a column a target, NaN where missing.
    participants
        The participant of each recording (index recording); it may hold further recordings.
    design
        Folds, repeats, seed.
    estimators
        Names in `estimators.REGISTRY`.
    splits
        A manifest to use again; made from `design` if absent.
    progress
        Called with (folds done, folds in all).

    Returns
    -------
    CrossValidation
        Predictions sorted by model and target (both in the order given), then recording.

    Raises
    ------
    TooFewError
        Fewer participants than folds, or no target that can be fitted.
    ClinicError
        A recording is given twice or has no participant, or a feature is not a finite number.
    """
    x, targets, exclusions = align(x, targets)
    groups = participants_of(x.index, participants)
    if splits is None:
        splits = folds.splits(groups, design)
    folds.check(splits, groups)
    schedule = splits.pivot(index="participant", columns="repeat", values="fold").loc[list(groups)]
    targets, unfit = _fittable(targets, groups, schedule, design)
    predicted = _out_of_fold(
        x.to_numpy(), targets, groups, schedule, design, estimators, progress or _silent
    )
    lost = pd.DataFrame([*exclusions, *unfit], columns=["stage", "unit", "id", "reason"])
    return CrossValidation(_tidy(predicted, estimators, targets, groups), splits, lost)


def same_recordings(targets: pd.DataFrame) -> Iterator[tuple[NDArray[np.bool_], list[str]]]:
    """Group targets that are known for the same recordings: pairs of row mask and target names.

    Names are in the order of the columns.
    """
    known = targets.notna().to_numpy()
    patterns, block = np.unique(known, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        yield patterns[:, number], list(targets.columns[block.ravel() == number])


def align(
    x: pd.DataFrame, targets: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, list[tuple[str, str, str, str]]]:
    """Keep the recordings with features and a rating; the others are exclusions."""
    for table, what in ((x, "features"), (targets, "scores")):
        if not table.index.is_unique:
            twice = ", ".join(sorted(set(table.index[table.index.duplicated()]))[:5])
            raise ClinicError(f"{what} of {twice} are given twice; allowed is a row a recording.")
    if not np.isfinite(x.to_numpy(dtype=float)).all():
        raise ClinicError("a feature is not a finite number. Encode the recordings again.")
    rated = targets.index[targets.notna().any(axis=1)]
    both = x.index.intersection(rated).sort_values()
    reasons = [(name, "rated, no features") for name in rated.difference(x.index)]
    reasons += [(name, "no rating of this scale") for name in x.index.difference(rated)]
    lost = [("fit", "recording", name, why) for name, why in sorted(reasons)]
    return x.loc[both].astype(float), targets.loc[both].astype(float), lost


def participants_of(recordings: pd.Index[str], participants: pd.Series) -> NDArray[np.object_]:
    """Look up the participant of each recording, as text; one that is unknown is an error."""
    groups = participants.reindex(recordings)
    if groups.isna().any():
        unknown = ", ".join(groups.index[groups.isna()][:5])
        raise ClinicError(f"no participant is known for {unknown}. Add them to recordings.csv.")
    return groups.astype(str).to_numpy(dtype=object)


def _fittable(
    targets: pd.DataFrame, groups: NDArray[np.object_], schedule: pd.DataFrame, design: Design
) -> tuple[pd.DataFrame, list[tuple[str, str, str, str]]]:
    """Drop the targets that cannot be cross-validated, each with its reason."""
    reasons = {name: _reason(targets[name], groups, schedule, design) for name in targets}
    unfit = {str(name): why for name, why in reasons.items() if why}
    kept = targets.drop(columns=list(unfit))
    if kept.columns.empty:
        raise TooFewError(
            f"none of {len(unfit)} targets can be fitted ({'; '.join(sorted(set(unfit.values())))})"
            ". Add rated recordings, or choose fewer folds."
        )
    return kept, [("fit", "target", name, why) for name, why in unfit.items()]


def _reason(
    scores: pd.Series, groups: NDArray[np.object_], schedule: pd.DataFrame, design: Design
) -> str:
    """Why a target cannot be cross-validated, or an empty string."""
    known = scores.notna().to_numpy()
    n = len(set(groups[known]))
    needed = max(FEWEST_PARTICIPANTS, design.n_folds if design.kind == "repeated" else 0)
    if n < needed:
        return f"ratings of {n} participants, {needed} needed"
    if scores.nunique() == 1:
        return "constant: every rating is the same"
    rated = schedule[known].groupby(level=0).first()
    largest_fold = max(rated[repeat].value_counts().max() for repeat in rated)
    if n - largest_fold < FEWEST_TRAINING:
        return f"fewer than {FEWEST_TRAINING} participants to train on in a fold"
    return ""


def _silent(done: int, total: int) -> None:
    """Report no progress."""


def _out_of_fold(
    x: NDArray[np.float64],
    targets: pd.DataFrame,
    groups: NDArray[np.object_],
    schedule: pd.DataFrame,
    design: Design,
    estimators: Sequence[str],
    progress: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Predictions of shape (n_estimators, n_repeats, n_recordings, n_targets), NaN if unrated."""
    fold_of = schedule.to_numpy()
    y = targets.to_numpy()
    blocks = [(rows, targets.columns.isin(names)) for rows, names in same_recordings(targets)]
    predicted = np.full((len(estimators), fold_of.shape[1], *y.shape), np.nan)
    tests = [(repeat, fold) for repeat, row in enumerate(fold_of.T) for fold in np.unique(row)]
    for done, (repeat, fold) in enumerate(tests, start=1):
        in_test = fold_of[:, repeat] == fold
        seed = int(np.random.SeedSequence([design.seed, repeat, int(fold)]).generate_state(1)[0])
        for rated, columns in blocks:
            train, test = np.flatnonzero(rated & ~in_test), np.flatnonzero(rated & in_test)
            if not len(test):
                continue
            for number, name in enumerate(estimators):
                model = make(name, design.n_inner_folds, seed)
                model.fit(x[train], y[np.ix_(train, columns)], groups[train])
                predicted[number, repeat][np.ix_(test, columns)] = model.predict(x[test])
        progress(done, len(tests))
    return predicted


def _tidy(
    predicted: NDArray[np.float64],
    estimators: Sequence[str],
    targets: pd.DataFrame,
    groups: NDArray[np.object_],
) -> pd.DataFrame:
    mean = predicted.mean(axis=1)
    # the SD of a single repeat is unknown, not 0
    many = predicted.shape[1] > 1
    spread = predicted.std(axis=1, ddof=1) if many else np.full_like(mean, np.nan)
    parts = [
        pd.DataFrame(
            {
                "participant": groups,
                "recording": targets.index,
                "target": target,
                "model": name,
                "observed": targets[target].to_numpy(),
                "predicted": mean[number, :, column],
                "predicted_sd": spread[number, :, column],
            }
        )
        for number, name in enumerate(estimators)
        for column, target in enumerate(targets)
    ]
    return pd.concat(parts, ignore_index=True).dropna(subset="observed", ignore_index=True)
