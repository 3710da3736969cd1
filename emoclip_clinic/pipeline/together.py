"""Several recordings at once, in this process: one is read while frames of another are embedded."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.recording_encoder import RecordingEncoder
from emoclip_clinic.video import isolated

__all__ = ["at_once", "encode_together"]

Row = dict[Any, Any]

MOST = 8
"""Each takes a process that decodes, and memory for the frames that it has read ahead."""


class _StoppedError(BaseException):
    """Nobody waits for the recording any more, for a cause that is not the recording's."""


class _Frames:
    """The progress of all recordings at work, told as one."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._at: dict[str, tuple[int, int]] = {}
        self.stopped = False
        """Whether those at work shall end."""

    def of(self, name: str) -> Progress:
        """Make what a recording tells of its own frames."""

        def told(what: str, done: int, total: int) -> None:
            if self.stopped:
                raise _StoppedError
            with self._lock:
                self._at[name] = (done, total)
                sums = [sum(numbers) for numbers in zip(*self._at.values(), strict=True)]
                try:
                    self._progress(what, *sums)
                except Exception as error:
                    raise _StoppedError from error

        return told

    def forget(self, name: str) -> None:
        """Take out a recording that is done."""
        with self._lock:
            self._at.pop(name, None)


def at_once(n_devices: int = 1) -> int:
    """Say how many recordings a device is given at once: they share the cores."""
    import loky

    # those that a queue or a container leaves to this process
    cores: int = loky.cpu_count()
    return min(MOST, max(2, cores // 2 // n_devices))


def encode_together(
    workers: Sequence[RecordingEncoder], rows: Sequence[Row], n_each: int, progress: Progress
) -> Generator[tuple[Row, RecordingFeatures], None, None]:
    """Encode recordings, several at once; yield each as soon as it is done.

    Close it, and those at work end; wait for it, since they have files open.

    Parameters
    ----------
    workers
        One a device, with its encoder loaded.
    rows
        Of recordings.csv.
    n_each
        How many recordings a worker has at once.
    progress
        Told of the frames of all recordings at work.
    """
    frames = _Frames(progress)
    places: SimpleQueue[RecordingEncoder] = SimpleQueue()
    for worker in [*workers] * n_each:
        places.put(replace(worker, shared=worker.batched))

    def encode(row: Row) -> RecordingFeatures:
        place = places.get()
        try:
            return place(row, frames.of(row["recording"]))
        finally:
            frames.forget(row["recording"])
            places.put(place)

    waiting, running = iter(rows), dict[Future[RecordingFeatures], Row]()
    n = len(workers) * n_each
    with ThreadPoolExecutor(n) as pool:
        try:
            while True:
                for row in islice(waiting, n - len(running)):
                    running[pool.submit(encode, row)] = row
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    yield running.pop(one), one.result()
        except _StoppedError as stopped:
            # by whom the progress was told
            raise stopped.__cause__ or stopped from None
        finally:
            frames.stopped = True
            for worker in workers:
                worker.batched.close()
            if running:
                # whoever waits for a decoder waits no longer
                isolated.close_all()
