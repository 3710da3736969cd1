"""The processes that a process has started, by Linux's own account."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emoclip_clinic.video import decoder, isolated

__all__ = ["children", "crash_on", "decoders", "gone", "linux_only"]

CRASH = """
import os, signal, sys
sys.path[:] = sys.argv[2:]
from emoclip_clinic.video import decoder_process
do = decoder_process._Server._do
def do_or_die(self, kind, path, order):
    if path.name == {name!r}:
        os.kill(os.getpid(), signal.SIGSEGV)
    do(self, kind, path, order)
decoder_process._Server._do = do_or_die
decoder_process.main(int(sys.argv[1]))
"""

PATIENCE_S = 60

linux_only = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")


def children(pid: int | None = None) -> set[int]:
    """Process ids of the children of a process; of this one, if none is given."""
    threads = Path(f"/proc/{pid or os.getpid()}/task").iterdir()
    return {int(word) for one in threads for word in (one / "children").read_text().split()}


def decoders(pid: int | None = None) -> set[int]:
    """Give those children that decode recordings."""
    return {one for one in children(pid) if b"decoder_process" in _command(one)}


@contextlib.contextmanager
def crash_on(name: str) -> Iterator[None]:
    """Have the decoder crash, as by a fault in a codec, over each file of this name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "PROGRAM", CRASH.format(name=name))
        isolated.close_all()
        yield
        isolated.close_all()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def gone(pid: int) -> bool:
    """Wait, if need be, until a process has ended; say whether it has."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        # of a process that has ended and is nobody's to bury, the command is empty
        if not _command(pid):
            return True
        time.sleep(0.02)
    return False
