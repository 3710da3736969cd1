from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import ClinicError, RecordingError, SettingsError
from emoclip_clinic.segments import GAP, plan

BY_RATE = EncodingProtocol(rate_hz=6.25)
BY_NUMBER = EncodingProtocol(every_nth=4)

protocols = st.builds(
    EncodingProtocol,
    rate_hz=st.sampled_from([2.0, 6.25, 12.5]),
    window_frames=st.integers(1, 20),
    stride_frames=st.integers(1, 30),
)
# frames may be shown for 5 ms to 1 s, none for longer than three others: that would be a gap
variable_times = st.builds(
    lambda shortest_s, steps: np.cumsum(shortest_s * np.array(steps)),
    st.floats(0.005, 0.33),
    st.lists(st.floats(1, 3), min_size=1, max_size=120),
)
times_with_gaps = st.lists(st.floats(0.005, 1.0) | st.floats(1, 1e9), min_size=1, max_size=120).map(
    np.cumsum
)


def at_fps(fps: float, n: int) -> np.ndarray:
    return np.arange(n) / fps


def test_rate_and_number_agree_at_25_fps() -> None:
    """At 25 frames a second, 6.25 Hz is every 4th frame: the same frames, the same windows."""
    times = at_fps(25, 700)
    by_rate, by_number = plan(times, BY_RATE), plan(times, BY_NUMBER)
    np.testing.assert_array_equal(by_rate.frames, np.arange(0, 700, 4))
    np.testing.assert_array_equal(by_rate.frames, by_number.frames)
    assert [s.positions for s in by_rate.segments] == [s.positions for s in by_number.segments]


def test_rounded_times_change_nothing() -> None:
    """Times rounded by the container (Matroska: 1 ms) do not move a sample to the frame before."""
    times = at_fps(25, 700)
    noise = np.random.default_rng(1).uniform(-0.0005, 0.0005, len(times))
    np.testing.assert_array_equal(plan(times + noise, BY_RATE).frames, plan(times, BY_RATE).frames)


@pytest.mark.parametrize("fps", [23.976, 25, 29.97, 50, 60])
def test_a_window_spans_the_same_time_at_every_rate(fps: float) -> None:
    """32 samples at 6.25 Hz last 5.12 s, whatever the camera's rate."""
    first = plan(at_fps(fps, 3000), BY_RATE).segments[0]
    assert first.stop_s - first.start_s == pytest.approx(5.12)
    assert len(first.positions) == first.n_frames == 32


def test_tail_of_half_a_window_is_kept_aligned_to_the_end() -> None:
    """16 samples left over of 32 make a last window that ends with the recording."""
    segments = plan(at_fps(25, 4 * 80), BY_RATE).segments
    assert [(s.positions[0], s.positions[-1], s.reason) for s in segments] == [
        (0, 31, ""),
        (32, 63, ""),
        (48, 79, ""),
    ]


def test_shorter_tail_is_left_out_and_said() -> None:
    """15 samples left over are a segment with its times and a reason, not silence."""
    *used, tail = plan(at_fps(25, 4 * 79), BY_RATE).segments
    assert len(used) == 2
    assert tail.reason == "tail shorter than half a window"
    assert (tail.start_s, tail.stop_s) == pytest.approx((64 / 6.25, 79 / 6.25))


def test_short_recording_is_reflected() -> None:
    """A recording shorter than a window is one window: 0 1 2 3 4 3 2 1 0 1 ..., and marked."""
    short = dataclasses.replace(BY_NUMBER, every_nth=1, window_frames=12)
    (only,) = plan(at_fps(25, 5), short).segments
    assert only.positions == (0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3)
    assert only.padded
    assert only.n_frames == 5
    (single,) = plan([0.0], short).segments
    assert single.positions == (0,) * 12


def test_nothing_is_sampled_in_a_gap() -> None:
    """A camera that stood still for a minute: no window shows the frame before it for a minute."""
    times = np.concatenate([at_fps(25, 300), 70 + at_fps(25, 128), 80 + at_fps(25, 40)])
    result = plan(times, BY_RATE)
    assert [(s.start_s, s.stop_s, s.n_frames, s.reason) for s in result.segments] == [
        (0, pytest.approx(5.12), 32, ""),
        (pytest.approx(5.12), pytest.approx(10.24), 32, ""),
        (pytest.approx(10.24), pytest.approx(12), 11, "tail shorter than half a window"),
        (pytest.approx(12), 70, 0, GAP),
        (70, pytest.approx(75.12), 32, ""),
        (pytest.approx(75.12), 80, 0, GAP),
        (80, pytest.approx(81.6), 10, "part beside a gap shorter than half a window"),
    ]
    assert all(len(set(s.positions)) == 32 for s in result.segments if not s.reason)


def test_a_time_from_nowhere_costs_no_memory() -> None:
    """A last frame a thousand years later is a gap, and not 2e11 samples."""
    times = np.append(at_fps(25, 300), 3.2e10)
    result = plan(times, BY_RATE)
    assert [s.reason for s in result.segments][-2:] == [
        GAP,
        "part beside a gap shorter than half a window",
    ]
    assert len(result.frames) <= 76


def test_frames_too_far_apart_are_refused_with_the_cure() -> None:
    """A picture every ten seconds: each window would show one of them."""
    with pytest.raises(RecordingError, match=r"10 s apart, and a window takes 5.12 s.*every_nth"):
        plan(10 * at_fps(1, 100), BY_RATE)
    assert len(plan(10 * at_fps(1, 100), BY_NUMBER).frames) == 25


@given(times=times_with_gaps, protocol=protocols)
def test_every_frame_is_in_a_row_and_no_window_spans_a_gap(
    times: np.ndarray, protocol: EncodingProtocol
) -> None:
    """Whatever the gaps; a window shows no picture for longer than half of it."""
    assume(len(times) < 2 or np.median(np.diff(times)) <= 1)
    result = plan(times, protocol)
    usual_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    longest_s = max(protocol.window_frames / protocol.rate_hz / 2, 3 * usual_s) + 2e-3
    for segment in result.segments:
        if not segment.reason:
            inside = times[(segment.start_s <= times) & (times < segment.stop_s)]
            assert np.diff([segment.start_s, *inside, segment.stop_s]).max() <= longest_s
    if protocol.stride_frames <= protocol.window_frames:
        for time in times:
            assert any(s.start_s - 1e-6 <= time < s.stop_s for s in result.segments)
    spans = [(s.start_s, s.stop_s) for s in result.segments if s.reason == GAP]
    assert not any(start < time < stop for time in times for start, stop in spans)


def test_frame_that_stays_on_display_counts_as_long_as_it_is_seen() -> None:
    """A frame held for a second is read once and fills every sample of that second."""
    times = np.concatenate([[0.0], 1 + at_fps(25, 500)])
    result = plan(times, BY_RATE)
    assert result.frames[0] == 0
    assert result.segments[0].positions[:8] == (0, 0, 0, 0, 0, 0, 0, 1)


@given(times=variable_times, protocol=protocols)
def test_samples_are_the_frames_on_display(times: np.ndarray, protocol: EncodingProtocol) -> None:
    """Sample k is the last frame that began by k / rate (within the clock's 1 ms)."""
    result = plan(times, protocol)
    assert (np.diff(result.frames) > 0).all()
    for segment in result.segments:
        first = round((segment.start_s - times[0]) * protocol.rate_hz)
        for k, position in enumerate(segment.positions[: segment.n_frames], start=first):
            began = np.flatnonzero(times <= times[0] + k / protocol.rate_hz + 1e-3)
            assert result.frames[position] == began[-1]


@given(times=variable_times, protocol=protocols)
def test_every_sample_is_in_a_window_or_accounted_for(
    times: np.ndarray, protocol: EncodingProtocol
) -> None:
    """Windows have their size, start every stride, lie inside the recording and cover it."""
    result = plan(times, protocol)
    end_s = times[-1] + (float(np.median(np.diff(times))) if len(times) > 1 else 1e-3)
    n = max(1, math.ceil((end_s - times[0] - 1e-3) * protocol.rate_hz))
    used = [segment for segment in result.segments if not segment.reason]
    assert used
    assert all(len(segment.positions) == protocol.window_frames for segment in used)
    assert all(segment.start_s < segment.stop_s <= end_s + 1e-9 for segment in result.segments)
    starts = [round((segment.start_s - times[0]) * protocol.rate_hz) for segment in used]
    assert starts[:-1] == [k * protocol.stride_frames for k in range(len(starts) - 1)]
    covered = {
        k for s, start in zip(used, starts, strict=True) for k in range(start, start + s.n_frames)
    }
    left_out = n - max(covered) - 1
    excluded = [segment for segment in result.segments if segment.reason]
    assert all(2 * segment.n_frames < protocol.window_frames for segment in excluded)
    if protocol.stride_frames <= protocol.window_frames:
        assert left_out == sum(segment.n_frames for segment in excluded)
        assert covered == set(range(n - left_out))


@given(times=variable_times, protocol=protocols, shift=st.integers(-50, 5000))
def test_starting_later_changes_nothing(
    times: np.ndarray, protocol: EncodingProtocol, shift: int
) -> None:
    """A container whose clock does not begin at 0 gives the same windows."""
    times = np.round(times * 1024) / 1024
    here, there = plan(times, protocol), plan(times + shift, protocol)
    np.testing.assert_array_equal(here.frames, there.frames)
    assert [s.positions for s in here.segments] == [s.positions for s in there.segments]


def test_recordings_without_times_are_refused() -> None:
    """No frame, or times that run backwards, are the recording's fault and say so."""
    with pytest.raises(RecordingError, match="no frame"):
        plan([], BY_RATE)
    with pytest.raises(RecordingError, match="ascend"):
        plan([0.0, 0.2, 0.1], BY_RATE)


@pytest.mark.parametrize("name", ["emoclip", "reference", "dense"])
def test_shipped_protocols_are_valid(name: str) -> None:
    """Every protocol that ships can be read and has windows of 32 frames."""
    assert read_protocol(name).window_frames == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate_hz = 6.25\nwindow = 32", "unknown key 'window'.*window_frames"),
        ("rate_hz = 6.25\nevery_nth = 4", "exactly one"),
        ("window_frames = 32", "exactly one"),
        (
            "rate_hz = 5\nbridge_frames = -1\nstride_frames = 0",
            "stride_frames = 0.*bridge_frames = -1",
        ),
        ("rate_hz = 5\nwindow_frames = 2000", "allowed: 1 to 1023"),
        ("rate_hz = 5\nmin_face_fraction = nan", "min_face_fraction = nan"),
        ("rate_hz = 5\nwindow_frames = 3.5", "window_frames = 3.5; allowed: a whole number"),
    ],
)
def test_wrong_protocols_are_refused(text: str, message: str, tmp_path: Path) -> None:
    """A study's own protocol is found first, and what is wrong in it is named."""
    folder = tmp_path / "protocols" / "encoding"
    folder.mkdir(parents=True)
    (folder / "emoclip.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_protocol("emoclip", tmp_path)


def test_unknown_protocol_suggests_the_close_ones() -> None:
    """A misspelt name is answered with the names that exist."""
    with pytest.raises(ClinicError, match="Did you mean emoclip"):
        read_protocol("emo-clip")
