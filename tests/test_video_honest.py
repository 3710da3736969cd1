"""Times and pixels as they are, whatever a file does to them; the truth is drawn in the frames."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest

from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.segments import plan
from emoclip_clinic.video.examine import quality
from emoclip_clinic.video.probe import probe, timestamps
from emoclip_clinic.video.reader import read_frames
from tests.videos import frame_number, numbered_frames, write_matrix, write_video

FRAMES = numbered_frames(60)
OPEN_AT_20 = {"g": "20", "bf": "0", "x264-params": "scenecut=0:repeat-headers=1"}


def numbers(path: Path, backend: str = "auto") -> list[int]:
    """Read all numbers that are drawn in a recording."""
    times_s = timestamps(path)
    return [
        frame_number(frame)
        for frame in read_frames(path, range(len(times_s)), times_s=times_s, backend=backend)
    ]


def side_by_side(target: Path, sources: list[Path], default: int) -> Path:
    """Put recordings into one file as a video stream each, one of them marked as the default."""
    marks = av.stream.Disposition
    with av.open(str(target), "w") as out:
        files = [av.open(str(source)) for source in sources]
        streams = [out.add_stream_from_template(file.streams.video[0]) for file in files]
        for number, stream in enumerate(streams):
            stream.disposition = marks.default if number == default else marks(0)
        for file, stream in zip(files, streams, strict=True):
            for packet in file.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
            file.close()
    return target


def test_a_picture_that_changes_its_size_keeps_its_times(tmp_path: Path) -> None:
    """A call whose picture grows half way: every frame at its time, in its size."""
    times_s, plain = np.arange(40) / 25, {"bf": "0"}
    small = write_video(tmp_path / "a.ts", FRAMES[:20], pts=times_s[:20], options=plain)
    grown = numbered_frames(40, 192, 256)[20:]
    large = write_video(tmp_path / "b.ts", grown, pts=times_s[20:], options=plain)
    path = tmp_path / "both.mts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    assert timestamps(path) == pytest.approx(times_s, abs=1e-3)
    assert numbers(path) == list(range(40))
    shapes = [frame.shape[:2] for frame in read_frames(path, range(40))]
    assert shapes == [(96, 128)] * 20 + [(192, 256)] * 20


def test_parts_joined_byte_by_byte_lose_no_frame(tmp_path: Path) -> None:
    """Where the second begins its clock anew, time is counted on, and the table says from where."""
    parts = [
        write_video(
            tmp_path / f"{n}.ts", FRAMES[30 * n : 30 * n + 30], fps=12.5, options={"bf": "2"}
        )
        for n in (0, 1)
    ]
    path = tmp_path / "joined.mts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    facts = probe(path)
    assert facts.times_s == pytest.approx(np.arange(60) / 12.5, abs=1e-4)
    assert facts.set_back_s == pytest.approx([30 / 12.5], abs=1e-4)
    assert np.array_equal(timestamps(path, 60), facts.times_s)
    assert np.array_equal(probe(path, decode=False).times_s, facts.times_s)
    assert numbers(path) == list(range(60))
    noted = quality("a", facts).set_index("measure")["note"]
    assert noted["clock_set_back"] == "from 2.4 s on time is counted on"
    # one cause warns once
    assert facts.n_disordered == 0


@pytest.mark.parametrize("matrix", [*product((1, -1), (1, -1), (False, True))])
def test_a_picture_is_placed_as_its_matrix_says(
    tmp_path: Path, matrix: tuple[int, int, bool]
) -> None:
    """Turned, mirrored or both: pixel (x, y) is shown at (a x + c y, b x + d y)."""
    first, second, across = matrix
    a, b, c, d = (0, first, second, 0) if across else (first, 0, 0, second)
    plain = write_video(tmp_path / "plain.mp4", FRAMES[:3])
    path = write_video(tmp_path / "a.mp4", FRAMES[:3])
    write_matrix(path, (a, b, c, d))
    (stored,) = read_frames(plain, [1])
    y, x = np.indices(stored.shape[:2])
    right, down = a * x + c * y, b * x + d * y
    shown = np.zeros((np.ptp(down) + 1, np.ptp(right) + 1, 3), np.uint8)
    shown[down - down.min(), right - right.min()] = stored
    for backend in ("auto", "pyav"):
        (frame,) = read_frames(path, [1], backend=backend)
        assert np.array_equal(frame, shown)
    facts = probe(path)
    assert (facts.height, facts.width) == shown.shape[:2]
    assert facts.mirrored == (a * d - b * c < 0)


@pytest.mark.parametrize("name", ["late.mkv", "late.mts", "late.mp4"])
def test_a_recording_that_begins_without_a_key_frame(tmp_path: Path, name: str) -> None:
    """A cut-out starts with the first frame that can be decoded, not with grey ones before it."""
    whole = write_video(tmp_path / "whole.mkv", FRAMES, options=OPEN_AT_20)
    path = tmp_path / name
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 5:
                packet.stream = stream
                out.mux(packet)
    assert numbers(path) == list(range(20, 60))
    assert timestamps(path) == pytest.approx(np.arange(40) / 25)
    # of the first packet that is left, 15 frames before
    assert probe(path).start_s == pytest.approx(15 / 25, abs=0.01)
    assert probe(whole).start_s == 0


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_of_several_pictures_the_one_that_is_shown(tmp_path: Path, suffix: str) -> None:
    """The default one; without such a mark the largest. decord might take another."""
    preview = write_video(tmp_path / "a.mp4", [np.zeros((48, 64, 3), np.uint8)] * 60)
    film = write_video(tmp_path / "b.mp4", FRAMES)
    path = side_by_side(tmp_path / f"both.{suffix}", [preview, film], default=1)
    facts = probe(path)
    assert (facts.width, facts.height, facts.n_streams) == (128, 96, 2)
    assert numbers(path) == list(range(60))
    path = side_by_side(tmp_path / "other.mkv", [preview, film], default=0)
    assert (probe(path).width, probe(path).height) == (64, 48)


@pytest.mark.parametrize(
    ("aspect", "rotation", "shape"),
    [("16/11", 0, (96, 186)), ("1/2", 0, (192, 128)), ("2/1", 90, (256, 96))],
)
def test_pixels_are_made_square(
    tmp_path: Path, aspect: str, rotation: int, shape: tuple[int, int]
) -> None:
    """A square that a camcorder films is a square again, before the picture is turned."""
    value = float(aspect.split("/")[0]) / float(aspect.split("/")[1])
    # what the camera stores of a square of 40 x 40: as much narrower as its pixels are wide
    stored = np.zeros((96, 128, 3), np.uint8)
    height, width = round(40 * min(value, 1)), round(40 / max(value, 1))
    stored[20 : 20 + height, 30 : 30 + width] = 255
    options = {"x264-params": f"sar={aspect}", "qp": "1"}
    path = write_video(tmp_path / "a.mov", [stored] * 3, options=options, rotation=rotation)
    (frame,) = read_frames(path, [1])
    assert frame.shape[:2] == shape
    assert (probe(path).height, probe(path).width) == shape
    bright = frame[..., 1] > 127
    assert bright.any(axis=1).sum() == pytest.approx(40, abs=2)
    assert bright.any(axis=0).sum() == pytest.approx(40, abs=2)


def test_a_header_with_absurd_pixels_is_not_followed(tmp_path: Path) -> None:
    """One damaged number does not make a picture of thousands of columns."""
    path = write_video(tmp_path / "a.mp4", FRAMES[:3], options={"x264-params": "sar=10/1"})
    assert probe(path).pixel_aspect == 10
    assert (probe(path).width, probe(path).height) == (128, 96)
    assert numbers(path) == [0, 1, 2]


@pytest.mark.parametrize(
    ("pix_fmt", "options"),
    [
        ("yuv420p10le", {}),
        ("yuv420p10le", {"x264-params": "colorprim=bt2020:transfer=arib-std-b67"}),
        ("yuv422p", {"flags": "+ildct", "x264-params": "tff=1"}),
        ("gray", {"x264-params": "fullrange=on"}),
    ],
)
def test_depth_and_fields_change_no_frame(
    tmp_path: Path, pix_fmt: str, options: dict[str, str]
) -> None:
    """Ten bits, interlaced, without colour: all frames, in order, as they were drawn; HDR is said.

    What becomes of the pixels of HDR is told by the tests of tones.
    """
    path = write_video(tmp_path / "a.mkv", FRAMES, pix_fmt=pix_fmt, options=options | {"qp": "1"})
    assert numbers(path) == list(range(60))
    hdr = probe(path).hdr
    assert hdr == ("arib-std-b67" in str(options))
    if not hdr:
        drawn = np.stack(FRAMES).astype(float)
        if pix_fmt == "gray":
            # luma as ITU-R BT.601 has it
            drawn = (drawn @ [0.299, 0.587, 0.114])[..., None]
        # without the numbers, whose edges are sharper than colours are stored
        error = np.abs(np.stack(list(read_frames(path, range(60)))) - drawn)[:, 28:]
        assert error.max() <= 6
        assert error.mean() < 1.5


def test_odd_sizes_lose_no_row(tmp_path: Path) -> None:
    """A window that was recorded has any size."""
    path = write_video(tmp_path / "a.mkv", numbered_frames(4, 97, 127), pix_fmt="yuv444p")
    assert {frame.shape for frame in read_frames(path, range(4))} == {(97, 127, 3)}
    assert numbers(path) == [0, 1, 2, 3]


@pytest.mark.parametrize("factor", [0.25, 40.0])
def test_a_duration_that_lies_changes_nothing(tmp_path: Path, factor: float) -> None:
    """Windows follow the frames' own times; the header's duration is not used for them."""
    path = write_video(tmp_path / "a.mp4", FRAMES, fps=10)
    honest = probe(path)
    content = bytearray(path.read_bytes())
    # version 0: after the name 4 of version and flags, 8 of times, 4 of time scale
    place = content.index(b"mvhd") + 4 + 4 + 8 + 4
    told = int.from_bytes(content[place : place + 4], "big")
    content[place : place + 4] = round(told * factor).to_bytes(4, "big")
    path.write_bytes(content)
    lying = probe(path)
    assert lying.duration_s == honest.duration_s == pytest.approx(6.0)
    protocol = read_protocol("emoclip")
    assert plan(lying.times_s, protocol).segments == plan(honest.times_s, protocol).segments


def say_twice_in_matroska(content: bytearray) -> None:
    """Double the duration of the whole (a float of 8 bytes) and that of a frame, in ns."""
    whole = content.index(b"\x44\x89\x88") + 3
    struct.pack_into(">d", content, whole, 2 * struct.unpack_from(">d", content, whole)[0])
    frame = content.index(b"\x23\xe3\x83\x84") + 4
    struct.pack_into(">I", content, frame, 2 * struct.unpack_from(">I", content, frame)[0])


def say_twice_in_avi(content: bytearray) -> None:
    """Double the number of frames in the header of the file and in that of the stream."""
    for name, place in ((b"avih", 16), (b"strh", 32)):
        at = content.index(name) + 8 + place
        struct.pack_into("<I", content, at, 2 * struct.unpack_from("<I", content, at)[0])


@pytest.mark.parametrize(
    ("name", "say_twice"), [("a.mkv", say_twice_in_matroska), ("a.avi", say_twice_in_avi)]
)
def test_frames_are_believed_where_the_header_says_twice_the_time(
    tmp_path: Path, name: str, say_twice: Callable[[bytearray], None]
) -> None:
    """The times that stand at the frames count, and as many frames as there are."""
    path = write_video(tmp_path / name, FRAMES, fps=10, options={"bf": "0"})
    content = bytearray(path.read_bytes())
    say_twice(content)
    path.write_bytes(content)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(2 * 6.0 * 1e6, rel=0.02)
    facts = probe(path)
    assert facts.times_s == pytest.approx(np.arange(60) / 10)
    assert facts.duration_s == pytest.approx(6.0)
    assert facts.fps_mean == pytest.approx(10)
    assert facts.n_frames_decoded == 60
    assert numbers(path) == list(range(60))


def test_a_start_that_the_file_names_is_kept(tmp_path: Path) -> None:
    """Frames before an edit list's start are never shown, and the first shown is at 0."""
    path = write_video(tmp_path / "a.mp4", FRAMES, fps=10, options={"g": "60", "bf": "0"})
    content = bytearray(path.read_bytes())
    # of the only entry: duration, then where in the media it begins, in the media's own clock
    entry = content.index(b"elst") + 4 + 4 + 4
    scale = content.index(b"mdhd") + 4 + 4 + 8
    ticks_s = int.from_bytes(content[scale : scale + 4], "big")
    content[entry + 4 : entry + 8] = (2 * ticks_s).to_bytes(4, "big")
    path.write_bytes(content)
    assert numbers(path) == list(range(20, 60))
    assert timestamps(path) == pytest.approx(np.arange(40) / 10)
