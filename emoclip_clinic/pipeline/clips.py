"""What every stage on datasets of clips does: look into a clip, and read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.clips import count_frames, list_images, n_missing, read_clip

__all__ = ["examine"]

SAMPLES = 3
"""Frames that are decoded of a clip that is only glanced at."""


def examine(path: Path, *, every_frame: bool = False) -> tuple[int, str, str]:
    """Open a clip and decode its first, middle and last frame, or all.

    Returns
    -------
    n_frames
        0 where it cannot be used.
    reason
        Why it cannot be used; empty if it can.
    remark
        What there is to know, such as gaps in the frames' numbers; mostly empty.
    """
    if not path.exists():
        return 0, "missing: there is no such folder or video", ""
    try:
        n_frames = count_frames(path)
        spread = np.linspace(0, n_frames - 1, n_frames if every_frame else SAMPLES).round()
        if path.is_dir():
            read_clip(path, sorted({int(position) for position in spread}))
    except RecordingError as error:
        return 0, str(error), ""
    gaps = n_missing(list_images(path)) if path.is_dir() else 0
    return n_frames, "", f"{gaps} numbers between its frames are missing" if gaps else ""
