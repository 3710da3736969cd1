"""Feature vectors of windows: one safetensors file a recording, and tables over all of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import sha256_bytes, write_bytes
from emoclip_clinic.quality import WINDOW_COLUMNS
from emoclip_clinic.segments import SEGMENT_COLUMNS

__all__ = [
    "QUALITY_COLUMNS",
    "FeatureTable",
    "RecordingFeatures",
    "read",
    "read_folder",
    "read_key",
    "segments_table",
    "write",
]

QUALITY_COLUMNS = ("recording", "measure", "value", "unit", "flag", "note")
"""Columns of quality.csv; `flag` is "ok" or "warn"."""

NOTES = "emoclip-clinic"
"""The entry of the file's metadata that holds everything but the vectors, as JSON."""
TENSOR = "vectors"
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
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
    return pd.DataFrame(columns=list(QUALITY_COLUMNS))


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
    """Tidy measures of the recording: QUALITY_COLUMNS."""
    notice: str = ""
    """What must be said wherever these features are used; mostly empty."""
    window_quality: pd.DataFrame = field(default_factory=_no_windows)
    """Measures of each window, one row a row of `segments`: WINDOW_COLUMNS."""
    final: bool = True
    """False where another run may find more in the same recording; it is not written."""


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
    vectors = np.ascontiguousarray(features.vectors, dtype="<f4")
    notes = {
        **{name: getattr(features, name) for name in TEXTS},
        "key": key,
        "segments": _rows(features.segments),
        "quality": _rows(features.quality),
        "window_quality": _rows(features.window_quality),
        "shape": list(vectors.shape),
    }
    notes["sha256"] = _checksum(notes, vectors.tobytes())
    header = {
        "__metadata__": {NOTES: json.dumps(notes, sort_keys=True, ensure_ascii=False)},
        TENSOR: _tensor(notes["shape"], vectors.nbytes),
    }
    # the format is a length, a JSON header padded to 8 bytes, and the bytes of the tensor
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, struct.pack("<Q", len(text)) + text + vectors.tobytes())


def read(path: Path) -> RecordingFeatures:
    """Read what `write` wrote.

    Raises
    ------
    StudyError
        The file is absent, damaged or not of this kind.
    """
    try:
        notes, content = _parts(path)
        vectors = np.frombuffer(content, dtype="<f4").reshape(notes["shape"])
        features = RecordingFeatures(
            **{name: notes[name] for name in TEXTS},
            segments=_table(notes["segments"], SEGMENT_COLUMNS).astype(SEGMENT_TYPES),
            vectors=vectors.astype(np.float32),
            quality=_table(notes["quality"], QUALITY_COLUMNS).astype({"value": "float64"}),
            window_quality=_table(notes["window_quality"], WINDOW_COLUMNS).astype(WINDOW_TYPES),
        )
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise StudyError(
            f"{path} cannot be read as features ({error}). Delete it and run "
            "'emoclip-clinic encode' again."
        ) from error
    _check(features, path)
    return features


def read_key(path: Path) -> str | None:
    """Read the key a file was written with; None where there is no whole, unchanged file."""
    try:
        return str(_parts(path)[0]["key"])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


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


def _table(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read the notes and the bytes of the tensor, and check that they are what was written."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER_BYTES:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(length))
        content = file.read()
    notes = json.loads(header["__metadata__"][NOTES])
    written = notes.pop("sha256")
    if _checksum(notes, content) != written:
        raise ValueError("its checksum is wrong")
    if header[TENSOR] != _tensor(notes["shape"], len(content)):
        raise ValueError("its header is damaged")
    return notes, content


def _tensor(shape: list[int], n_bytes: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, n_bytes]}


def _checksum(notes: dict[str, Any], content: bytes) -> str:
    return sha256_bytes(json.dumps(notes, sort_keys=True).encode() + content)
