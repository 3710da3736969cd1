"""Damaged recordings, many: each gives finite features or a row with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.recordings import read_recordings
from tests import small_study
from tests.conftest import SHARED
from tests.mutations import mutate, shortened
from tests.two_people import drawn, side_by_side
from tests.videos import numbered_frames, write_video

Frame = npt.NDArray[np.uint8]

# `make fuzz N=...` asks for more
N_FILES = int(os.environ.get("FUZZ_FILES", "200"))
SEED = int(os.environ.get("FUZZ_SEED", "6"))
N_A_STUDY = 50
FRAMES = numbered_frames(24, 64, 96)
WITH_FACES = 4
"""In every so many studies faces are looked for: this takes longer."""
KNOWN = (
    "face_fraction", "face_size_px", "face_sharpness", "face_brightness", "face_clipped",
    "longest_gap_s",
)  # fmt: skip
"""Of every window that is used; the pose needs landmarks, which Haar does not give."""


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Shorten real recordings where they are at hand."""
    folder = tmp_path_factory.mktemp("real")
    found = sorted((SHARED / "videos").glob("*.m*[4v]")) if SHARED.is_dir() else []
    return [shortened(path, folder / path.name, 24) for path in found]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, real: list[Path]) -> list[Path]:
    """Make a recording of each kind, without faces."""
    return of_each_kind(tmp_path_factory.mktemp("plain"), FRAMES) + real


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory, real: list[Path]) -> list[Path]:
    """Make a recording of each kind, of two people who change places."""
    frames = side_by_side(drawn(0, 24, 128), drawn(1, 24, 128), [12])
    return of_each_kind(tmp_path_factory.mktemp("peopled"), frames) + real


def of_each_kind(folder: Path, frames: list[Frame]) -> list[Path]:
    return [
        write_video(folder / "b-frames.mp4", frames, fps=10, audio=True),
        write_video(
            folder / "index-first.mp4", frames, 10, container_options={"movflags": "faststart"}
        ),
        write_video(folder / "turned.mov", frames, fps=10, rotation=90),
        write_video(folder / "a.mkv", frames, fps=10, pix_fmt="yuv420p10le"),
        write_video(folder / "a.webm", frames, fps=10, codec="libvpx-vp9"),
        write_video(folder / "a.avi", frames, fps=10, codec="mpeg4"),
        write_video(folder / "a.mts", frames, fps=10),
    ]


@pytest.mark.parametrize("part", range(-(-N_FILES // N_A_STUDY)))
def test_no_damage_takes_the_run_down(
    request: pytest.FixtureRequest, tmp_path: Path, part: int
) -> None:
    """`encode` ends, and says of each file what became of it; no number is missing silently."""
    study, folder = tmp_path / "study", tmp_path / "study" / "interviews"
    small_study.write_settings(study)
    # the last of the first ones is one with faces
    faces = "haar" if part % WITH_FACES == WITH_FACES - 1 else "none"
    sources = request.getfixturevalue("peopled" if faces == "haar" else "plain")
    for number in range(part * N_A_STUDY, min((part + 1) * N_A_STUDY, N_FILES)):
        rng = np.random.default_rng([SEED, number])
        source = sources[number % len(sources)]
        path = folder / f"F{number:05d}" / f"interview{source.suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(mutate(source.read_bytes(), rng))
    result = ec.pipeline.encode(ec.Study(study), folder, faces=faces)
    table = read_recordings(study / "recordings.csv")
    assert len(table) == len(list(folder.iterdir()))
    used = check_tables(study)
    lost = set(result.exclusions["id"])
    assert used | lost == set(table["recording"])
    assert not used & lost
    assert used, "some damage is harmless"
    assert lost, "some is not"
    assert (result.exclusions["reason"].str.len() > 3).all()


def check_tables(study: Path) -> set[str]:
    """Check every number of a study; give the recordings of which windows are used."""
    quality = pd.read_csv(study / "quality.csv")
    assert np.isfinite(quality["value"]).all()
    folder = study / "features" / "emoclip-demo"
    segments = pd.read_csv(folder / "segments.csv", dtype={"reason": str})
    used = segments[segments["status"] == "used"]
    assert np.isfinite(used[["start_s", "stop_s", "n_frames", "face_fraction"]]).all(axis=None)
    assert (used["stop_s"] > used["start_s"]).all()
    assert segments.loc[segments["status"] != "used", "reason"].notna().all()
    check_looks(pd.read_csv(folder / "quality_windows.csv"), used)
    for name, rows in used.groupby("recording"):
        vectors = features.read(folder / f"{name}.safetensors").vectors
        assert len(vectors) == len(rows)
        assert np.isfinite(vectors).all()
    return set(used["recording"])


def check_looks(every: pd.DataFrame, used: pd.DataFrame) -> None:
    """Check that what can be known of each window that is used is known."""
    looks = every[every["status"] == "used"].reset_index(drop=True)
    assert len(looks) == len(used)
    assert np.isfinite(looks[list(KNOWN)]).all(axis=None), looks
    # of one frame nobody can say whether it stands still
    several = used["n_frames"].reset_index(drop=True) > 1
    assert np.isfinite(looks.loc[several, "frozen_fraction"]).all(), looks
