"""Feature vectors of windows: one safetensors file a recording, and tables over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic import tensors
from emoclip_clinic.errors import StudyError
from emoclip_clinic.flags import MEASURED_COLUMNS
from emoclip_clinic.quality import WINDOW_COLUMNS
from emoclip_clinic.segments import SEGMENT_COLUMNS
from emoclip_clinic.tensors import UNREADABLE, read_tensor, write_tensor

__all__ = [
    "FeatureTable",
    "RecordingFeatures",
    "read",
    "read_folder",
    "read_key",
    "segments_table",
    "write",
]

TENSOR = "vectors"
TEXTS = ("recording", "encoder", "fingerprint", "notice")
SEGMENT_TYPES = {
    "recording": "str",
    "window": "int64",
    "start_s": "float64",
    "stop_s": "float64",
    "n_frames": "int64",
    "face_fraction": "float64",
    "padded": "bool",
    "status": "str",
    "reason": "str",
}
WINDOW_TYPES = {
    **dict.fromkeys(WINDOW_COLUMNS, "float64"),
    **{name: SEGMENT_TYPES[name] for name in ("recording", "window", "status")},
}

Vectors = npt.NDArray[np.float32]


def _no_quality() -> pd.DataFrame:
    return pd.DataFrame(columns=list(MEASURED_COLUMNS))


def _no_windows() -> pd.DataFrame:
    return pd.DataFrame(columns=list(WINDOW_COLUMNS))


@dataclass(frozen=True)
class RecordingFeatures:
    """Everything that encoding a recording gives."""

    recording: str
    """Its id."""
    encoder: str
    """Name of the encoder."""
    fingerprint: str
    """SHA-256 of the encoder's weights."""
    segments: pd.DataFrame
    """One row a window, used or excluded: SEGMENT_COLUMNS."""
    vectors: Vectors
    """float32 (used windows, dim), in the order of the rows whose status is "used"."""
    quality: pd.DataFrame = field(default_factory=_no_quality)
    """Tidy measures of the recording: flags.MEASURED_COLUMNS; `flags.flagged` says which warn."""
    notice: str = ""
    """What must be said wherever these features are used; mostly empty."""
    window_quality: pd.DataFrame = field(default_factory=_no_windows)
    """Measures of each window, one row a row of `segments`: WINDOW_COLUMNS."""
    final: bool = True
    """False where another run may find more in the same recording; it is not written."""
    frames: Vectors | None = None
    """Embeddings of the frames of `vectors`, if they were to be kept: see `frames`."""


@dataclass(frozen=True)
class FeatureTable:
    """The used windows of several recordings."""

    segments: pd.DataFrame
    """One row a used window: SEGMENT_COLUMNS, in the order of `vectors`."""
    vectors: Vectors
    """float32 (windows, dim)."""
    encoder: str
    """Name of the encoder."""
    fingerprint: str
    """SHA-256 of the encoder's weights."""
    notice: str = ""
    """What must be said wherever these features are used; mostly empty."""


def write(path: Path, features: RecordingFeatures, key: str = "") -> None:
    """Write one recording's features atomically; equal content gives equal bytes.

    Parameters
    ----------
    path
        `<recording>.safetensors`.
    features
        What to write.
    key
        What the features were made from, in a hash: `read_key` gives it back, so that a stage sees
        whether they are still fresh.

    Raises
    ------
    StudyError
        A vector is not finite, shapes and segments do not match, or the file cannot be written.
    """
    _check(features, path)
    notes = {
        **{name: getattr(features, name) for name in TEXTS},
        "key": key,
        "segments": _rows(features.segments),
        "quality": _rows(features.quality),
        "window_quality": _rows(features.window_quality),
    }
    write_tensor(path, TENSOR, features.vectors, notes)


def read(path: Path) -> RecordingFeatures:
    """Read what `write` wrote.

    Raises
    ------
    StudyError
        The file is absent, damaged or not of this kind.
    """
    try:
        notes, vectors = read_tensor(path, TENSOR)
        features = RecordingFeatures(
            **{name: notes[name] for name in TEXTS},
            segments=_table(notes["segments"], SEGMENT_COLUMNS).astype(SEGMENT_TYPES),
            vectors=vectors,
            quality=_measured(notes["quality"]),
            window_quality=_table(notes["window_quality"], WINDOW_COLUMNS).astype(WINDOW_TYPES),
        )
    except UNREADABLE as error:
        raise StudyError(
            f"{path} cannot be read as features ({error}). Delete it and run "
            "'emoclip-clinic encode' again."
        ) from error
    _check(features, path)
    return features


def read_key(path: Path) -> str | None:
    """Read the key a file was written with; None where there is no whole, unchanged file."""
    return tensors.read_key(path, TENSOR)


def segments_table(folder: Path, recordings: Iterable[str]) -> pd.DataFrame:
    """Rows of every window, used or excluded, of the recordings that have been encoded."""
    parts = [read(path).segments for path in _existing(folder, recordings)]
    return pd.concat(parts, ignore_index=True) if parts else _table([], SEGMENT_COLUMNS)


def read_folder(folder: Path, recordings: Iterable[str]) -> FeatureTable:
    """Read the used windows of several recordings, in the order given; those without are skipped.

    Raises
    ------
    StudyError
        There is none at all, or they were made by different encoders.
    """
    names = list(recordings)
    if not names:
        raise StudyError(
            "no recording is both usable and wanted here: see status and reason in recordings.csv, "
            "and compare its participants and sessions with those of the ratings."
        )
    every = [read(path) for path in _existing(folder, names)]
    if not every:
        raise StudyError(
            f"{folder} holds no features of these recordings. Run 'emoclip-clinic encode' first."
        )
    if len({(one.fingerprint, one.vectors.shape[1]) for one in every}) > 1:
        raise StudyError(
            f"{folder} holds features of different weights under one name. "
            "Run 'emoclip-clinic encode' again."
        )
    used = [one.segments[one.segments["status"] == "used"] for one in every]
    return FeatureTable(
        segments=pd.concat(used, ignore_index=True),
        vectors=np.concatenate([one.vectors for one in every]),
        encoder=every[0].encoder,
        fingerprint=every[0].fingerprint,
        notice=every[0].notice,
    )


def _existing(folder: Path, recordings: Iterable[str]) -> list[Path]:
    paths = [folder / f"{recording}.safetensors" for recording in recordings]
    return [path for path in paths if path.is_file()]


def _check(features: RecordingFeatures, path: Path) -> None:
    table, vectors = features.segments, features.vectors
    problems = []
    if list(table.columns) != list(SEGMENT_COLUMNS):
        problems.append(f"the segments' columns are {', '.join(table.columns)}")
    elif vectors.ndim != 2 or len(vectors) != int((table["status"] == "used").sum()):
        problems.append(f"vectors of shape {vectors.shape} do not match the used segments")
    if not np.isfinite(vectors).all():
        problems.append("a vector holds a value that is not a finite number")
    if problems:
        raise StudyError(f"features of {path.name}: {'; '.join(problems)}.")


def _rows(table: pd.DataFrame) -> list[list[Any]]:
    # plain Python values, a missing number as None: JSON has no NaN
    values = table.astype(object).where(table.notna(), None)
    return [list(row) for row in values.itertuples(index=False)]


def _measured(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    # some files have a flag before the note, as it was decided when they were written
    plain = [(*row[:4], row[-1]) for row in rows]
    return _table(plain, MEASURED_COLUMNS).astype({"value": "float64"})


def _table(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))
