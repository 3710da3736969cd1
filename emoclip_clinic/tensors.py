"""One tensor with notes in a safetensors file: equal content gives equal bytes, damage is seen."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emoclip_clinic.files import sha256_bytes, write_bytes

__all__ = ["UNREADABLE", "read_key", "read_tensor", "write_tensor"]

NOTES = "emoclip-clinic"
"""The entry of the file's metadata that holds everything but the tensor, as JSON."""
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, struct.error)
"""What `read_tensor` raises where a file is absent, damaged or of another kind."""

Tensor = npt.NDArray[np.float32]


def write_tensor(path: Path, name: str, tensor: Tensor, notes: dict[str, Any]) -> None:
    """Write a float32 tensor and its notes atomically.

    Raises
    ------
    StudyError
        The file cannot be written.
    """
    tensor = np.ascontiguousarray(tensor, dtype="<f4")
    notes = {**notes, "shape": list(tensor.shape)}
    notes["sha256"] = _checksum(notes, tensor.tobytes())
    header = {
        "__metadata__": {NOTES: json.dumps(notes, sort_keys=True, ensure_ascii=False)},
        name: _entry(notes["shape"], tensor.nbytes),
    }
    # the format is a length, a JSON header padded to 8 bytes, and the bytes of the tensor
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, struct.pack("<Q", len(text)) + text + tensor.tobytes())


def read_tensor(path: Path, name: str) -> tuple[dict[str, Any], Tensor]:
    """Read notes and tensor, and check that they are what was written.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, struct.error
        `UNREADABLE`: the file is absent, damaged or of another kind.
    """
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
    if header[name] != _entry(notes["shape"], len(content)):
        raise ValueError("its header is damaged")
    return notes, np.frombuffer(content, dtype="<f4").reshape(notes["shape"]).astype(np.float32)


def read_key(path: Path, name: str) -> str | None:
    """Read the note "key"; None where there is no whole, unchanged file."""
    try:
        return str(read_tensor(path, name)[0]["key"])
    except UNREADABLE:
        return None


def _entry(shape: list[int], n_bytes: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [0, n_bytes]}


def _checksum(notes: dict[str, Any], content: bytes) -> str:
    return sha256_bytes(json.dumps(notes, sort_keys=True).encode() + content)
