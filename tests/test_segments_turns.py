"""Windows within turns."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.segments import (
    CLOCK_S,
    GAP,
    LATE_S,
    OUTSIDE,
    SHORT_PART,
    SHORT_TAIL,
    SHORT_TURN,
    Plan,
    plan,
)
from emoclip_clinic.turns import Stretch, merged

protocols = st.builds(
    EncodingProtocol,
    rate_hz=st.sampled_from([2.0, 6.25, 12.5]),
    window_frames=st.integers(1, 12),
    stride_frames=st.integers(1, 16),
) | st.builds(
    EncodingProtocol,
    every_nth=st.integers(1, 5),
    window_frames=st.integers(1, 12),
    stride_frames=st.integers(1, 16),
)
variable_times = st.lists(st.floats(0.005, 1.0), min_size=1, max_size=100).map(
    lambda steps: np.cumsum(steps) - steps[0]
)
steps_and_halts = st.lists(
    st.tuples(st.floats(0.005, 1.0), st.floats(0.005, 1.0), st.floats(0.005, 40.0)),
    min_size=1,
    max_size=20,
)
halting_times = steps_and_halts.map(lambda steps: np.cumsum(steps) - steps[0][0]).filter(
    lambda times: np.median(np.diff(times)) <= 1
)
moments = st.floats(-5, 150)
turns = st.lists(st.tuples(moments, moments).map(sorted).map(tuple), min_size=1, max_size=8)
series = turns.map(merged).filter(bool)


def end_of(times: np.ndarray) -> float:
    return float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 1e-3))


def planned(times: np.ndarray, protocol: EncodingProtocol, parts: tuple[Stretch, ...]) -> Plan:
    try:
        return plan(times, protocol, parts)
    except RecordingError:
        late = parts[-1][0] >= end_of(times) + LATE_S
        assert late or not any(low < end_of(times) and times[0] < high for low, high in parts)
        return Plan(np.zeros(0, int), ())


def holds(part: Stretch, times: np.ndarray) -> bool:
    return bool((part[0] <= times).all() and (times < part[1]).all())


@given(times=variable_times, protocol=protocols, parts=series)
def test_every_window_lies_in_one_stretch_with_all_its_samples(
    times: np.ndarray, protocol: EncodingProtocol, parts: tuple[Stretch, ...]
) -> None:
    """No frame outside is read, and no window spans two turns."""
    result = planned(times, protocol, parts)
    assert (np.diff(result.frames) > 0).all()
    assert all(any(holds(part, times[[frame]]) for part in parts) for frame in result.frames)
    for segment in result.segments:
        if segment.positions:
            shown = times[result.frames[list(segment.positions)]]
            homes = [part for part in parts if holds(part, shown)]
            assert len(homes) == 1
            assert homes[0][0] <= segment.start_s
            if not any(holds(part, times) for part in parts):
                assert segment.stop_s <= homes[0][1]


@given(times=variable_times, protocol=protocols, parts=series)
def test_a_stretch_is_as_a_recording_by_itself(
    times: np.ndarray, protocol: EncodingProtocol, parts: tuple[Stretch, ...]
) -> None:
    """Its windows are those of the frames in it, and the turns beside it change nothing."""
    result = planned(times, protocol, parts)
    for part in parts:
        alone = planned(times, protocol, (part,))
        mine = [
            (segment, result.frames[list(segment.positions)].tolist())
            for segment in result.segments
            if segment.reason != OUTSIDE and part[0] <= segment.start_s < part[1]
        ]
        theirs = [
            (segment, alone.frames[list(segment.positions)].tolist())
            for segment in alone.segments
            if segment.reason != OUTSIDE
        ]
        if result.segments:
            unplaced = [[(replace(s, positions=()), f) for s, f in one] for one in (mine, theirs)]
            assert unplaced[0] == unplaced[1]


@given(times=variable_times, protocol=protocols, parts=series)
def test_nothing_is_left_out_without_a_row(
    times: np.ndarray, protocol: EncodingProtocol, parts: tuple[Stretch, ...]
) -> None:
    """Each frame lies in a window, in a stretch that is too short, or outside, and it is said."""
    result = planned(times, protocol, parts)
    if not result.segments:
        return
    starts = [segment.start_s for segment in result.segments]
    assert starts == sorted(starts)
    for time in times:
        homes = [s for s in result.segments if s.start_s <= time < s.stop_s]
        inside = any(start <= time < stop for start, stop in parts)
        if not inside:
            assert [s.reason for s in homes] == [OUTSIDE]
        # a stride longer than the window passes over frames in any recording
        elif protocol.stride_frames <= protocol.window_frames and protocol.every_nth is None:
            assert homes
            assert OUTSIDE not in [s.reason for s in homes]


@given(times=variable_times | halting_times, protocol=protocols, parts=series)
def test_the_rows_leave_no_time_out(
    times: np.ndarray, protocol: EncodingProtocol, parts: tuple[Stretch, ...]
) -> None:
    """From the first frame to the end there is a row; one overlaps others with its stride alone."""
    result = planned(times, protocol, parts)
    if not result.segments:
        return
    start, end = float(times[0]), end_of(times)
    told = start
    # a stride longer than the window passes over time in any recording
    if protocol.stride_frames <= protocol.window_frames:
        for row in result.segments:
            assert row.start_s <= told + CLOCK_S + 1e-9
            told = max(told, row.stop_s)
        assert told == pytest.approx(end, abs=CLOCK_S + 1e-9)
    for row, after in pairwise(result.segments):
        # a turn that stops a tick before the end lasts to the end
        if after.start_s < row.stop_s - CLOCK_S - 1e-9:
            assert row.positions
            assert after.positions or after.reason == SHORT_TAIL
    if protocol.stride_frames == protocol.window_frames:
        lasts = [min(row.stop_s, end) - max(row.start_s, start) for row in result.segments]
        doubled = [max(0, one.stop_s - two.start_s) for one, two in pairwise(result.segments)]
        slack = CLOCK_S * len(lasts) + 1e-6
        assert sum(lasts) - sum(doubled) == pytest.approx(end - start, abs=slack)


def test_a_gap_and_turns_leave_no_hole() -> None:
    """The gap from 6 to 36 s is told of where it is a turn's; what is nobody's is outside."""
    times = np.concatenate([np.arange(60) / 10, 36 + np.arange(60) / 10])
    protocol = EncodingProtocol(rate_hz=10, window_frames=20, stride_frames=20)
    result = plan(times, protocol, [(0.0, 6.0), (20.0, 40.0), (41.0, 41.5)])
    rows = [(s.start_s, s.stop_s, s.reason) for s in result.segments]
    windows = [(0, 2, ""), (2, 4, ""), (4, 6, "")]
    expected = [*windows, (6, 20, OUTSIDE), (20, 36, GAP), (36, 38, ""), (38, 40, "")]
    expected += [(40, 41, OUTSIDE), (41, 41.5, SHORT_TURN), (41.5, 42, OUTSIDE)]
    assert [row[2] for row in rows] == [row[2] for row in expected]
    for row, truth in zip(rows, expected, strict=True):
        assert row[:2] == pytest.approx(truth[:2])
    assert SHORT_PART not in [row[2] for row in rows]


@given(times=variable_times, protocol=protocols, more=st.floats(0, 10))
def test_the_whole_recording_as_one_turn_is_no_turns_at_all(
    times: np.ndarray, protocol: EncodingProtocol, more: float
) -> None:
    """The plan is the same, of recordings shorter than half a window too."""
    whole, none = plan(times, protocol, [(0.0, end_of(times) + more)]), plan(times, protocol)
    np.testing.assert_array_equal(whole.frames, none.frames)
    assert whole.segments == none.segments


def test_short_turns_are_left_out_and_longer_ones_filled_up() -> None:
    """Of 8 frames in a window, 3 are too few; 4 are reflected; nothing between is read."""
    protocol = EncodingProtocol(rate_hz=10, window_frames=8, stride_frames=8)
    result = plan(np.arange(100) / 10, protocol, [(1.0, 1.3), (2.0, 2.4), (5.0, 5.8)])
    assert [(s.n_frames, s.padded, s.reason) for s in result.segments] == [
        (0, False, OUTSIDE),
        (3, False, SHORT_TURN),
        (0, False, OUTSIDE),
        (4, True, ""),
        (0, False, OUTSIDE),
        (8, False, ""),
        (0, False, OUTSIDE),
    ]
    assert result.frames.tolist() == [20, 21, 22, 23, *range(50, 58)]
    bounds = [(s.start_s, s.stop_s) for s in result.segments]
    assert bounds[:2] == [(0.0, 1.0), (1.0, 1.3)]
    assert bounds[-1] == (5.8, pytest.approx(10.0))


def test_a_turn_after_the_end_is_refused() -> None:
    """Times in milliseconds, or of another recording, are not passed over."""
    with pytest.raises(RecordingError, match="after the end"):
        plan(np.arange(100) / 10, EncodingProtocol(rate_hz=10), [(1.0, 2.0), (3000.0, 4000.0)])
