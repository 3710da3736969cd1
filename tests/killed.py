"""Have a process kill itself at any change that it makes in a folder, and look at what is left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from emoclip_clinic.files import sha256_file

__all__ = ["content", "kill_before"]

NOT_COMPARED = ("cache/hashes.json", "cache/.hashes.json.tmp", "cache/matplotlib/", ".lock")
"""The times of files, what matplotlib keeps of this machine, and who was the last to work."""
CHANGES = ("os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate")


def kill_before(place: Path, last: int) -> list[str]:
    """Count, from now on, the changes that this process makes in a folder.

    Before the last-th of them it kills itself, so that no clock decides how far it had come; 0:
    never. Gives the list of the changes, which grows.
    """
    root, changes = f"{place.absolute()}{os.sep}", list[str]()

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if _changes_something(event, given) and _is_inside(root, event, given):
            changes.append(event)
            if len(changes) == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return changes


def _changes_something(event: str, given: tuple[Any, ...]) -> bool:
    if event == "open":
        # a file that is open already was counted when it was opened
        return not isinstance(given[0], int) and bool(given[2] & (os.O_WRONLY | os.O_RDWR))
    return event in CHANGES


def _is_inside(root: str, event: str, given: tuple[Any, ...]) -> bool:
    # a file that is open already, or a name as `rmtree` sees it from a folder that it has open
    if isinstance(given[0], int) or (event in ("os.remove", "os.rmdir") and given[1] != -1):
        return True
    names = [os.fsdecode(one) for one in given[:2] if isinstance(one, str | bytes)]
    return any(str(Path(name).absolute()).startswith(root) for name in names)


def content(study: Path) -> dict[str, str]:
    """Hash every file of a study but those that no two runs have in common."""
    names = {path.relative_to(study).as_posix(): path for path in study.rglob("*")}
    return {
        name: sha256_file(path)
        for name, path in sorted(names.items())
        if path.is_file() and not name.startswith(NOT_COMPARED)
    }
