"""The file that a training goes on from: all of its state, written atomically."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from emoclip_clinic.errors import EncoderError
from emoclip_clinic.files import atomic_path

__all__ = ["read_state", "write_state"]

Key = Mapping[str, str | int | float | bool]


def write_state(path: Path, key: Key, state: dict[str, Any]) -> None:
    """Write a state, and the key of what it belongs to.

    Raises
    ------
    StudyError
        The disk is full or the folder read-only; the file before it stays as it is.
    """
    try:
        with atomic_path(path) as temporary:
            torch.save({"key": dict(key), "state": state}, temporary)
    except RuntimeError as error:
        # what torch makes of a full disk, in words of its own
        raise EncoderError(
            f"cannot write {path}: {str(error).splitlines()[0]}. The last state that was written "
            "stays; free some space, and the same command goes on from there."
        ) from error


def read_state(path: Path, key: Key) -> dict[str, Any] | None:
    """Read a state; None if there is no file.

    Raises
    ------
    EncoderError
        It is damaged, or belongs to another training: the message says what differs.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, state = content["key"], content["state"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError) as error:
        raise EncoderError(
            f"{path} cannot be read ({str(error).splitlines()[0][:200]}). --restart begins again."
        ) from error
    changed = [
        f"{name} was {found.get(name, 'absent')}, is {key.get(name, 'absent')}"
        for name in sorted(found.keys() | key.keys())
        if found.get(name) != key.get(name)
    ]
    if changed:
        raise EncoderError(
            f"{path.parent} holds a training that was begun in another way: {'; '.join(changed)}. "
            "Give another folder (--output), or begin again with --restart."
        )
    return dict(state)
