"""The processes that a process has started, by Linux's own account."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

__all__ = ["children", "decoders", "gone", "linux_only"]

PATIENCE_S = 60

linux_only = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")


def children(pid: int | None = None) -> set[int]:
    """Process ids of the children of a process; of this one, if none is given."""
    threads = Path(f"/proc/{pid or os.getpid()}/task").iterdir()
    return {int(word) for one in threads for word in (one / "children").read_text().split()}


def decoders(pid: int | None = None) -> set[int]:
    """Give those children that decode recordings."""
    return {one for one in children(pid) if b"decoder_process" in _command(one)}


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
