from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.lead import lead_s
from emoclip_clinic.video.probe import timestamps
from emoclip_clinic.video.reader import read_frames
from tests.videos import frame_number, numbered_frames, wipe_frames, write_audio, write_video

FPS = 25
TIMES_S = (np.arange(30) / FPS).tolist()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("late_s", [0.0, 0.4, 2.0])
def test_pictures_that_begin_after_the_sound_are_late(
    suffix: str, late_s: float, tmp_path: Path
) -> None:
    """The frame shown first is shown when the sound has run for so long."""
    times = [late_s + time for time in TIMES_S]
    path = write_video(tmp_path / f"a.{suffix}", numbered_frames(30), pts=times, audio=True)
    # the sound's encoder runs ahead by 1024 samples of 16 kHz, which Matroska does not play
    assert lead_s(path) == pytest.approx(late_s, abs=0.065)


def test_a_clock_that_does_not_begin_at_0_is_no_lead(tmp_path: Path) -> None:
    """MPEG-TS begins at 1.4 s or anywhere: players show 0."""
    path = write_video(tmp_path / "a.ts", numbered_frames(30), audio=True)
    assert lead_s(path) == pytest.approx(0, abs=0.05)


def test_a_start_that_does_not_decode_is_a_lead(tmp_path: Path) -> None:
    """Where the first frames are damaged, the frames' clock begins at the first that decodes."""
    # every frame by itself
    options = {"g": "1"}
    path = write_video(tmp_path / "a.mp4", numbered_frames(30), options=options)
    wipe_frames(path, range(7))
    first = frame_number(next(iter(read_frames(path, [0], backend="pyav"))))
    assert timestamps(path)[0] == 0
    assert lead_s(path) == pytest.approx(first / FPS, abs=0.002)
    assert first >= 7


def test_what_has_no_picture_is_refused(tmp_path: Path) -> None:
    """As by every reader."""
    with pytest.raises(RecordingError, match="audio only"):
        lead_s(write_audio(tmp_path / "a.m4a"))
