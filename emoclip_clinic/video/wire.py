"""What a decoder's process and its user say to each other: JSON and arrays, never code.

A message is two lengths (of the JSON, of the array's bytes), the JSON, and the array. Nothing is
unpickled: whatever a hostile recording makes of the process that reads it, it can only send data.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

__all__ = ["Message", "WireError", "receive", "send"]

LENGTHS = struct.Struct("<IQ")
TYPES = {"uint8": np.uint8, "int64": np.int64, "float64": np.float64}
"""Pixels, indices, times."""


class WireError(Exception):
    """The pipe ended, or what came through it is no message."""


@dataclass(frozen=True, eq=False)
class Message:
    """One order or answer."""

    kind: str
    """What it is, such as "frame"."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What JSON can hold."""
    array: npt.NDArray[Any] | None = None
    """uint8, int64 or float64."""

    @property
    def n_bytes(self) -> int:
        """Size of the array."""
        return 0 if self.array is None else self.array.nbytes


def send(pipe: BinaryIO, message: Message) -> None:
    """Write a message and flush."""
    array = message.array
    layout = None if array is None else [str(array.dtype), list(array.shape)]
    head = json.dumps([message.kind, message.facts, layout]).encode()
    pipe.write(LENGTHS.pack(len(head), message.n_bytes) + head)
    if array is not None:
        pipe.write(np.ascontiguousarray(array).data)
    pipe.flush()


def receive(pipe: BinaryIO) -> Message:
    """Wait for a message.

    Raises
    ------
    WireError
        The other side is gone, or does not keep to the form.
    """
    n_head, n_array = LENGTHS.unpack(_exactly(pipe, LENGTHS.size))
    try:
        kind, facts, layout = json.loads(_exactly(pipe, n_head))
        if layout is None:
            return Message(str(kind), dict(facts))
        name, shape = layout
        array = np.empty(shape, TYPES[name])
    except (ValueError, TypeError, KeyError) as error:
        raise WireError("what came is no message") from error
    if array.nbytes != n_array:
        raise WireError("an array has another size than said")
    if n_array:
        _fill(pipe, array.data.cast("B"))
    return Message(str(kind), dict(facts), array)


def _exactly(pipe: BinaryIO, n: int) -> bytes:
    content = pipe.read(n)
    if len(content) != n:
        raise WireError("the pipe ended")
    return content


def _fill(pipe: BinaryIO, place: memoryview) -> None:
    done = 0
    while done < len(place):
        n = pipe.readinto(place[done:])  # type: ignore[attr-defined] # every pipe has it
        if not n:
            raise WireError("the pipe ended")
        done += n
