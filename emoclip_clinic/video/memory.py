"""The memory that this process may take: FFmpeg calls a frame damaged when there is none for it."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource

__all__ = ["bound", "refuse_if_short"]

FIRST_TO_GO = "500"
"""Where memory is short, Linux ends such a process before the one that it works for."""
MARGIN_BYTES = 16 << 20
"""Beside its pictures, a decoder takes smaller pieces."""
BYTES_A_PIXEL = 8
"""At most, of a decoded picture: four components of 16 bits."""


def bound(n_bytes: int) -> None:
    """Bound this process's memory (Linux keeps to it), and write none of it into a core file."""
    if sys.platform == "win32":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # of the data only: libraries and threads reserve addresses that they never use
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        n_bytes = min(n_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, n_bytes))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")


def refuse_if_short(width: int = 0, height: int = 0) -> None:
    """Raise MemoryError where two more pictures of that size may have no place.

    FFmpeg's own error says little: it says "no memory" of a damaged file that asks for an absurd
    size, and "damaged" of a picture that there is no memory for.
    """
    if _room_bytes() < 2 * BYTES_A_PIXEL * width * height + MARGIN_BYTES:
        raise MemoryError


def _room_bytes() -> float:
    if sys.platform == "win32":
        return math.inf
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY:
        return math.inf
    try:
        # in pages: size, resident, shared, text, library, data
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except OSError:
        # where the system does not tell, it does not bound either
        return math.inf
    return most - taken * resource.getpagesize()
