"""Atomic writing and content hashes: what makes every stage safe to kill and to repeat."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoclip_clinic.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["atomic_path", "sha256_bytes", "sha256_file", "write_bytes", "write_csv", "write_json"]

CHUNK_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The temporary file is synced to disk and renamed, so that `path` is at every moment either the
    old file or the whole new one, whatever kills the process.

    Raises
    ------
    StudyError
        The folder is read-only, the disk is full, or the path cannot be made.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise StudyError(
            f"cannot write {path}: {error.strerror or error}. Nothing was changed; make the folder "
            "writable and free some space, then run the same command again."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    # the mask can only be read by setting it
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table atomically: UTF-8, Unix line ends, floats at full precision, no index."""
    write_bytes(path, table.to_csv(index=False, lineterminator="\n").encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal content means equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits, in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
