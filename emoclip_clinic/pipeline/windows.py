"""Windows of a training's clips: frames as they are, or the face in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from emoclip_clinic import weights as store
from emoclip_clinic.encoder.crops import FaceLog, face_crops, largest_face
from emoclip_clinic.encoder.encode import FEW_FACES
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.pipeline.clips import examine
from emoclip_clinic.training.clips import ReadWindow
from emoclip_clinic.training.recipe import Recipe
from emoclip_clinic.training.zeroshot import Frame
from emoclip_clinic.video.clips import read_clip
from emoclip_clinic.video.faces import load_face_finder

__all__ = ["looker", "window_reader"]

CENTRE = 0.5
PROTOCOL = EncodingProtocol()
"""Its margin and its bridge over gaps are those of recordings that are encoded."""

CutFaces = Callable[[list[Frame]], list[Frame]]


def window_reader(
    recipe: Recipe, n_frames: Mapping[str, int], size: int, weights: Path | None
) -> ReadWindow:
    """Make what reads a clip's window.

    Where faces are cut out, a window with a face in less than half of its frames gives way to the
    one at the centre; frames without a face are left out, and the others' reflection is put behind
    them.

    Parameters
    ----------
    recipe
        Which frames, and how faces are found.
    n_frames
        Of each clip, by its path.
    size
        Height and width of a crop, px.
    weights
        Folder of the face detector's weights.
    """
    cut = _face_cutter(recipe, size, weights)

    def read(path: Path, start: float) -> list[Frame]:
        window = recipe.clips.window(n_frames[str(path)], start).tolist()
        frames = read_clip(path, window)
        try:
            return cut(frames)
        except RecordingError:
            if start == CENTRE:
                raise
            return read(path, CENTRE)

    return read


def looker(recipe: Recipe, size: int, weights: Path | None) -> Callable[[Path], tuple[int, str]]:
    """Make what opens a clip: all its frames decode, and faces are in the window at its centre."""
    cut = _face_cutter(recipe, size, weights)

    def look(path: Path) -> tuple[int, str]:
        n_found, reason, _ = examine(path, every_frame=True)
        if reason or recipe.faces == "none":
            return n_found, reason
        try:
            cut(read_clip(path, recipe.clips.window(n_found, CENTRE).tolist()))
        except RecordingError as error:
            return 0, str(error)
        return n_found, ""

    return look


def _face_cutter(recipe: Recipe, size: int, weights: Path | None) -> CutFaces:
    if recipe.faces == "none":
        return lambda frames: frames
    detector = store.path("yunet", weights) if recipe.faces == "yunet" else None
    watch, turn = largest_face(load_face_finder(recipe.faces, detector)), threading.Lock()

    def cut(frames: list[Frame]) -> list[Frame]:
        with turn:  # a detector looks at one frame at a time
            found = face_crops(enumerate(frames), watch, PROTOCOL, size, FaceLog(len(frames)))
            crops = [crop.pixels for crop in found]
        if len(crops) < PROTOCOL.min_face_fraction * len(frames):
            raise RecordingError(FEW_FACES)
        places = np.pad(np.arange(len(crops)), (0, len(frames) - len(crops)), mode="reflect")
        return [crops[place] for place in places]

    return cut
