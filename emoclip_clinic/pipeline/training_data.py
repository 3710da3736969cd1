"""What a training is made of: clips with texts, held out ones, and a row for what is left out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import DatasetError, SettingsError
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.training.checking import leaks
from emoclip_clinic.training.datasets import VALIDATION, Dataset, read_dataset
from emoclip_clinic.training.draws import held_out
from emoclip_clinic.training.prompts import PromptSet
from emoclip_clinic.training.recipe import Recipe

__all__ = ["Captioned", "captioned", "numbered", "read_training"]

STAGE = "train"


@dataclass(frozen=True, eq=False)
class Captioned:
    """Clips and their texts, in a fixed order: a clip is its number."""

    clips: pd.DataFrame
    """The dataset's columns, each path once."""
    texts: tuple[str, ...]
    """Every text once."""
    options: tuple[tuple[int, ...], ...]
    """The numbers of the texts that each clip may be paired with."""
    training: NDArray[np.int64]
    """Numbers of the clips to train on."""
    validation: NDArray[np.int64]
    """Numbers of the clips held out of it."""

    def facts(self) -> list[object]:
        """Give all that decides what is learned, without a path."""
        clips = self.clips[["clip", "label", "participant"]].to_numpy().tolist()
        return [clips, self.texts, self.options, self.validation.tolist()]


def read_training(name: str, root: Path | None, fold: int | None) -> tuple[Dataset, pd.DataFrame]:
    """Read the clips to train on, and those that a manifest sets apart for validation.

    Returns
    -------
    dataset
        All of it.
    clips
        Those of the splits train and validation, each path once.

    Raises
    ------
    DatasetError
        There are folds and none was chosen, or somebody or something is in two splits.
    """
    dataset = read_dataset(name, root, fold=fold)
    folds = sorted(set(dataset.clips["fold"].dropna()))
    if fold is None and folds:
        known = ", ".join(map(str, folds))
        raise DatasetError(
            f"{dataset.name} has the folds {known}: what one trains on, another tests. Choose one "
            "with --fold."
        )
    shared = leaks(dataset.clips)
    if shared:
        shown = "; ".join(f"{one.unit} {one.id}: {one.reason}" for one in shared[:5])
        raise DatasetError(
            f"{dataset.name} has in several splits what must be in one ({len(shared)} in all): "
            f"{shown}. A test on them would say nothing; correct the split. 'emoclip-clinic "
            "datasets check' lists them all."
        )
    clips = dataset.clips[dataset.clips["split"].isin(["train", VALIDATION])]
    if clips.empty:
        raise DatasetError(
            f"{dataset.name} lists no clip of the split train. Give the manifest a column split "
            "with train and test."
        )
    return dataset, clips.drop_duplicates("path").reset_index(drop=True)


def captioned(
    clips: pd.DataFrame, recipe: Recipe, words: PromptSet | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the clips that the recipe can learn from.

    Returns
    -------
    kept
        With a column texts (a tuple of them).
    left_out
        stage, unit, id, reason.

    Raises
    ------
    DatasetError
        No clip is left.
    SettingsError
        The descriptions lack a class, or no clip has the class to leave out.
    """
    if recipe.leave_out and not clips["label"].map(lambda own: _has(own, recipe.leave_out)).any():
        known = ", ".join(sorted({label for label in clips["label"] if label})) or "none"
        raise SettingsError(
            f"leave_out = {recipe.leave_out!r}: no clip to train on has this label; they have: "
            f"{known}."
        )
    rows, left_out = [], []
    for row in clips.to_dict("records"):
        texts = _texts(row, words)
        if _has(row["label"], recipe.leave_out):
            left_out.append(Exclusion(STAGE, "clip", row["clip"], "the class that is left out"))
        elif not texts:
            what = "caption" if words is None else "label"
            left_out.append(Exclusion(STAGE, "clip", row["clip"], f"no {what}"))
        else:
            rows.append({**row, "texts": texts})
    if not rows:
        column = "caption" if words is None else "label"
        raise DatasetError(
            f"no clip to train on has a {column}. Give the manifest a column {column}, or choose a "
            "recipe that learns from the other (texts = captions or classes)."
        )
    return pd.DataFrame(rows), exclusion_table(left_out)


def _has(label: str, name: str) -> bool:
    return bool(name) and name in (label, *label.split("_"))


def _texts(row: Mapping[Hashable, str], words: PromptSet | None) -> tuple[str, ...]:
    if words is None:
        return (row["caption"],) if row["caption"] else ()
    if not row["label"]:
        return ()
    return tuple(text for part in words.parts(row["label"]) for text in words.prompts(part))


def numbered(clips: pd.DataFrame, recipe: Recipe) -> Captioned:
    """Give each text a number, and hold clips out for validation."""
    texts = tuple(dict.fromkeys(text for own in clips["texts"] for text in own))
    places = {text: place for place, text in enumerate(texts)}
    options = tuple(tuple(places[text] for text in own) for own in clips["texts"])
    apart = (clips["split"] == VALIDATION).to_numpy()
    if not apart.any():
        apart = held_out(clips, recipe.validation.share, recipe.seed)
    numbers: Sequence[NDArray[np.int64]] = (np.flatnonzero(~apart), np.flatnonzero(apart))
    return Captioned(clips.drop(columns="texts"), texts, options, *numbers)
