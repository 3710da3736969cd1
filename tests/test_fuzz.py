"""Damaged recordings, many: each gives finite features or a row with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.recordings import read_recordings
from tests import small_study
from tests.conftest import SHARED
from tests.mutations import mutate, shortened
from tests.videos import numbered_frames, write_video

# `make fuzz N=...` asks for more
N_FILES = int(os.environ.get("FUZZ_FILES", "200"))
SEED = int(os.environ.get("FUZZ_SEED", "6"))
N_A_STUDY = 50
FRAMES = numbered_frames(24, 64, 96)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Make a recording of each kind, and shorten real ones where they are at hand."""
    folder = tmp_path_factory.mktemp("sources")
    made = [
        write_video(folder / "b-frames.mp4", FRAMES, fps=10, audio=True),
        write_video(
            folder / "index-first.mp4", FRAMES, 10, container_options={"movflags": "faststart"}
        ),
        write_video(folder / "turned.mov", FRAMES, fps=10, rotation=90),
        write_video(folder / "a.mkv", FRAMES, fps=10, pix_fmt="yuv420p10le"),
        write_video(folder / "a.webm", FRAMES, fps=10, codec="libvpx-vp9"),
        write_video(folder / "a.avi", FRAMES, fps=10, codec="mpeg4"),
        write_video(folder / "a.mts", FRAMES, fps=10),
    ]
    real = sorted((SHARED / "videos").glob("*.m*[4v]")) if SHARED.is_dir() else []
    return made + [shortened(path, folder / f"real-{path.name}", 24) for path in real]


@pytest.mark.parametrize("part", range(-(-N_FILES // N_A_STUDY)))
def test_no_damage_takes_the_run_down(sources: list[Path], tmp_path: Path, part: int) -> None:
    """`encode` ends, and says of each file what became of it; no number is missing silently."""
    study, folder = tmp_path / "study", tmp_path / "study" / "interviews"
    small_study.write_settings(study)
    for number in range(part * N_A_STUDY, min((part + 1) * N_A_STUDY, N_FILES)):
        rng = np.random.default_rng([SEED, number])
        source = sources[number % len(sources)]
        path = folder / f"F{number:05d}" / f"interview{source.suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(mutate(source.read_bytes(), rng))
    result = ec.pipeline.encode(ec.Study(study), folder)
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
    for name, rows in used.groupby("recording"):
        vectors = features.read(folder / f"{name}.safetensors").vectors
        assert len(vectors) == len(rows)
        assert np.isfinite(vectors).all()
    return set(used["recording"])
