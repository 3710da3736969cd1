from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from videos import frame_number, numbered_frames, write_video

from emoclip_clinic.encoder.preprocess import preprocess
from emoclip_clinic.errors import ClinicError
from emoclip_clinic.training.manifest import ManifestClips, read_manifest
from emoclip_clinic.video.reader import read_frames


def test_clips_are_read_from_the_videos_of_the_manifest(tmp_path: Path) -> None:
    """A relative video is found beside the sheet; each clip comes with its own caption."""
    (tmp_path / "vidéos").mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "vidéos" / f"{name}.mp4", numbered_frames(9))
    sheet = tmp_path / "manifest.csv"
    sheet.write_text('caption;video\n"a smile, at last";vidéos/b.mp4\nno smile;vidéos/a.mp4\n')
    seen = []

    def read(path: Path) -> np.ndarray:
        frames = np.stack(list(read_frames(path, [0, 4, 8])))
        seen.append((path.name, [frame_number(frame) for frame in frames]))
        return frames

    def prepare(frames: np.ndarray) -> torch.Tensor:
        return preprocess(torch.from_numpy(frames), 32)

    clips = ManifestClips(read_manifest(sheet), read, prepare)
    assert len(clips) == 2
    assert [text for _, text in clips] == ["a smile, at last", "no smile"]
    assert clips[1][0].shape == (3, 3, 32, 32)
    assert len(clips[1:]) == 1
    assert seen[:2] == [("b.mp4", [0, 4, 8]), ("a.mp4", [0, 4, 8])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,words\na.mp4,smile\n", "has no column caption"),
        ("video,caption\nb.mp4,smile\n", "row 2: there is no video 'b.mp4'"),
        ("video,caption\na.mp4,smile\na.mp4,\n", "row 3: the caption is empty"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(tmp_path: Path, text: str, message: str) -> None:
    """The message names the sheet's row, or the column that is missing."""
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ClinicError, match=message):
        read_manifest(tmp_path / "manifest.csv")
