"""Drawn clips as folders of frames, as datasets are released."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["write_frames"]


def write_frames(folder: Path, frames: NDArray[np.uint8]) -> None:
    """Write frames (time, height, width, 3) RGB as folder/000.png, folder/001.png, ..."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        encoded = cv2.imencode(".png", frame[:, :, ::-1])[1]
        (folder / f"{number:03d}.png").write_bytes(encoded.tobytes())
