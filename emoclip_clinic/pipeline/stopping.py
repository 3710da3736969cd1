"""Being asked to stop: by Ctrl-C, or by a cluster that takes its machine back."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["Stopping", "asked_to_stop"]

# schedulers send SIGTERM, or SIGUSR1 some time before (sbatch --signal)
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
]


@dataclass
class Stopping:
    """Whether somebody has asked."""

    asked: bool = False


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Stopping]:
    """Note a signal instead of ending, as long as the block lasts; a second Ctrl-C ends at once.

    In another thread than the first, where Python allows no handlers, signals do as always.
    """
    stopping = Stopping()

    def note(number: int, frame: FrameType | None) -> None:
        if stopping.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopping.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
