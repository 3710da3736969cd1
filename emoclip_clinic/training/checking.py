"""Whether a dataset's clips are there, whole and told apart, before hours go into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.training.datasets import Dataset

__all__ = ["GARBLED", "check", "leaks", "overview", "usable"]

Examine = Callable[[Path], tuple[int, str, str]]
"""A clip's path to its number of frames, why it cannot be used, and what to know of it."""
Progress = Callable[[str, int, int], None]

STAGE = "datasets"
GARBLED = "its caption holds letters that no encoding has: the list was saved wrongly"
# what a decoder puts for a letter it does not know, and C1 controls, which no caption has
NO_LETTERS = "\ufffd" + "".join(map(chr, range(0x80, 0xA0)))


def check(
    dataset: Dataset, examine: Examine, progress: Progress = lambda what, done, total: None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Look at every clip of a dataset, each folder or video once.

    Parameters
    ----------
    dataset
        From `read_dataset`.
    examine
        Opens a clip.
    progress
        Called with "clips", how many are done, and of how many.

    Returns
    -------
    clips
        The dataset's clips with the columns found (frames, 0 where it cannot be used), reason
        (empty where it can be used) and remark.
    exclusions
        stage, unit ("clip", "list", "caption", "fold"), id, reason.
    """
    paths = dataset.clips["path"].unique()
    found: dict[str, tuple[int, str, str]] = {}
    for done, path in enumerate(paths, start=1):
        found[path] = examine(Path(path))
        progress("clips", done, len(paths))
    seen = pd.DataFrame([found[path] for path in dataset.clips["path"]])
    seen.columns = pd.Index(["found", "reason", "remark"])[: seen.shape[1]]
    clips = pd.concat([dataset.clips, seen], axis=1).reindex(
        columns=[*dataset.clips.columns, "found", "reason", "remark"]
    )
    table = exclusion_table([*_unusable(clips), *_captions(clips), *_repeats(clips), *leaks(clips)])
    return clips, pd.concat([dataset.exclusions, table], ignore_index=True)


def usable(clips: pd.DataFrame) -> pd.DataFrame:
    """Keep the clips, as `check` gives them, that can be used."""
    return clips[clips["reason"] == ""].reset_index(drop=True)


def overview(clips: pd.DataFrame) -> pd.DataFrame:
    """Count the clips of each split of each fold.

    Returns
    -------
    DataFrame
        fold (empty: none), split, clips, usable, classes, captions, participants.
    """
    rows = [
        (
            fold,
            split,
            len(part),
            int((part["reason"] == "").sum()),
            part.loc[part["label"] != "", "label"].nunique(),
            int((part["caption"] != "").sum()),
            part.loc[part["participant"] != "", "participant"].nunique(),
        )
        for (fold, split), part in clips.groupby([_fold(clips), "split"])
    ]
    columns = ["fold", "split", "clips", "usable", "classes", "captions", "participants"]
    return pd.DataFrame(rows, columns=columns)


def _unusable(clips: pd.DataFrame) -> Iterator[Exclusion]:
    lost = clips[clips["reason"] != ""].drop_duplicates("path")
    for row in lost.itertuples():
        yield Exclusion(STAGE, "clip", str(row.clip), str(row.reason))


def _captions(clips: pd.DataFrame) -> Iterator[Exclusion]:
    garbled = clips["caption"].map(lambda text: any(letter in NO_LETTERS for letter in text))
    for row in clips[garbled.astype(bool)].drop_duplicates("clip").itertuples():
        yield Exclusion(STAGE, "caption", str(row.clip), GARBLED)
    if (clips["caption"] != "").any():
        for row in clips[clips["caption"] == ""].drop_duplicates("clip").itertuples():
            yield Exclusion(STAGE, "caption", str(row.clip), "it has no caption; others have")


def _repeats(clips: pd.DataFrame) -> Iterator[Exclusion]:
    """Find the clips that a list of a fold has twice."""
    for fold, part in clips.groupby(_fold(clips)):
        name = f"fold {fold}: " if fold else ""
        for row in part[part.duplicated(["path", "split"])].itertuples():
            yield Exclusion(STAGE, "clip", str(row.clip), f"{name}listed twice in {row.split}")


def leaks(clips: pd.DataFrame) -> list[Exclusion]:
    """List the clips and participants that a fold has in several splits."""
    found = []
    for fold, part in clips.groupby(_fold(clips)):
        name = f"fold {fold}: " if fold else ""
        for unit in ("clip", "participant"):
            splits = part[part[unit] != ""].groupby(unit)["split"].unique()
            found += [
                Exclusion(STAGE, unit, str(value), f"{name}both in {' and in '.join(own)}")
                for value, own in splits[splits.map(len) > 1].items()
            ]
    return found


def _fold(clips: pd.DataFrame) -> pd.Series[str]:
    """Name each clip's fold; empty where there is none."""
    return clips["fold"].astype("string").fillna("")
