"""Reading chosen frames."""

from __future__ import annotations

import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from videos import frame_number, numbered_frames, wipe_frames, write_video

from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.video import reader
from emoclip_clinic.video.probe import timestamps
from emoclip_clinic.video.reader import read_frames

FRAMES = numbered_frames(90)
IRREGULAR = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 90))
SOME = [0, 1, 2, 17, 30, 31, 47, 88, 89]

needs_decord = pytest.mark.skipif(
    importlib.util.find_spec("decord") is None, reason="decord is not installed"
)
backends = pytest.mark.parametrize(
    "backend", ["pyav", "auto", pytest.param("decord", marks=needs_decord)]
)


@backends
@pytest.mark.parametrize("options", [{"bf": "3", "g": "30"}, {"bf": "0"}, {"g": "1"}])
def test_the_frame_asked_for_is_the_frame_read(
    tmp_path: Path, backend: str, options: dict[str, str]
) -> None:
    """Indices count shown frames, however they are stored and spaced in time."""
    path = write_video(tmp_path / "a.mp4", FRAMES, pts=IRREGULAR, options=options)
    frames = list(read_frames(path, SOME, backend=backend))
    assert [frame_number(frame) for frame in frames] == SOME
    assert {(frame.shape, frame.dtype) for frame in frames} == {((96, 128, 3), np.dtype("uint8"))}


@backends
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_frames_come_upright(tmp_path: Path, backend: str, rotation: int) -> None:
    """A turned telephone's picture is turned back, as a player does."""
    path = write_video(tmp_path / "a.mov", FRAMES[:3], rotation=rotation)
    plain = write_video(tmp_path / "b.mov", FRAMES[:3])
    turned = np.stack(list(read_frames(path, range(3), backend=backend)))
    stored = np.stack(list(read_frames(plain, range(3), backend="pyav")))
    assert np.array_equal(turned, np.rot90(stored, -rotation // 90, axes=(1, 2)))


@needs_decord
@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "height", "width"),
    [
        ("a.mp4", "libx264", "yuv420p", 96, 128),
        ("a.mp4", "libx264", "yuv420p", 90, 122),
        ("a.mp4", "libx264", "yuv422p", 96, 128),
        ("a.mp4", "libx264", "yuv444p", 97, 127),
        ("a.mp4", "libx264", "yuvj420p", 96, 128),
        ("a.webm", "libvpx-vp9", "yuv420p", 96, 128),
        ("a.avi", "mjpeg", "yuvj420p", 96, 128),
    ],
)
def test_both_readers_give_the_same_pixels(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, height: int, width: int
) -> None:
    """To within rounding, whatever the chroma, the range and the size: noise shows differences."""
    rng = np.random.default_rng(2)
    noise = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(4)]
    path = write_video(tmp_path / name, noise, codec=codec, pix_fmt=pix_fmt)
    first = np.stack(list(read_frames(path, range(4), backend="pyav"))).astype(int)
    second = np.stack(list(read_frames(path, range(4), backend="decord")))
    assert np.abs(first - second).max() <= 2


def test_the_files_own_matrix_is_used(tmp_path: Path) -> None:
    """The same YUV is another colour in a file that says BT.709; worked by hand."""
    red = [np.full((96, 128, 3), (200, 30, 40), np.uint8)]
    plain = write_video(tmp_path / "a.mp4", red)
    tagged = write_video(tmp_path / "b.mp4", red, options={"x264-params": "colormatrix=bt709"})
    # Y, U, V = 86, 107, 202
    for path, expected in ((plain, (200, 30, 39)), (tagged, (214, 47, 37))):
        (frame,) = read_frames(path, [0])
        assert frame[5, 5].astype(int) == pytest.approx(expected, abs=3)


def test_colours_are_those_written(tmp_path: Path) -> None:
    """Plain colours come back to within what 8-bit YUV can hold."""
    colours = np.array([[230, 30, 40], [20, 200, 60], [30, 40, 220], [128, 128, 128]])
    frames = [np.full((96, 128, 3), colour, np.uint8) for colour in colours]
    path = write_video(tmp_path / "a.mp4", frames, options={"qp": "1"}, pix_fmt="yuv444p")
    read = np.stack(list(read_frames(path, range(4))))
    assert np.abs(read.mean(axis=(1, 2)) - colours).max() < 3


@backends
def test_memory_does_not_grow(tmp_path: Path, backend: str) -> None:
    """However many frames are asked for, a few are held."""
    frames = numbered_frames(300, 240, 320)
    path = write_video(tmp_path / "a.mp4", frames, options={"preset": "ultrafast"})
    times_s = timestamps(path)
    bytes_all = sum(frame.nbytes for frame in frames)
    del frames
    tracemalloc.start()
    count = sum(1 for _ in read_frames(path, range(300), backend=backend, times_s=times_s))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert peak < bytes_all / 5


@needs_decord
def test_large_frames_are_read_in_small_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk is bounded in bytes, and never less than a frame."""
    path = write_video(tmp_path / "a.mp4", FRAMES)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 1)
    numbers = [frame_number(frame) for frame in read_frames(path, SOME, backend="decord")]
    assert numbers == SOME


def test_without_decord_pyav_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where decord has no wheel, "auto" is PyAV and "decord" is one clear error."""
    monkeypatch.setattr(reader, "decord", None)
    path = write_video(tmp_path / "a.mp4", FRAMES)
    assert [frame_number(frame) for frame in read_frames(path, SOME)] == SOME
    with pytest.raises(RecordingError, match="decord is not installed"):
        next(read_frames(path, SOME, backend="decord"))


@needs_decord
@pytest.mark.parametrize(("name", "pix_fmt"), [("a.mts", "yuv420p"), ("a.mkv", "yuv420p10le")])
def test_a_file_unfit_for_decord_is_read_by_pyav(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, pix_fmt: str
) -> None:
    """An MPEG-TS, or 10 bits, that decord reads otherwise is read all the same; it is noted."""
    path = write_video(tmp_path / name, FRAMES[:10], pix_fmt=pix_fmt)
    with pytest.raises(RecordingError, match="decord does not read it"):
        next(read_frames(path, [0], backend="decord"))
    with caplog.at_level("INFO"):
        assert [frame_number(frame) for frame in read_frames(path, [0, 9])] == [0, 9]
    assert "PyAV reads on" in caplog.text


def test_a_damaged_file_gives_the_frames_that_decode(tmp_path: Path) -> None:
    """Indices count what decodes: nothing is repeated for what is lost."""
    path = write_video(tmp_path / "a.mp4", FRAMES, options={"g": "1", "bf": "0"})
    wipe_frames(path, range(40, 45))
    kept = [*range(40), *range(45, 90)]
    assert [frame_number(frame) for frame in read_frames(path, range(85))] == kept


@backends
def test_wrong_requests_are_refused(tmp_path: Path, backend: str) -> None:
    """Unordered indices, indices beyond the end and unknown readers are one clear message each."""
    path = write_video(tmp_path / "a.mp4", FRAMES[:5])
    for indices in ([2, 1], [1, 1], [-1, 0]):
        with pytest.raises(SettingsError, match="must increase"):
            read_frames(path, indices, backend=backend)
    with pytest.raises(RecordingError, match="frame 5 is wanted, but the last is 4"):
        list(read_frames(path, [0, 5], backend=backend))
    with pytest.raises(SettingsError, match="allowed: auto, decord, pyav"):
        read_frames(path, [0], backend="ffmpeg")
    assert list(read_frames(path, [], backend=backend)) == []


@needs_decord
def test_decord_reads_short_recordings_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It decodes ahead of a slow user, so a long recording would fill the memory."""
    path = write_video(tmp_path / "a.mp4", FRAMES)
    monkeypatch.setattr(reader, "AHEAD_BYTES", 89 * FRAMES[0].nbytes)
    with pytest.raises(RecordingError, match="ahead of what is used"):
        next(read_frames(path, SOME, backend="decord"))
    assert [frame_number(frame) for frame in read_frames(path, SOME)] == SOME
    monkeypatch.setattr(reader, "AHEAD_BYTES", 90 * FRAMES[0].nbytes)
    assert len(list(read_frames(path, SOME, backend="decord"))) == len(SOME)
