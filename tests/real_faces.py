"""Faces of the real recordings, cut as the encoder takes them, for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from emoclip_clinic.video.faces import Haar, crop_square, largest
from emoclip_clinic.video.isolated import read_frames, timestamps

__all__ = ["real_faces"]

RECORDINGS = ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov")


def real_faces(shared: Path, size: int, n: int = 8) -> npt.NDArray[np.uint8]:
    """Take n frames of each recording: the faces in them, (faces, size, size, 3)."""
    finder, crops = Haar(), []
    for name in RECORDINGS:
        path = shared / "videos" / name
        times_s = timestamps(path)
        chosen = np.linspace(0, len(times_s) - 1, n).astype(int)
        for frame in read_frames(path, chosen, times_s=times_s):
            box = largest(finder.find(frame))
            if box is not None:
                crops.append(crop_square(frame, box, 0.2, size))
    return np.stack(crops)
