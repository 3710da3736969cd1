"""Recordings read in a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from emoclip_clinic.errors import ClinicError, DecoderError, RecordingError
from emoclip_clinic.video import container, decoder, isolated, reader
from emoclip_clinic.video import probe as here
from tests.child_processes import decoders, gone, linux_only
from tests.videos import frame_number, numbered_frames, wipe_frames, write_audio, write_video

FRAMES = numbered_frames(90)
IRREGULAR = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 90))
# larger than all that waits to be used
MANY = numbered_frames(120, 240, 320)


@pytest.fixture(autouse=True)
def no_decoder_yet() -> Iterator[None]:
    """Begin each test without a decoder, and leave none."""
    isolated.close_all()
    yield
    isolated.close_all()


def recordings(folder: Path) -> list[Path]:
    """Make recordings of several kinds, one of them damaged."""
    made = [
        write_video(folder / "a.mp4", FRAMES, pts=IRREGULAR, options={"bf": "3"}, audio=True),
        write_video(folder / "turned.mov", FRAMES[:20], rotation=90),
        write_video(folder / "deep.mkv", FRAMES[:20], pix_fmt="yuv420p10le"),
        write_video(folder / "a.avi", FRAMES[:20], codec="mjpeg", pix_fmt="yuvj420p"),
        write_video(folder / "damaged.mp4", FRAMES, options={"g": "1", "bf": "0"}),
    ]
    wipe_frames(made[-1], range(40, 45))
    return made


def test_everything_is_the_same_as_without_a_process(tmp_path: Path) -> None:
    """Facts, times and pixels, to the last bit."""
    for path in recordings(tmp_path):
        facts, expected = asdict(isolated.probe(path)), asdict(here.probe(path))
        assert facts.pop("times_s").tobytes() == expected.pop("times_s").tobytes()
        assert facts == expected
        times_s = isolated.timestamps(path)
        assert times_s.tobytes() == here.timestamps(path).tobytes()
        wanted = np.arange(0, len(times_s), 3)
        pairs = zip(
            isolated.read_frames(path, wanted, times_s=times_s),
            reader.read_frames(path, wanted, times_s=times_s),
            strict=True,
        )
        for one, other in pairs:
            assert one.dtype == np.uint8
            assert np.array_equal(one, other)


def test_what_cannot_be_read_has_the_same_reason(tmp_path: Path) -> None:
    """The process goes on: none of these is an accident."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    write_audio(tmp_path / "sound.mp4")
    for name in ("empty.mp4", "text.mp4", "sound.mp4", "absent.mp4"):
        with pytest.raises(RecordingError) as expected:
            here.probe(tmp_path / name)
        with pytest.raises(RecordingError) as found:
            isolated.probe(tmp_path / name)
        assert str(found.value) == str(expected.value)
    path = write_video(tmp_path / "a.mp4", FRAMES[:5])
    with pytest.raises(RecordingError, match="frame 5 is wanted, but the last is 4"):
        list(isolated.read_frames(path, [0, 5]))
    assert list(isolated.read_frames(path, [])) == []
    assert len(isolated._all) == 1


@linux_only
def test_one_process_serves_every_recording(tmp_path: Path) -> None:
    """Also where the last frame is used and nobody asks for more."""
    for number in range(5):
        path = write_video(tmp_path / f"{number}.mp4", FRAMES[number : number + 3])
        assert len(isolated.timestamps(path)) == 3
        frames = isolated.read_frames(path, range(3))
        assert [frame_number(next(frames)) for _ in range(3)] == [*range(number, number + 3)]
        if number == 0:
            first = decoders()
    assert len(first) == 1
    assert decoders() == first


@linux_only
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_costs_that_recording_only(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason says what happened, and the next recording is read as ever."""
    monkeypatch.setattr(decoder, "AHEAD_BYTES", 1)
    path = write_video(tmp_path / "a.mp4", MANY, options={"preset": "ultrafast"})
    frames = isolated.read_frames(path, range(120))
    next(frames)
    (pid,) = decoders()
    os.kill(pid, number)
    what = "was killed" if number == signal.SIGKILL else rf"crashed \({number.name}\)"
    with pytest.raises(DecoderError, match=f"its decoder {what}.*the next run tries again"):
        list(frames)
    assert [frame_number(frame) for frame in isolated.read_frames(path, [1, 70])] == [1, 70]
    assert pid not in decoders()


@linux_only
def test_a_hang_ends_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes no progress is ended, and said to have made none."""
    monkeypatch.setattr(decoder, "AHEAD_BYTES", 1)
    path = write_video(tmp_path / "a.mp4", MANY, options={"preset": "ultrafast"})
    frames = isolated.read_frames(path, range(120), limits=isolated.Limits(wait_s=1))
    next(frames)
    (pid,) = decoders()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DecoderError, match=r"no progress for 1 s \(decoder_wait_s\)"):
        list(frames)
    assert gone(pid)


def test_every_packet_is_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long recording is no hang, though nothing but its packets is heard of for a long time."""
    path = write_video(tmp_path / "a.mp4", FRAMES)
    seen: list[int] = []
    monkeypatch.setattr(container, "pulse", lambda: seen.append(1))
    here.probe(path)
    n_probed = len(seen)
    assert n_probed >= 90
    here.timestamps(path, 90)
    assert len(seen) >= n_probed + 90


@linux_only
def test_memory_is_bounded(tmp_path: Path) -> None:
    """However much there is: all frames, or a refusal; FFmpeg alone would leave some out."""
    large = [np.full((2160, 3840, 3), 90, np.uint8)] * 8
    path = write_video(tmp_path / "a.mp4", large, options={"preset": "ultrafast"})
    outcomes = [_n_decoded(path, memory_mb) for memory_mb in (*range(130, 170, 5), 4096)]
    assert set(outcomes) == {None, 8}
    assert outcomes[0] is None
    assert outcomes[-1] == 8


def _n_decoded(path: Path, memory_mb: int) -> int | None:
    try:
        return isolated.probe(path, limits=isolated.Limits(memory_mb=memory_mb)).n_frames_decoded
    except DecoderError as error:
        words = "more than {} MB of memory (decoder_memory_mb); the next run tries again"
        assert words.format(memory_mb) in str(error)  # noqa: PT017
        return None


def test_a_drive_that_goes_away_is_no_damage(tmp_path: Path) -> None:
    """What cannot be read any more is tried again; a file that is damaged for good is not."""
    at_its_start = {"movflags": "faststart"}
    path = write_video(tmp_path / "a.mp4", FRAMES, container_options=at_its_start)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    assert here.probe(path).damage_s
    with container.open_video(path) as (file, stream):
        packets = container.packets(file, stream, container.Tally())
        next(packets)
        path.rename(tmp_path / "away.mp4")
        with pytest.raises(DecoderError, match="cannot be read any more"):
            list(packets)


def test_a_decoder_that_cannot_start_is_one_clear_message(tmp_path: Path) -> None:
    """It says why, and where to look."""
    path = write_video(tmp_path / "a.mp4", FRAMES[:3])
    with pytest.raises(ClinicError, match=r"does not start \(.+\)") as found:
        isolated.probe(path, limits=isolated.Limits(memory_mb=1))
    assert not isinstance(found.value, RecordingError)


def test_frames_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow their user is, a few are held."""
    monkeypatch.setattr(decoder, "AHEAD_BYTES", 4 * MANY[0].nbytes)
    path = write_video(tmp_path / "a.mp4", MANY, options={"preset": "ultrafast"})
    isolated.timestamps(path)
    tracemalloc.start()
    count = sum(1 for _ in isolated.read_frames(path, range(120)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 120
    assert peak < 10 * MANY[0].nbytes


@linux_only
def test_frames_that_nobody_wants_any_more_are_not_decoded(tmp_path: Path) -> None:
    """Whoever stops in the middle leaves no process at work."""
    path = write_video(tmp_path / "a.mp4", MANY, options={"preset": "ultrafast"})
    frames = isolated.read_frames(path, range(120))
    next(frames)
    (pid,) = decoders()
    frames.close()  # type: ignore[attr-defined] # a generator
    assert gone(pid)
    assert len(list(isolated.read_frames(path, range(120)))) == 120


USER = """
import signal, sys, time
from pathlib import Path
from emoclip_clinic.video import decoder, isolated
signal.signal(signal.SIGINT, signal.default_int_handler)
decoder.AHEAD_BYTES = 1
frames = isolated.read_frames(Path(sys.argv[1]), range(120))
next(frames)
print("reading", flush=True)
time.sleep(600)
"""


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stopped", [False, True])
def test_no_process_outlives_its_user(
    tmp_path: Path, number: signal.Signals, stopped: bool
) -> None:
    """Killed, stopped by Ctrl-C or ended: the decoder notices and ends, whatever it does."""
    path = write_video(tmp_path / "a.mp4", MANY, options={"preset": "ultrafast"})
    command = [sys.executable, "-c", USER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"reading\n"
        (pid,) = decoders(user.pid)
        if stopped:
            # as Ctrl-C does: the whole group of processes
            os.kill(pid, signal.SIGINT)
        user.send_signal(number)
    assert gone(pid)
