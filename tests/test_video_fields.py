"""Frames of two fields become whole pictures; the truth is a bar that moves from field to field."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.probe import probe, timestamps
from emoclip_clinic.video.reader import read_frames
from tests.videos import frame_number, numbered_frames, write_video

Frame = npt.NDArray[np.uint8]

HEIGHT, WIDTH, N = 96, 128, 12
FIELDS = {"flags": "+ildct", "x264-params": "bff=1", "qp": "4"}
"""Odd rows first, as DV does."""

needs_decord = pytest.mark.skipif(
    importlib.util.find_spec("decord") is None, reason="decord is not installed"
)


def bar(moment: int) -> Frame:
    """Draw a bright bar, four pixels further to the right at each moment."""
    frame = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    frame[:, 4 * moment :][:, :16] = 220
    return frame


def woven(number: int) -> Frame:
    """Film two moments: the odd rows at the first, the even ones at the second."""
    frame = bar(2 * number)
    frame[::2] = bar(2 * number + 1)[::2]
    return frame


def combing(frame: Frame) -> float:
    """Mean difference of each row from the mean of its neighbours."""
    grey = frame[..., 1].astype(float)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


@pytest.fixture
def interlaced(tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mkv", [woven(k) for k in range(N)], options=FIELDS)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "options"),
    [
        ("yuv420p", "libx264", FIELDS),
        ("yuv422p", "libx264", FIELDS),
        ("yuv420p", "mpeg2video", {"flags": "+ildct+ilme", "q": "2"}),
    ],
)
def test_each_frame_shows_the_moment_of_its_first_field(
    tmp_path: Path, pix_fmt: str, codec: str, options: dict[str, str]
) -> None:
    """Not the other field's, and no comb of both."""
    frames = [woven(k) for k in range(N)]
    path = write_video(tmp_path / "a.mkv", frames, codec=codec, options=options, pix_fmt=pix_fmt)
    made = list(read_frames(path, range(N)))
    assert min(map(combing, frames)) > 10
    assert max(map(combing, made)) < 1.5
    for number, frame in enumerate(made):
        assert np.abs(frame.astype(int) - bar(2 * number)).mean() < 2.5
    assert probe(path).interlaced_share == 1


def test_any_frames_are_the_same_as_all_in_order(interlaced: Path) -> None:
    """Whatever else is read."""
    every = list(read_frames(interlaced, range(N), times_s=timestamps(interlaced)))
    for wanted in ([0], [7], [N - 1], range(1, N, 5)):
        some = list(read_frames(interlaced, wanted, backend="auto"))
        assert all(np.array_equal(one, every[k]) for one, k in zip(some, wanted, strict=True))


@needs_decord
def test_decord_reads_no_fields(interlaced: Path) -> None:
    """It would leave the comb."""
    with pytest.raises(RecordingError, match="whole pictures of fields"):
        next(read_frames(interlaced, [0], backend="decord"))


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_no_frame_is_lost_or_moved(tmp_path: Path, n: int) -> None:
    """As many frames as decode, in their order, turned as the file says."""
    path = write_video(tmp_path / "a.mov", numbered_frames(n), options=FIELDS, rotation=90)
    made = [np.rot90(frame) for frame in read_frames(path, range(len(timestamps(path))))]
    assert [frame_number(frame) for frame in made] == list(range(n))


def test_what_does_not_move_keeps_its_rows(tmp_path: Path) -> None:
    """Rows of both fields are used where nothing moves: lines of one row stay."""
    still = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    still[10:20:2] = 200
    path = write_video(tmp_path / "a.mkv", [still] * 8, options=FIELDS)
    for frame in list(read_frames(path, range(8)))[1:]:
        assert np.abs(frame[..., 1].astype(int) - still[..., 1]).max() < 12


def test_fields_and_pictures_in_one_file(tmp_path: Path) -> None:
    """Only frames of two fields are changed, and a change of size is one as before."""
    plain = {"bf": "0", "qp": "4"}
    times_s = np.arange(3 * N) / 25
    parts = [
        write_video(tmp_path / "a.ts", numbered_frames(N), pts=times_s[:N], options=plain),
        write_video(
            tmp_path / "b.ts", [woven(k) for k in range(N)], pts=times_s[N : 2 * N],
            options=FIELDS | {"bf": "0"},
        ),
        write_video(
            tmp_path / "c.ts", numbered_frames(3 * N, 192, 256)[2 * N :], pts=times_s[2 * N :],
            options=FIELDS | {"bf": "0"},
        ),
    ]  # fmt: skip
    path = tmp_path / "all.mts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    made = list(read_frames(path, range(3 * N)))
    assert [frame_number(frame) for frame in made[:N]] == list(range(N))
    assert max(map(combing, made[N : 2 * N])) < 1.5
    assert [frame_number(frame) for frame in made[2 * N :]] == list(range(2 * N, 3 * N))
    assert probe(path).interlaced_share == pytest.approx(2 / 3)
