"""Who is at work: locks on files, which end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from emoclip_clinic.errors import StudyError

if sys.platform != "win32":
    import fcntl

__all__ = ["hold", "lock"]

LOCK_FILE = ".lock"
# folders that this process holds: a stage may run another
_held: set[Path] = set()


def lock(path: Path) -> int | None:
    """Open and lock a file as long as its handle is open; None if another process has it.

    On Windows, and on network folders without locks, nobody can say whether another process is
    there: on Windows the answer is None, on such folders it is as if nobody were.
    """
    if sys.platform == "win32":
        return None
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(handle), path.stat())
    except (BlockingIOError, FileNotFoundError):
        # it is being written, or was just renamed into its place
        ours = False
    except OSError:
        ours = True
    if ours:
        return handle
    os.close(handle)
    return None


@contextlib.contextmanager
def hold(folder: Path, work: str) -> Iterator[None]:
    """Hold a folder as long as the block lasts, so that no other process works in it.

    Parameters
    ----------
    folder
        Of a study.
    work
        What is done ("encode"), for the message that another process gives.

    Raises
    ------
    StudyError
        Another process holds it; the message says which, where and since when.
    """
    place, file = folder.resolve(), folder / LOCK_FILE
    if place in _held or sys.platform == "win32" or not os.access(folder, os.W_OK):
        # a folder that cannot be written is only read
        yield
        return
    handle = lock(file)
    if handle is None:
        raise StudyError(f"{folder} is in use: {_holder(file)} Wait until it is done, or stop it.")
    _held.add(place)
    try:
        # what a kill left is longer, or not
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(_us(work)).encode())
        yield
    finally:
        os.ftruncate(handle, 0)
        _held.discard(place)
        os.close(handle)


def _us(work: str) -> dict[str, str | int]:
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    return {"work": work, "process": os.getpid(), "machine": platform.node(), "since": since}


def _holder(file: Path) -> str:
    try:
        other = json.loads(file.read_text(encoding="utf-8"))
        return "'{work}' works there, process {process} on {machine}, since {since}.".format(
            **other
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another process works there."
