from __future__ import annotations

import json
from pathlib import Path

import av
import pandas as pd
import pytest

from emoclip_clinic.demo.cohort import make_cohort
from emoclip_clinic.errors import TooFewError
from emoclip_clinic.scales import load_scale


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"participant": str, "session": str})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight people, two of them seen twice, one second each."""
    folder = tmp_path_factory.mktemp("cohort")
    make_cohort(folder, seed=3, n_participants=8, duration_s=1)
    return folder


def recordings(folder: Path) -> dict[str, Path]:
    paths = sorted((folder / "interviews").rglob("*.mp4"))
    return {path.name.removesuffix("_task-interview_video.mp4"): path for path in paths}


def test_every_visit_has_a_recording_that_plays_but_the_truncated_one(cohort: Path) -> None:
    """H.264 at 25 frames a second in BIDS folders; the one cut short is named in the truth."""
    truth = json.loads((cohort / "truth" / "truth.json").read_text())
    cut = [row["id"] for row in truth["exclusions"] if row["unit"] == "recording"]
    found = recordings(cohort)
    latent = read(cohort / "truth" / "latent.csv")
    assert list(found) == [f"sub-{p}_ses-{s}" for p, s in latent[["participant", "session"]].values]
    for recording, path in found.items():
        if recording in cut:
            with pytest.raises(av.error.InvalidDataError):
                av.open(str(path))
            continue
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert stream.average_rate == 25
            assert len(list(container.decode(stream))) == 25
    assert len(cut) == 1


def test_ratings_fit_the_scale_and_one_visit_has_none(cohort: Path) -> None:
    """Three raters, whole numbers in range, some missing, the unrated visit named in the truth."""
    scale = load_scale("panss")
    ratings = read(cohort / "ratings.csv")
    assert list(ratings) == ["participant", "session", "rater", "scale", "item", "value"]
    assert set(ratings["item"]) == set(scale.codes)
    assert ratings["value"].between(1, 7).all()
    assert (ratings["value"] % 1 == 0).all()
    assert ratings["rater"].nunique() == 3
    assert not ratings.duplicated(["participant", "session", "rater", "item"]).any()
    truth = json.loads((cohort / "truth" / "truth.json").read_text())
    unrated = [row["id"] for row in truth["exclusions"] if row["unit"] == "rating"]
    rated = set("sub-" + ratings["participant"] + "_ses-" + ratings["session"])
    assert set(recordings(cohort)) - rated == set(unrated)
    assert len(ratings) < len(rated) * 3 * len(scale.codes)
    assert set(truth["targets"]) == {*scale.codes, *(score.id for score in scale.scores)}
    people = read(cohort / "participants.csv")
    assert set(people["site"]) == {"A", "B"}
    assert set(people["participant"]) == set(ratings["participant"])


def test_equal_seeds_give_equal_bytes(cohort: Path, tmp_path: Path) -> None:
    """Tables, truth and films; another seed gives other people."""
    done = []
    make_cohort(tmp_path / "a", 3, 8, 1, progress=lambda what, n, total: done.append((n, total)))
    make_cohort(tmp_path / "b", 4, 8, 1)
    files = sorted(path.relative_to(cohort) for path in cohort.rglob("*") if path.is_file())
    assert all(
        (tmp_path / "a" / file).read_bytes() == (cohort / file).read_bytes() for file in files
    )
    other = tmp_path / "b" / "ratings.csv"
    assert other.read_bytes() != (cohort / "ratings.csv").read_bytes()
    assert done == [(n, 10) for n in range(1, 11)]


def test_expressivity_drives_the_face_and_the_negative_items(tmp_path: Path) -> None:
    """Over 150 visits: strongly what the loadings name, not at all the positive items."""
    make_cohort(tmp_path, n_participants=120, duration_s=0.04)
    keys = ["participant", "session"]
    latent = read(tmp_path / "truth" / "latent.csv").set_index(keys)
    ratings = read(tmp_path / "ratings.csv")
    items = ratings.groupby([*keys, "item"])["value"].mean().unstack()
    with_items = items.corrwith(latent["expressivity"])
    assert with_items["N1"] < -0.8
    assert with_items[["N3", "N6", "G7"]].max() < -0.6
    assert with_items[["P1", "P2", "P3", "P4", "P5", "P6", "P7"]].abs().max() < 0.3
    with_face = latent.corr()["expressivity"]
    assert with_face[["smile", "brow", "blinks_per_min", "head"]].min() > 0.75


def test_a_cohort_that_is_too_small_is_refused(tmp_path: Path) -> None:
    """Two people must be seen twice: one for each intended exclusion."""
    with pytest.raises(TooFewError, match="at least 8"):
        make_cohort(tmp_path, n_participants=7)
