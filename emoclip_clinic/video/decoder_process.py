"""The process that opens and decodes recordings for another: what can crash, crashes here.

It says on its standard output what it finds, as `wire` writes it, and does one order at a time. It
ends when its standard input does, so that it never outlives the process that it works for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from emoclip_clinic.errors import AGAIN, DecoderError, RecordingError
from emoclip_clinic.video import container
from emoclip_clinic.video.lead import lead_s
from emoclip_clinic.video.memory import bound
from emoclip_clinic.video.probe import probe, timestamps
from emoclip_clinic.video.reader import read_frames
from emoclip_clinic.video.wire import Message, WireError, receive, send

__all__ = ["main"]

PULSE_S = 0.5
"""Between two signs of life while packets are read and nothing else is to be said."""


class _Server:
    """Does orders one by one; `say` sends an answer."""

    def __init__(self, say: Callable[[Message], None]) -> None:
        self._say = say
        self._said_s = 0.0

    def do(self, order: Message) -> None:
        """Do an order, and say how it ended."""
        try:
            self._do(order.kind, Path(order.facts["path"]), order)
        except MemoryError:
            self._say(Message("memory"))
        except DecoderError as error:
            self._say(Message("unfinished", {"reason": str(error)}))
        except RecordingError as error:
            self._say(Message("refused", {"reason": str(error)}))
        except OSError as error:
            self._say(_unreadable(error))
        except (WireError, ImportError):
            raise
        # whatever a library makes of a damaged file costs this recording only
        except Exception as error:
            self._say(Message("refused", {"reason": f"it cannot be read ({type(error).__name__})"}))
        else:
            self._say(Message("done"))

    def _do(self, kind: str, path: Path, order: Message) -> None:
        if kind == "probe":
            facts = asdict(probe(path, order.facts["decode"]))
            times_s = facts.pop("times_s")
            self._say(Message("probe", facts, times_s))
        elif kind == "timestamps":
            self._say(Message("times", {}, timestamps(path, order.facts["n_frames"])))
        elif kind == "lead":
            self._say(Message("lead", {"lead_s": lead_s(path)}))
        else:
            for frame in read_frames(path, order.facts["indices"], times_s=order.array):
                self._say(Message("frame", {}, frame))

    def pulse(self) -> None:
        """Say that there is progress, not too often."""
        now_s = time.monotonic()
        if now_s - self._said_s > PULSE_S:
            self._said_s = now_s
            self._say(Message("pulse"))


def _unreadable(error: OSError) -> Message:
    # a thread that has no memory for its stack cannot be started now
    if error.errno in (errno.ENOMEM, errno.EAGAIN):
        return Message("memory")
    why = error.strerror or type(error).__name__
    return Message("unfinished", {"reason": f"the file cannot be read: {why}; {AGAIN}"})


def main(memory_mb: int) -> None:
    """Do the orders of standard input, in at most so much memory, until it ends."""
    # Ctrl-C reaches the whole group of processes; the other one decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _own_output()
    bound(memory_mb << 20)
    orders: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    server = _Server(lambda message: send(answers, message))
    container.pulse = server.pulse
    with contextlib.suppress(BrokenPipeError):
        send(answers, Message("ready"))
        while True:
            server.do(orders.get())
    os._exit(0)


def _own_output() -> BinaryIO:
    """Take the pipe of standard output away from libraries that print."""
    mine = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(mine, "wb")


def _listen(pipe: BinaryIO, orders: queue.SimpleQueue[Message]) -> None:
    """Pass orders on, also while one is done: the end of the pipe is the end of this process."""
    try:
        while True:
            orders.put(receive(pipe))
    finally:
        os._exit(0)
