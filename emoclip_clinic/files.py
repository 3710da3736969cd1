"""Atomic writing and content hashes: what makes every stage safe to kill and to repeat."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoclip_clinic.errors import StudyError
from emoclip_clinic.locks import lock

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TIME_DIGITS", "atomic_path", "given", "make_folder", "require_writable", "sha256_bytes",
    "sha256_file", "shell_word", "study_option", "write_bytes", "write_csv", "write_json",
]  # fmt: skip

CHUNK_BYTES = 1 << 20
TIME_DIGITS = 6
"""Decimals of seconds in tables: what arithmetic adds behind them, no container can know."""


@contextlib.contextmanager
def atomic_path(path: Path, *, private: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The temporary file is synced to disk and renamed, so that `path` is at every moment either the
    old file or the whole new one, whatever kills the process. What a kill leaves, `.NAME.tmp`, is
    taken over by the next process that writes NAME.

    Parameters
    ----------
    path
        The file; folders that it needs are made.
    private
        Whether only the owner may read it; its group, too, in a folder that is marked as the
        group's (set-group-ID). Otherwise, as the process makes files.

    Raises
    ------
    StudyError
        The folder is read-only, the disk is full, or the path cannot be made.
    """
    try:
        make_folder(path.parent)
        with _temporary(path) as temporary:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(_private(path.parent) if private else 0o666 & ~_umask())
            temporary.replace(path)
    except OSError as error:
        raise StudyError(
            f"cannot write {path}: {error.strerror or error}. Nothing was changed; make the folder "
            "writable and free some space, then run the same command again."
        ) from error


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Give a file beside `path` that no other process writes; where the block fails, remove it."""
    temporary = path.with_name(f".{path.name[:80]}.tmp")
    handle = lock(temporary)
    if handle is None:
        other, name = tempfile.mkstemp(dir=path.parent, prefix=f"{temporary.stem}.", suffix=".tmp")
        os.close(other)
        temporary = Path(name)
    try:
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone.

    Below a folder that is marked as its group's (set-group-ID), for the group, too.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if _is_of_group(path.parent):
        path.chmod(0o2770)


def require_writable(folder: Path) -> None:
    """Check that files can be written in a folder, before work that would be lost.

    Nothing of the check stays there.

    Raises
    ------
    StudyError
        The folder, or the disk that it lies on, can only be read.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StudyError(
            f"cannot write in {folder}: {error.strerror or error}. Nothing was done; make the "
            "folder writable and free some space, or copy it to where you may write, then run the "
            "same command again."
        ) from error


def _is_of_group(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_ISGID)


def _private(folder: Path) -> int:
    return 0o660 if _is_of_group(folder) else 0o600


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


def shell_word(path: Path) -> str:
    """Write a path as it is typed in a command: quoted, and never taken for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def given(**options: object) -> str:
    """Write options as they are typed behind a command.

    Left out is what was not given, and what is no text: a notebook's own objects.
    """
    words = [
        f" --{name} {shlex.quote(str(one))}"
        for name, value in options.items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
        if isinstance(one, (str, Path))
    ]
    return "".join(words)


def study_option(study: Path) -> str:
    """Write what names a study behind a command; nothing where it is the current folder."""
    return f" --study {shell_word(study)}" if study != Path() else ""


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
