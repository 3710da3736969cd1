"""Which frames of a recording are encoded, and in which windows: arithmetic on times only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.turns import Stretch

__all__ = [
    "GAP", "LATE_S", "OUTSIDE", "SEGMENT_COLUMNS", "SHORT_PART", "SHORT_TURN", "Plan", "Segment",
    "is_window", "missed", "plan",
]  # fmt: skip

SEGMENT_COLUMNS = (
    "recording",
    "window",
    "start_s",
    "stop_s",
    "n_frames",
    "face_fraction",
    "padded",
    "status",
    "reason",
)
"""Columns of segments.csv; `window` counts from 0, `status` is "used" or "excluded"."""

CLOCK_S = 1e-3
"""Containers round times to their clock, Matroska to 1 ms: a frame is not late by less."""
LATE_S = 1.0
"""A turn that starts later than this after the last frame is not of this recording."""
GAP_INTERVALS = 3
"""A gap takes more than so many of a recording's usual intervals, however short a window is."""
FURTHEST_S = 1.0
"""Frames may be so far apart, also where a window is shorter."""
SHORT_TAIL = "tail shorter than half a window"
SHORT_TURN = "turn shorter than half a window"
SHORT_PART = "part beside a gap shorter than half a window"
GAP = "gap: no new picture for more than half a window"
OUTSIDE = "outside the participant's turns"
BEYOND = "the turns go on after the end of the recording"
BEFORE = "the turns end before the first picture of the recording"

Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """A window of a recording, [start_s, stop_s), and the samples it consists of."""

    start_s: float
    """Presentation time of its first frame."""
    stop_s: float
    """Where the next sampled frame begins, or the recording ends."""
    positions: tuple[int, ...]
    """Positions in `Plan.frames`; a frame that stays on display occurs again. Empty for what is not
    read: a turn that is too short, and what is nobody's turn."""
    n_frames: int
    """How many of `positions` are the recording's own; those after them are its reflection."""
    reason: str = ""
    """Why it is left out; empty for a window to encode."""

    @property
    def padded(self) -> bool:
        """Whether it was filled up by reflection."""
        return len(self.positions) > self.n_frames


@dataclass(frozen=True)
class Plan:
    """What is to be read from a recording, and the windows made of it."""

    frames: Indices
    """Source-frame numbers to read, ascending, each once."""
    segments: tuple[Segment, ...]
    """Windows in the order of their starts; one that is left out has its reason."""


def is_window(segments: pd.DataFrame) -> pd.Series[bool]:
    """Say which rows of segments.csv are windows, used or left out.

    A gap, what lies outside the participant's turns, a turn in which no frame begins and a
    recording that is left out as a whole have no frames of their own, and are none.
    """
    return segments["n_frames"] > 0


def plan(
    times_s: npt.ArrayLike,
    protocol: EncodingProtocol,
    stretches: Sequence[Stretch] | None = None,
) -> Plan:
    """Choose the frames to sample and the windows they form.

    By rate, sample k is the frame on display k / rate after the first frame, so that a window
    spans the same time however the recording's frame rate varies. Windows of `window_frames`
    samples start every `stride_frames`. If at least half a window is left over, a last window is
    aligned to the end; if less, the rest is a segment with its reason. A recording shorter than a
    window is one window, filled up by reflection about its last frame, as the reference does.

    By rate, nothing is sampled in a gap, a time of more than half a window (and of three usual
    intervals) without a new picture: what lies before it and after it is sampled and cut as if it
    were a recording by itself, and so is each of `stretches`, of the frames that begin in it. No
    window spans two of them, and no frame outside is read. One that is shorter than half a window
    is left out, and so are gaps and what lies between stretches, each a segment with its reason:
    the segments leave no time out. A window starts with its first frame, so what lies before a
    stretch lasts until the first frame that begins in it.

    Parameters
    ----------
    times_s
        True presentation times of all frames (n,), ascending.
    protocol
        How to sample and cut.
    stretches
        What is to be encoded, seconds on the clock of `times_s`, in order and apart; everything if
        it is not given. One that holds every frame is the same as none.

    Raises
    ------
    RecordingError
        There is no frame, the times do not ascend, the stretches miss the recording (`missed`), or
        windows would show one picture each, since the frames are so far apart.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or len(times) == 0:
        raise RecordingError("no frame could be decoded")
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise RecordingError("the frames' times do not ascend")
    # the last frame is on display about as long as the others
    usual_s = float(np.median(np.diff(times))) if len(times) > 1 else CLOCK_S
    end_s = float(times[-1]) + usual_s
    gaps = _gaps(times, usual_s, protocol)
    if stretches is None and not gaps:
        return _plan(times, end_s, protocol)
    return _within(times, end_s, protocol, stretches or [(float(times[0]), end_s)], gaps)


def _gaps(times: Times, usual_s: float, protocol: EncodingProtocol) -> list[Stretch]:
    """Find the times without a new picture, from when the one before is usually replaced."""
    if protocol.rate_hz is None:
        return []
    window_s = protocol.window_frames / protocol.rate_hz
    if usual_s > max(window_s, FURTHEST_S):
        raise RecordingError(
            f"its frames are {usual_s:g} s apart, and a window takes {window_s:g} s: it would show "
            "one picture. A protocol with every_nth samples such recordings"
        )
    longest_s = max(window_s / 2, GAP_INTERVALS * usual_s) + CLOCK_S
    last = np.flatnonzero(np.diff(times) > longest_s)
    bounds = zip((times[last] + usual_s).tolist(), times[last + 1].tolist(), strict=True)
    return [(start_s, stop_s) for start_s, stop_s in bounds]


def _plan(times: Times, end_s: float, protocol: EncodingProtocol) -> Plan:
    sampled, starts_s = _sample(times, end_s, protocol)
    frames, positions = np.unique(sampled, return_inverse=True)
    bounds_s = np.append(starts_s, max(end_s, starts_s[-1]))
    segments = [
        Segment(
            start_s=float(bounds_s[start]),
            stop_s=float(bounds_s[stop]),
            positions=_reflected(positions[start:stop], 0 if reason else protocol.window_frames),
            n_frames=stop - start,
            reason=reason,
        )
        for start, stop, reason in _cut(len(sampled), protocol)
    ]
    return Plan(frames=frames, segments=tuple(segments))


def _within(
    times: Times,
    end_s: float,
    protocol: EncodingProtocol,
    stretches: Sequence[Stretch],
    gaps: Sequence[Stretch],
) -> Plan:
    """Plan each stretch by itself, on either side of a gap too, and say what is left out."""
    reason = missed(stretches, float(times[0]), end_s)
    if reason:
        raise RecordingError(reason)
    plans: list[Plan] = []
    before_s = float(times[0])
    # before the first frame and after the last there is nothing to tell of
    for stretch in [*stretches, (end_s, end_s)]:
        own = _stretch(times, end_s, protocol, stretch, gaps)
        start_s = own[0].segments[0].start_s if own else min(stretch[0], end_s)
        # two turns may be apart by less than the clock can tell, and a frame begin there
        passed_over = np.searchsorted(times, before_s) < np.searchsorted(times, start_s)
        if before_s + CLOCK_S < start_s or (before_s < start_s and passed_over):
            plans.append(_left_out(before_s, start_s, 0, OUTSIDE))
        plans += own
        before_s = max(before_s, stretch[1])
    return _joined(plans)


def missed(stretches: Sequence[Stretch], start_s: float, end_s: float) -> str:
    """Say why a recording is left out for its stretches; empty where it is not.

    Parameters
    ----------
    stretches
        In order.
    start_s, end_s
        When the first frame begins and the last one ends, on the same clock.
    """
    last_s = stretches[-1][0]
    if last_s >= end_s + LATE_S:
        return BEYOND
    if any(start < end_s and start_s < stop for start, stop in stretches):
        return ""
    return BEYOND if last_s >= end_s else BEFORE


def _stretch(
    times: Times,
    end_s: float,
    protocol: EncodingProtocol,
    stretch: Stretch,
    gaps: Sequence[Stretch],
) -> list[Plan]:
    """Plan the parts of a stretch and the gaps in it, in order."""
    plans = []
    for part, is_gap in _split(stretch, gaps):
        if is_gap:
            plans.append(_left_out(*part, 0, GAP))
        elif part[0] < end_s and times[0] < part[1]:
            short = SHORT_TURN if part == stretch else SHORT_PART
            plans.append(_part(times, end_s, part, protocol, short))
    return plans


def _split(stretch: Stretch, gaps: Sequence[Stretch]) -> Iterator[tuple[Stretch, bool]]:
    """Divide a stretch into gaps and what lies between them; each with whether it is a gap."""
    start_s, stop_s = stretch
    for gap in gaps:
        if gap[0] < stop_s and start_s < gap[1]:
            if start_s < gap[0]:
                yield (start_s, gap[0]), False
            yield (max(start_s, gap[0]), min(stop_s, gap[1])), True
            start_s = gap[1]
    if start_s < stop_s:
        yield (start_s, stop_s), False


def _part(
    times: Times, end_s: float, part: Stretch, protocol: EncodingProtocol, short: str
) -> Plan:
    """Plan the frames that begin in a part; what is too short is left out, but no recording is."""
    start_s, stop_s = part
    first, stop = (int(place) for place in np.searchsorted(times, part))
    until_s = min(stop_s, float(times[stop]) if stop < len(times) else end_s)
    if stop == len(times) and end_s - CLOCK_S < stop_s:
        until_s = end_s
    if first == stop:
        return _left_out(start_s, until_s, 0, short)
    made = _plan(times[first:stop], until_s, protocol)
    n_samples = made.segments[0].n_frames
    too_short = len(made.segments) == 1 and 2 * n_samples < protocol.window_frames
    if too_short and stop - first < len(times):
        return _left_out(start_s, until_s, n_samples, short)
    return replace(made, frames=made.frames + first)


def _left_out(start_s: float, stop_s: float, n_frames: int, reason: str) -> Plan:
    nothing = Segment(start_s, stop_s, (), n_frames, reason)
    return Plan(np.zeros(0, np.int64), (nothing,))


def _joined(plans: list[Plan]) -> Plan:
    segments, n_frames = [], 0
    for one in plans:
        for segment in one.segments:
            moved = tuple(position + n_frames for position in segment.positions)
            segments.append(replace(segment, positions=moved))
        n_frames += len(one.frames)
    return Plan(np.concatenate([one.frames for one in plans]), tuple(segments))


def _sample(times: Times, end_s: float, protocol: EncodingProtocol) -> tuple[Indices, Times]:
    """Source frame and start of every sample."""
    if protocol.rate_hz is None:
        chosen = np.arange(0, len(times), protocol.every_nth)
        return chosen, times[chosen]
    n = max(1, math.ceil((end_s - times[0] - CLOCK_S) * protocol.rate_hz))
    ticks_s = times[0] + np.arange(n) / protocol.rate_hz
    return np.searchsorted(times, ticks_s + CLOCK_S, side="right") - 1, ticks_s


def _cut(n: int, protocol: EncodingProtocol) -> list[tuple[int, int, str]]:
    """First sample, sample after the last, and reason to leave it out, for each segment of n."""
    size, stride = protocol.window_frames, protocol.stride_frames
    if n < size:
        return [(0, n, "")]
    cuts = [(start, start + size, "") for start in range(0, n - size + 1, stride)]
    # with a stride longer than the window, what lies between two windows is nobody's rest
    rest = max(cuts[-1][1], cuts[-1][0] + stride)
    if 2 * (n - rest) >= size:
        cuts.append((n - size, n, ""))
    elif rest < n:
        cuts.append((rest, n, SHORT_TAIL))
    return cuts


def _reflected(positions: Indices, size: int) -> tuple[int, ...]:
    missing = max(0, size - len(positions))
    return tuple(np.pad(positions, (0, missing), mode="reflect").tolist())
