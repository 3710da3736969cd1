"""Real recordings: what is known of them, and that both readers see the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emoclip_clinic.flags import WarningLimits, flagged
from emoclip_clinic.scan import scan
from emoclip_clinic.video.examine import examine
from emoclip_clinic.video.faces import Haar, YuNet, largest
from emoclip_clinic.video.probe import probe, timestamps
from emoclip_clinic.video.reader import read_frames

# name: width, height, frames in the header, frames that decode, variable rate, mean rate, duration
FACTS = {
    "WolfgangLanger_Pexels.mp4": (640, 360, 472, 472, False, 23.98, 19.7),
    "single_face.mp4": (640, 360, 72, 72, False, 30, 2.4),
    "face_noface.mov": (960, 540, 169, 169, True, 26.4, 6.4),
    "no_face.mp4": (960, 540, 98, 95, False, 24, 3.96),
}
names = pytest.mark.parametrize("name", FACTS)


@names
def test_facts(shared: Path, name: str) -> None:
    """The probe finds what is written beside the recordings."""
    facts = probe(shared / "videos" / name)
    width, height, n_header, n_decoded, variable, fps, duration_s = FACTS[name]
    assert (facts.width, facts.height) == (width, height)
    assert (facts.n_frames_header, facts.n_frames_decoded) == (n_header, n_decoded)
    assert facts.variable_rate is variable
    assert facts.fps_mean == pytest.approx(fps, abs=0.05)
    assert facts.duration_s == pytest.approx(duration_s, abs=0.06)
    assert np.array_equal(timestamps(shared / "videos" / name, n_decoded), facts.times_s)


def test_a_folder_of_recordings(shared: Path) -> None:
    """All four are usable, the one with hidden frames says so, the rest is left alone."""
    result = scan(shared / "videos")
    assert {path.name for path in result.left_alone} == {"README.md", "multi_face.jpg"}
    examined = [examine(found, found.path.name, "0" * 64) for found in result.found]
    assert {row.status for row, _ in examined} == {"usable"}
    warned = {
        row.path: set(quality.loc[quality["flag"] == "warn", "measure"])
        for row, quality in ((row, flagged(table, WarningLimits())) for row, table in examined)
    }
    assert warned == {
        "WolfgangLanger_Pexels.mp4": set(),
        "face_noface.mov": set(),
        "no_face.mp4": {"frames_missing", "duration"},
        "single_face.mp4": {"duration"},
    }


@names
def test_both_readers_give_the_same_frames(shared: Path, name: str) -> None:
    """To within rounding, also far apart; the recording with hidden frames is left to PyAV."""
    pytest.importorskip("decord")
    path = shared / "videos" / name
    times_s = timestamps(path)
    some = np.unique(np.linspace(0, len(times_s) - 1, 8).astype(int))
    backend = "auto" if name == "no_face.mp4" else "decord"
    first = np.stack(list(read_frames(path, some, backend="pyav"))).astype(int)
    second = np.stack(list(read_frames(path, some, backend=backend, times_s=times_s)))
    assert np.abs(first - second).max() <= 2


@pytest.mark.parametrize(
    ("name", "yunet", "haar"),
    [
        ("WolfgangLanger_Pexels.mp4", (1, 1), (0.9, 1)),
        ("single_face.mp4", (1, 1), (0.9, 1)),
        ("face_noface.mov", (0.35, 0.45), (0.35, 0.45)),
        ("no_face.mp4", (0, 0), (0, 0)),
    ],
)
def test_the_share_of_frames_with_a_face(
    shared: Path, name: str, yunet: tuple[float, float], haar: tuple[float, float]
) -> None:
    """Either finder finds a face where there is one, and both find it in the same place."""
    finders = YuNet(shared / "weights" / "face_detection_yunet_2023mar.onnx"), Haar()
    path = shared / "videos" / name
    times_s = timestamps(path)
    frames = read_frames(path, range(0, len(times_s), 12), times_s=times_s)
    boxes = [[largest(finder.find(frame)) for finder in finders] for frame in frames]
    shares = np.mean([[box is not None for box in pair] for pair in boxes], axis=0)
    assert yunet[0] <= shares[0] <= yunet[1]
    assert haar[0] <= shares[1] <= haar[1]
    for first, second in boxes:
        if first is not None and second is not None:
            assert first.x < second.x + second.w / 2 < first.x + first.w
            assert first.y < second.y + second.h / 2 < first.y + first.h
