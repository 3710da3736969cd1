"""Embeddings of the frames of each window, before the temporal layers: a file a recording.

They lie beside the vectors, in features/<encoder>/frames/, for models that tune these layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emoclip_clinic import features as vectors
from emoclip_clinic import tensors
from emoclip_clinic.errors import StudyError
from emoclip_clinic.features import RecordingFeatures

__all__ = ["frames_path", "padded", "read_frames", "read_key", "write_frames"]

TENSOR = "frames"

Frames = npt.NDArray[np.float32]


def frames_path(folder: Path, recording: str) -> Path:
    """Name a recording's file in an encoder's folder of features."""
    return folder / "frames" / f"{recording}.safetensors"


def padded(windows: Sequence[Frames], dim: int) -> Frames:
    """Put windows of different lengths (time, dim) into one tensor, NaN after the last frame.

    Returns
    -------
    float32 (n_windows, longest time, dim)
    """
    longest = max((len(window) for window in windows), default=0)
    whole = np.full((len(windows), longest, dim), np.nan, dtype=np.float32)
    for row, window in zip(whole, windows, strict=True):
        row[: len(window)] = window
    return whole


def write_frames(folder: Path, features: RecordingFeatures, key: str) -> Path:
    """Write a recording's frames into an encoder's folder of features; give the file.

    Parameters
    ----------
    folder
        features/<encoder>/.
    features
        What was encoded, its frames kept.
    key
        As for `features.write`.

    Raises
    ------
    StudyError
        The frames were not kept, or are not those of the windows.
    """
    frames = features.frames
    if frames is None or frames.ndim != 3 or len(frames) != len(features.vectors):
        raise StudyError(
            f"frames of {features.recording}: allowed is (windows, time, dim), a row for each of "
            f"{len(features.vectors)} windows. Run 'emoclip-clinic encode --frames' again."
        )
    notes = {name: getattr(features, name) for name in ("recording", "encoder", "fingerprint")}
    path = frames_path(folder, features.recording)
    tensors.write_tensor(path, TENSOR, frames, {**notes, "key": key})
    return path


def read_key(path: Path) -> str | None:
    """Read the key a file was written with; None where there is no whole, unchanged file."""
    return tensors.read_key(path, TENSOR)


def read_frames(folder: Path, recordings: Iterable[str]) -> Frames:
    """Read the frames of several recordings, in the order given.

    Parameters
    ----------
    folder
        features/<encoder>/.
    recordings
        Their ids.

    Returns
    -------
    float32 (n_windows, longest time, dim)
        NaN after a window's last frame.

    Raises
    ------
    StudyError
        A recording's file is absent, damaged, or was not made with the vectors beside it.
    """
    every = [_read(folder, name) for name in recordings]
    longest = max(one.shape[1] for one in every)
    return np.concatenate([_lengthened(one, longest) for one in every])


def _lengthened(frames: Frames, longest: int) -> Frames:
    missing = [(0, 0), (0, longest - frames.shape[1]), (0, 0)]
    return np.pad(frames, missing, constant_values=np.nan)


def _read(folder: Path, recording: str) -> Frames:
    again = "Run 'emoclip-clinic encode FOLDER --frames', which encodes the recordings that lack it"
    path = frames_path(folder, recording)
    if not path.is_file():
        raise StudyError(
            f"the frames of {recording} were not kept ({path} is absent), and this model tunes the "
            f"layers that take them. {again}, or choose another model, such as head."
        )
    try:
        notes, frames = tensors.read_tensor(path, TENSOR)
    except tensors.UNREADABLE as error:
        raise StudyError(
            f"{path} cannot be read as frames ({error}). Delete it. {again}."
        ) from error
    if notes.get("key") != vectors.read_key(folder / f"{recording}.safetensors"):
        raise StudyError(f"{path} was not made with the vectors of {recording}. {again}.")
    return frames
