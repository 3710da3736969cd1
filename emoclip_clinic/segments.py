"""Which frames of a recording are encoded, and in which windows: arithmetic on times only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emoclip_clinic import resources
from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.flags import WarningLimits, warning_problems
from emoclip_clinic.quality import QualityLimits, limit_problems
from emoclip_clinic.schema import build
from emoclip_clinic.turns import Stretch

__all__ = [
    "OUTSIDE", "SEGMENT_COLUMNS", "SHORT_TURN", "EncodingProtocol", "Plan", "Segment", "plan",
    "read_protocol",
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

MAX_WINDOW_FRAMES = 1023
"""The temporal position table of EmoCLIP has 1024 rows, one of them for the class token."""
CLOCK_S = 1e-3
"""Containers round times to their clock, Matroska to 1 ms: a frame is not late by less."""
SHORT_TAIL = "tail shorter than half a window"
SHORT_TURN = "turn shorter than half a window"
OUTSIDE = "outside the participant's turns"
BEYOND = "the turns go on after the end of the recording"

Times = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EncodingProtocol:
    """How recordings are sampled and cut into windows: a file of protocols/encoding/."""

    title: str = ""
    """One line for the reader."""
    rate_hz: float | None = None
    """Frames sampled a second, by presentation time; this or `every_nth` is given."""
    every_nth: int | None = None
    """Every n-th frame is sampled, whatever its time."""
    window_frames: int = 32
    """Sampled frames in a window."""
    stride_frames: int = 32
    """Sampled frames between the starts of two windows."""
    min_face_fraction: float = 0.5
    """A window with a face in a smaller fraction of its frames is excluded."""
    bridge_frames: int = 3
    """The face's place is interpolated over at most so many sampled frames without a detection."""
    face_margin: float = 0.2
    """Added on each side of the face before the square crop, as a share of its longer side."""
    quality: QualityLimits = field(default_factory=QualityLimits)
    """Beyond which a window is excluded; none by default."""
    warn: WarningLimits = field(default_factory=WarningLimits)
    """Beyond which a recording's measure warns."""


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


def read_protocol(name: str, study: Path | None = None) -> EncodingProtocol:
    """Read `protocols/encoding/<name>.toml`, the study's own before the shipped one.

    Raises
    ------
    ClinicError
        There is no such protocol.
    SettingsError
        A key is unknown or a value is not allowed.
    """
    path = resources.find("protocols/encoding", name, study)
    problems: list[str] = []
    protocol = build(EncodingProtocol, resources.read_toml(path), "", problems)
    if protocol is not None:
        problems += _problems(protocol)
    if protocol is None or problems:
        raise SettingsError(f"{path.name}: " + "; ".join(problems))
    return protocol


def _problems(protocol: EncodingProtocol) -> list[str]:
    problems = []
    if (protocol.rate_hz is None) == (protocol.every_nth is None):
        problems.append("exactly one of rate_hz and every_nth must be given")
    for key, low, high in [
        ("rate_hz", 0.01, 1000),
        ("every_nth", 1, 1000),
        ("window_frames", 1, MAX_WINDOW_FRAMES),
        ("stride_frames", 1, 100_000),
        ("min_face_fraction", 0, 1),
        ("bridge_frames", 0, MAX_WINDOW_FRAMES),
        ("face_margin", 0, 3),
    ]:
        value = getattr(protocol, key)
        # written so that NaN is refused too
        if value is not None and not low <= value <= high:
            problems.append(f"{key} = {value}; allowed: {low} to {high}")
    return problems + limit_problems(protocol.quality) + warning_problems(protocol.warn)


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

    With `stretches`, each of them is sampled and cut as if it were a recording by itself, of the
    frames that begin in it: no window spans two, and no frame outside is read. One that is shorter
    than half a window is left out, and so is what lies between, each a segment with its reason.

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
        There is no frame, the times do not ascend, or a stretch starts after the end.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or len(times) == 0:
        raise RecordingError("no frame could be decoded")
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise RecordingError("the frames' times do not ascend")
    # the last frame is on display about as long as the others
    end_s = times[-1] + (float(np.median(np.diff(times))) if len(times) > 1 else CLOCK_S)
    if stretches is None:
        return _plan(times, end_s, protocol)
    return _within(times, end_s, protocol, stretches)


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
    times: Times, end_s: float, protocol: EncodingProtocol, stretches: Sequence[Stretch]
) -> Plan:
    """Plan each stretch by itself, and say what lies outside."""
    if stretches and stretches[-1][0] >= end_s:
        raise RecordingError(BEYOND)
    plans, before_s = [], float(times[0])
    # after the last frame there is nothing to tell of
    for start_s, stop_s in [*stretches, (end_s, end_s)]:
        low, high = np.searchsorted(times, [start_s, stop_s])
        if np.searchsorted(times, before_s) < low:
            plans.append(_left_out(before_s, start_s, 0, OUTSIDE))
        if start_s < end_s:
            until_s = min(stop_s, times[high] if high < len(times) else end_s)
            if high == len(times) and end_s - CLOCK_S < stop_s:
                until_s = end_s
            one = _stretch(times, (int(low), int(high)), (start_s, float(until_s)), protocol)
            plans.append(one)
        before_s = max(before_s, stop_s)
    return _joined(plans)


def _stretch(
    times: Times, frames: tuple[int, int], stretch: Stretch, protocol: EncodingProtocol
) -> Plan:
    """Plan the frames from the first to before the last; a recording is never too short."""
    first, stop = frames
    if first == stop:
        return _left_out(*stretch, 0, SHORT_TURN)
    made = _plan(times[first:stop], stretch[1], protocol)
    n_samples = made.segments[0].n_frames
    short = len(made.segments) == 1 and 2 * n_samples < protocol.window_frames
    if short and stop - first < len(times):
        return _left_out(*stretch, n_samples, SHORT_TURN)
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
