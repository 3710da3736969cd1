"""`probe`, `timestamps`, `lead_s` and `read_frames` in a process of its own, with equal results.

A crash, a hang or too much memory there costs that recording an error with its reason, and the
next recording gets a new process. Without such an accident one process serves them all.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.decoder import Decoder, Limits
from emoclip_clinic.video.probe import Probe
from emoclip_clinic.video.wire import Message

__all__ = ["Limits", "close_all", "lead_s", "probe", "read_frames", "timestamps"]

Frame = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

USUAL = Limits()
NONSENSE = "its decoder answers with nonsense"
_idle: list[Decoder] = []
_all: set[Decoder] = set()


def probe(path: Path, decode: bool = True, *, limits: Limits = USUAL) -> Probe:
    """Look into a video file, as `probe.probe`; its errors, and those of `Decoder.ask`."""
    (answer,) = _answers(Message("probe", {"path": _name(path), "decode": decode}), limits)
    try:
        places = {key: tuple(answer.facts[key]) for key in ("damage_s", "set_back_s")}
        facts = {**answer.facts, **places}
        return Probe(**facts, times_s=_array(answer))
    except (KeyError, TypeError) as error:
        raise RecordingError(NONSENSE) from error


def timestamps(path: Path, n_frames: int | None = None, *, limits: Limits = USUAL) -> FloatArray:
    """Presentation times, as `probe.timestamps`; its errors, and those of `Decoder.ask`."""
    order = Message("timestamps", {"path": _name(path), "n_frames": n_frames})
    (answer,) = _answers(order, limits)
    return _array(answer)


def lead_s(path: Path, *, limits: Limits = USUAL) -> float:
    """Seconds before the first frame, as `lead.lead_s`; its errors, and those of `Decoder.ask`."""
    (answer,) = _answers(Message("lead", {"path": _name(path)}), limits)
    try:
        return float(answer.facts["lead_s"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(NONSENSE) from error


def read_frames(
    path: Path,
    indices: Sequence[int] | npt.NDArray[np.int64],
    *,
    times_s: FloatArray | None = None,
    limits: Limits = USUAL,
) -> Iterator[Frame]:
    """Read frames one by one, as `reader.read_frames`, decoding ahead of their use.

    Yields
    ------
    numpy.ndarray
        uint8 (height, width, 3), RGB, as displayed, after rotation.

    Raises
    ------
    RecordingError
        The file cannot be read, or has fewer frames.
    DecoderError
        The process crashed or was killed, or took too long or too much memory.
    """
    # the times are the longer list: as an array they take a quarter of the memory
    facts = {"path": _name(path), "indices": np.asarray(indices, dtype=np.int64).tolist()}
    answers = _answers(Message("frames", facts, times_s), limits)
    for answer in islice(answers, max(0, len(indices) - 1)):
        yield _array(answer)
    # to the end before the last one is used: whoever has it may never ask again
    yield from [_array(answer) for answer in answers]


def _name(path: Path) -> str:
    return str(path.absolute())


def _array(answer: Message) -> npt.NDArray[Any]:
    if answer.array is None:
        raise RecordingError(NONSENSE)
    return answer.array


def _answers(order: Message, limits: Limits) -> Iterator[Message]:
    decoder = _take(limits)
    try:
        yield from decoder.ask(order)
    finally:
        if decoder.idle:
            _idle.append(decoder)
        else:
            _close(decoder)


def _take(limits: Limits) -> Decoder:
    """Give a decoder that is idle, or a new one."""
    # one at a time: threads share the list
    with contextlib.suppress(IndexError):
        while True:
            decoder = _idle.pop()
            if decoder.alive and decoder.limits == limits:
                return decoder
            _close(decoder)
    decoder = Decoder(limits)
    _all.add(decoder)
    return decoder


def _close(decoder: Decoder) -> None:
    _all.discard(decoder)
    decoder.close()


@atexit.register
def close_all() -> None:
    """End every decoder, whatever it does: who waits for one gets a DecoderError."""
    for decoder in list(_all):
        _close(decoder)
