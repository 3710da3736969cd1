"""A decoder: the user's side of the process that opens and decodes recordings.

Frames come as bytes through a pipe, and a thread takes them from it into a bounded inbox: while
one frame is used, the next ones are decoded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from emoclip_clinic.errors import AGAIN, ClinicError, DecoderError, RecordingError
from emoclip_clinic.video.wire import Message, WireError, receive, send

__all__ = ["Decoder", "Limits"]

AHEAD_BYTES = 96 << 20
"""Frames that wait to be used take at most this, and one frame more: 36 of 720p."""
PIPE_BYTES = 1 << 20
"""Sixteen times the usual: fewer turns between the two processes (Linux)."""
STEP_S = 0.25
"""Waiting is counted in such steps: a computer that slept in between has waited one."""
START_S = 120
"""How long a busy machine may take to start the process."""
END_S = 5
"""A process that waits for a drive that is gone ends when the system lets it."""
KILLED = (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))
PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from emoclip_clinic.video.decoder_process import main; main(int(sys.argv[1]))"
)
# it multiplies no matrices, and each of their threads would take memory
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Limits:
    """What reading a recording may take."""

    memory_mb: int = 4096
    """Memory of the process that decodes, MB of 2**20 bytes; kept to on Linux."""
    wait_s: float = 60
    """How long it may make no progress."""


class _Inbox:
    """What came and was not used yet, bounded in bytes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: deque[Message | None] = deque()
        self._n_bytes = 0
        self._heard = 0
        self._closed = False

    def put(self, message: Message | None) -> bool:
        """Add a message, None at the end of all; wait for room. False if nobody reads any more."""
        with self._changed:
            self._heard += 1
            self._changed.wait_for(lambda: self._closed or self._n_bytes < AHEAD_BYTES)
            if message is None or message.kind != "pulse":
                self._messages.append(message)
                self._n_bytes += message.n_bytes if message else 0
            self._changed.notify_all()
            return not self._closed

    def get(self, wait_s: float) -> Message | None:
        """Give the next message, None at the end of all; TimeoutError if nothing is heard."""
        silent_s = 0.0
        with self._changed:
            while not self._messages:
                heard = self._heard
                self._changed.wait(STEP_S)
                silent_s = silent_s + STEP_S if self._heard == heard else 0.0
                if silent_s >= wait_s:
                    raise TimeoutError
            message = self._messages.popleft()
            self._n_bytes -= message.n_bytes if message else 0
            self._changed.notify_all()
            return message

    def close(self) -> None:
        """Let whoever puts go on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Decoder:
    """A process that reads recordings, one at a time.

    Parameters
    ----------
    limits
        What it may take.

    Raises
    ------
    ClinicError
        The process does not start.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.idle = False
        """Whether it waits for an order; not so when its answers were not all taken."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 # closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(limits.memory_mb), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **FEW_THREADS},
            pipesize=PIPE_BYTES,
        )
        self._owner = os.getpid()
        self._input = cast(BinaryIO, self._process.stdin)
        self._output = cast(BinaryIO, self._process.stdout)
        self._inbox = _Inbox()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._await_ready()

    @property
    def alive(self) -> bool:
        """Whether the process runs, and is this process's own: a fork has only a copy."""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, order: Message) -> Iterator[Message]:
        """Give an order; yield its answers.

        Raises
        ------
        RecordingError
            The recording cannot be read.
        DecoderError
            The process crashed or was killed, or took too long or too much memory.
        """
        self.idle = False
        # a process that just ended says so by its answers
        with contextlib.suppress(BrokenPipeError):
            send(self._input, order)
        while True:
            answer = self._next(self.limits.wait_s)
            if answer.kind == "refused":
                self.idle = True
                raise RecordingError(str(answer.facts.get("reason")))
            if answer.kind == "unfinished":
                raise DecoderError(str(answer.facts.get("reason")))
            if answer.kind == "memory":
                raise DecoderError(
                    f"decoding it takes more than {self.limits.memory_mb} MB of memory "
                    f"(decoder_memory_mb); {AGAIN}"
                )
            if answer.kind == "done":
                self.idle = True
                return
            yield answer

    def close(self) -> None:
        """End the process, whatever it does."""
        self.idle = False
        if self._owner != os.getpid():
            return
        self._inbox.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._thread.join(END_S)
        with contextlib.suppress(OSError):
            self._input.close()
        if not self._thread.is_alive():
            self._output.close()
        self._said.close()

    def _listen(self) -> None:
        with contextlib.suppress(WireError, OSError, MemoryError):
            while self._inbox.put(receive(self._output)):
                pass
        self._inbox.put(None)

    def _await_ready(self) -> None:
        try:
            answer = self._inbox.get(START_S)
        except TimeoutError:
            answer = None
        except BaseException:
            self.close()
            raise
        if answer is None:
            why = self._last_words()
            self.close()
            raise ClinicError(
                f"the process that decodes recordings does not start ({why}). Look at what "
                "'emoclip-clinic doctor' says, and at decoder_memory_mb in study.toml."
            )
        self.idle = True

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"nothing is heard for {START_S} s"

    def _next(self, wait_s: float) -> Message:
        try:
            answer = self._inbox.get(wait_s)
        except TimeoutError as error:
            raise DecoderError(
                f"its decoder made no progress for {wait_s:g} s (decoder_wait_s); {AGAIN}"
            ) from error
        if answer is None:
            raise self._ended()
        return answer

    def _ended(self) -> DecoderError:
        """Say of what the process died."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        code = self._process.returncode or 0
        if -code in KILLED:
            why = "was killed, as the system does where memory is short"
        else:
            why = f"crashed ({signal.Signals(-code).name if code < 0 else f'code {code}'})"
        return DecoderError(f"its decoder {why}; {AGAIN}")
