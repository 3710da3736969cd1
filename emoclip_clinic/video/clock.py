"""One clock for all frames of a file, also where its own was set back or a time is wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["REORDERED_FRAMES", "STRAY_FRAMES", "Clock", "is_set_back", "on_one_clock"]

FloatArray = npt.NDArray[np.float64]

SET_BACK_S = 1.0
"""Frames are out of order by less: beyond, a time is wrong or the clock was set back."""
REORDERED_FRAMES = 16
"""Codecs store a frame at most so many places from where it is shown."""
STRAY_FRAMES = 5
"""At most so many frames with wrong times follow one another; more are a clock that was set."""


class Clock(NamedTuple):
    """Times that never decrease, and where the file's own are not followed."""

    times_s: FloatArray
    """(n_frames,), the first frame's is 0."""
    set_back_s: tuple[float, ...]
    """Where the file's clock was set back: from there on time is counted on."""


def is_set_back(own_s: FloatArray) -> bool:
    """Whether times in the order of the file go further back than codecs reorder frames."""
    places = np.argsort(own_s, kind="stable")
    return bool((np.abs(places - np.arange(len(own_s))) > REORDERED_FRAMES).any())


def on_one_clock(own_s: FloatArray) -> Clock:
    """Count the times of all frames on one clock.

    Recordings that were joined byte by byte begin their clock anew, and a damaged file has times
    from nowhere. Where the clock was set back, the next frame follows by the median interval. Up to
    `STRAY_FRAMES` frames that lie ahead of those on both sides are put between these; those that
    lie behind are shown for no time. A leap at which the file stays is a gap, and left as it is.

    Parameters
    ----------
    own_s
        The file's own times (n_frames,), in the order in which frames are displayed.
    """
    steps = np.diff(own_s)
    interval_s = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    times_s = own_s - own_s[0]
    set_back_s: list[float] = []
    shift_s, latest_s = 0.0, 0.0
    for number in range(1, len(times_s)):
        time_s = float(times_s[number]) + shift_s
        if time_s < latest_s - SET_BACK_S:
            n_ahead = _n_ahead(times_s[:number], time_s)
            if n_ahead:
                between = np.linspace(times_s[number - n_ahead - 1], time_s, n_ahead + 2)
                times_s[number - n_ahead : number] = between[1:-1]
                latest_s = time_s
            elif not _goes_on(times_s[number + 1 : number + 1 + STRAY_FRAMES] + shift_s, latest_s):
                shift_s += latest_s + interval_s - time_s
                time_s = latest_s + interval_s
                set_back_s.append(time_s)
        latest_s = max(latest_s, time_s)
        times_s[number] = latest_s
    return Clock(times_s, tuple(set_back_s))


def _n_ahead(before_s: FloatArray, time_s: float) -> int:
    """How many of the frames before lie ahead of a time; 0 where they are too many to be stray."""
    near_s = before_s[-STRAY_FRAMES - 1 :]
    behind = np.flatnonzero(near_s <= time_s)
    return len(near_s) - 1 - int(behind[-1]) if len(behind) else 0


def _goes_on(after_s: FloatArray, latest_s: float) -> bool:
    """Whether the frames after a stray one are where the clock was."""
    return bool((after_s >= latest_s).any())
