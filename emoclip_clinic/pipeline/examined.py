"""Clips that were opened once: a training that goes on does not open them all again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.errors import AGAIN
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.embeddings import clip_state
from emoclip_clinic.study import digest

__all__ = ["examine_clips"]


Look = Callable[[Path], tuple[int, str]]
"""A clip's path to its number of frames, 0 where it cannot be used, and why it cannot."""


def examine_clips(clips: pd.DataFrame, look: Look, kept: Path, progress: Progress) -> pd.DataFrame:
    """Look at every clip, or take what an earlier run found of a file unchanged.

    What failed for a reason that may pass is looked at again.

    Parameters
    ----------
    clips
        Column path, each once.
    look
        Opens a clip.
    kept
        A CSV of what was found, of the same way to look.
    progress
        Told of clips.

    Returns
    -------
    DataFrame
        The clips, with n_found (frames; 0 where it cannot be used) and reason.
    """
    known: dict[str, tuple[int, str]] = {}
    if kept.is_file():
        table = pd.read_csv(kept, keep_default_na=False)
        table = table[~table["reason"].str.contains(AGAIN, regex=False)]
        found = zip(table["n_found"], table["reason"], strict=True)
        known = dict(zip(table["state"], found, strict=True))
    rows = []
    for done, path in enumerate(map(Path, clips["path"]), start=1):
        state = digest([str(path), clip_state(path)])
        n_found, reason = known[state] if state in known else look(path)
        rows.append((state, n_found, reason))
        progress("opening clips", done, len(clips))
    seen = pd.DataFrame(rows, columns=["state", "n_found", "reason"])
    files.write_csv(kept, seen)
    return pd.concat([clips.reset_index(drop=True), seen[["n_found", "reason"]]], axis=1)
