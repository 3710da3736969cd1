from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.clips import count_frames, list_images, n_missing, read_clip
from tests.clip_sets import write_frames
from tests.videos import frame_number, numbered_frames, write_video


def test_frames_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Written last first, without leading zeros: 2 comes before 10, whatever the disk lists."""
    write_frames(tmp_path / "clip", range(12), digits=0)
    (tmp_path / "clip" / "._3.png").write_bytes(b"x")
    (tmp_path / "clip" / "notes.txt").write_text("x")
    assert count_frames(tmp_path / "clip") == 12
    read = read_clip(tmp_path / "clip", [10, 2, 2, 0])
    assert [frame_number(frame) for frame in read] == [10, 2, 2, 0]


def test_gaps_are_counted_and_read_over(tmp_path: Path) -> None:
    """Positions count the frames that there are."""
    write_frames(tmp_path / "clip", [1, 2, 5, 9])
    assert n_missing(list_images(tmp_path / "clip")) == 5
    assert [frame_number(frame) for frame in read_clip(tmp_path / "clip", [1, 2])] == [2, 5]


def test_a_video_is_a_clip_too(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", numbered_frames(9))
    assert count_frames(path) == 9
    assert [frame_number(frame) for frame in read_clip(path, [8, 3, 3])] == [8, 3, 3]


def test_frames_are_read_beside_videos(tmp_path: Path) -> None:
    """In a process that begins with the reader of videos, whose library brings its own zlib."""
    write_frames(tmp_path / "clip", [5])
    program = """if True:
        import sys
        from pathlib import Path
        from emoclip_clinic.video.reader import read_frames
        from emoclip_clinic.video.clips import read_clip
        print(read_clip(Path(sys.argv[1]), [0])[0].shape)
    """
    words = [sys.executable, "-c", program, str(tmp_path / "clip")]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "(32, 40, 3)", answer.stderr


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A short reason, without the path."""
    folder = tmp_path / "clip"
    with pytest.raises(RecordingError, match="cannot be opened"):
        list_images(folder)
    folder.mkdir()
    with pytest.raises(RecordingError, match="no frame in its folder"):
        count_frames(folder)
    (folder / "1.jpg").write_bytes(b"")
    (folder / "2.jpg").write_bytes(b"no image")
    with pytest.raises(RecordingError, match=r"1\.jpg is empty"):
        read_clip(folder, [0])
    with pytest.raises(RecordingError, match=r"2\.jpg does not decode"):
        read_clip(folder, [1])
    with pytest.raises(RecordingError, match="the last is 1"):
        read_clip(folder, [2])
