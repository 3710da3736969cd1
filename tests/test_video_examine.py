"""The row of a recording and its quality measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from videos import numbered_frames, wipe_frames, write_video

from emoclip_clinic.flags import MEASURED_COLUMNS, WarningLimits, flagged
from emoclip_clinic.recordings import recording_table
from emoclip_clinic.scan import scan
from emoclip_clinic.video.examine import examine

DIGEST = "0" * 64
TEXTURE = np.random.default_rng(0).integers(60, 200, (240, 320, 1), dtype=np.uint8)


def frames(n: int) -> list[np.ndarray]:
    """Roll a sharp texture sideways."""
    return [np.repeat(np.roll(TEXTURE, number, axis=1), 3, axis=-1) for number in range(n)]


def measures(folder: Path) -> pd.DataFrame:
    (found,) = scan(folder).found
    row, quality = examine(found, "x.mp4", DIGEST)
    assert row.status == "usable"
    assert list(quality.columns) == list(MEASURED_COLUMNS)
    assert set(quality["recording"]) == {row.recording}
    return quality.set_index("measure")


def warnings(folder: Path) -> dict[str, str]:
    table = flagged(measures(folder).reset_index(), WarningLimits()).set_index("measure")
    return table.loc[table["flag"] == "warn", "note"].to_dict()


def test_a_good_recording_warns_of_nothing(tmp_path: Path) -> None:
    """Every measure is there, with a unit and without a note."""
    write_video(tmp_path / "sub-1_ses-2.mp4", frames(130), options={"preset": "ultrafast"})
    table = measures(tmp_path)
    assert warnings(tmp_path) == {}
    assert table.loc["duration", "value"] == pytest.approx(5.2)
    assert table.loc["frame_rate", "value"] == pytest.approx(25)
    assert table.loc["longest_gap", "value"] == pytest.approx(0.04)
    assert table.loc["short_side", "value"] == 240
    assert (table["unit"] != "").all()
    assert np.isfinite(table["value"]).all()


def test_the_row_has_the_facts(tmp_path: Path) -> None:
    """Identity from the path, facts from the file."""
    path = write_video(tmp_path / "sub-007_ses-2.mp4", frames(10), rotation=90)
    (found,) = scan(tmp_path).found
    row, _ = examine(found, "in/sub-007_ses-2.mp4", DIGEST)
    assert (row.recording, row.participant, row.session) == ("sub-007_ses-2", "007", "2")
    assert (row.path, row.sha256, row.size_bytes) == (
        "in/sub-007_ses-2.mp4", DIGEST, path.stat().st_size,
    )  # fmt: skip
    assert (row.width, row.height, row.rotation_deg) == (240, 320, 90)
    assert (row.n_frames_header, row.n_frames_decoded) == (10, 10)


def test_what_is_poor_is_said(tmp_path: Path) -> None:
    """Short, small, dark, blurred, slow and with a gap: each measure warns by itself."""
    dark = [frame // 12 for frame in numbered_frames(20)]
    times_s = [*np.arange(10) / 10, *(3 + np.arange(10) / 10)]
    write_video(tmp_path / "1.mp4", dark, pts=times_s)
    found = warnings(tmp_path)
    assert set(found) == {
        "longest_gap", "duration", "frame_rate", "short_side", "brightness", "sharpness",
    }  # fmt: skip
    assert found["longest_gap"] == "the same picture for 2.1 s from 0.9 s on"
    assert found["brightness"] == "dark"


def test_a_pause_is_a_gap_and_not_few_frames_a_second(tmp_path: Path) -> None:
    """24 frames a second stay so however long nothing was filmed; the mean rate is another fact."""
    times_s = [*np.arange(72) / 24, *(20 + np.arange(72) / 24)]
    path = write_video(tmp_path / "1.mp4", frames(144), pts=times_s)
    assert set(warnings(tmp_path)) == {"longest_gap"}
    assert measures(tmp_path).loc["frame_rate", "value"] == pytest.approx(24, abs=0.01)
    (found,) = scan(tmp_path).found
    row, _ = examine(found, path.name, DIGEST)
    assert row.fps_mean == pytest.approx(144 / 23, abs=0.01)


def test_missing_frames_are_counted(tmp_path: Path) -> None:
    """A recording that decodes partly is usable, and says what is missing and where."""
    write_video(tmp_path / "1.mp4", frames(50), options={"g": "1", "bf": "0"})
    wipe_frames(tmp_path / "1.mp4", range(20, 25))
    found = warnings(tmp_path)
    assert found["frames_missing"] == "header 50, 45 decode"
    assert found["damaged_packets"] == "the first at 0.8 s"
    assert measures(tmp_path).loc["frames_missing", "value"] == 5


def test_a_file_that_cannot_be_read_is_a_row_with_its_reason(tmp_path: Path) -> None:
    """Nothing is raised; the other recordings go on; the row fits the table."""
    (tmp_path / "1.mp4").write_bytes(b"")
    (tmp_path / "2.mp4").write_text("notes")
    (tmp_path / "3.mp4").symlink_to(tmp_path / "nowhere")
    rows = []
    for found in scan(tmp_path).found:
        row, quality = examine(found, found.path.name, DIGEST)
        rows.append(row)
        assert len(quality) == 0
    table = recording_table(rows)
    assert set(table["status"]) == {"excluded"}
    assert table["reason"].tolist() == [
        "empty file (zero bytes)",
        "not a video file",
        "the file cannot be opened: No such file or directory",
    ]
    assert table["size_bytes"].tolist() == [0, 5, 0]
