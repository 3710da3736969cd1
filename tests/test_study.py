"""The study folder, its freshness and its provenance."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.settings import Settings
from emoclip_clinic.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study")


def run_stage(study: Study, text: str) -> None:
    """Copy one file, as a stage."""
    stamp = study.stamp("copy", [study.path / "in.txt"], {"seed": 1})
    (study.path / "out.txt").write_text(text)
    study.record(stamp, [study.path / "out.txt"])


def is_fresh(study: Study, seed: int = 1) -> bool:
    return study.is_fresh(study.stamp("copy", [study.path / "in.txt"], {"seed": seed}))


def test_a_stage_is_fresh_until_something_it_depends_on_changes(study: Study) -> None:
    """Inputs, settings and outputs all count, by content."""
    (study.path / "in.txt").write_text("a")
    assert not is_fresh(study)
    run_stage(study, "a")
    assert is_fresh(study)
    assert is_fresh(Study(study.path)), "another process sees the same"
    assert not is_fresh(study, seed=2)
    (study.path / "in.txt").write_text("b")
    assert not is_fresh(study)
    (study.path / "in.txt").write_text("a")
    assert is_fresh(study)
    (study.path / "out.txt").write_text("edited by hand")
    assert not is_fresh(study)
    (study.path / "out.txt").unlink()
    assert not is_fresh(study)


def test_a_new_time_without_new_content_is_no_change(study: Study) -> None:
    """A copied or touched file is the same file."""
    (study.path / "in.txt").write_text("a")
    run_stage(study, "a")
    os.utime(study.path / "in.txt", (1, 1))
    assert is_fresh(study)


def test_an_old_hash_is_not_trusted_for_a_file_that_just_changed(study: Study) -> None:
    """Two writes of equal size within the clock's tick are told apart."""
    path = study.path / "in.txt"
    path.write_text("a")
    first = study.sha256(path)
    state = path.stat()
    path.write_text("b")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert study.sha256(path) != first


def test_a_settled_file_is_not_read_again(study: Study) -> None:
    """Hundreds of gigabytes of video are hashed once."""
    path = study.path / "in.txt"
    path.write_text("a")
    old = time.time() - 3600
    os.utime(path, (old, old))
    first = study.sha256(path)
    study.save_hashes()
    path.write_text("b")
    os.utime(path, (old, old))
    assert Study(study.path).sha256(path) == first


def test_a_damaged_provenance_means_stale_not_a_crash(study: Study) -> None:
    """Half a JSON file, as after a disk failure, makes the stage run again."""
    (study.path / "in.txt").write_text("a")
    for content in (b'{"stage": "co', b"null", b"[1]", b"\xff", b"{}"):
        run_stage(study, "a")
        assert is_fresh(study)
        study.provenance_json("copy").write_bytes(content)
        assert not is_fresh(study), content
        (study.path / "cache" / "hashes.json").write_bytes(content)
        assert not is_fresh(Study(study.path)), content


def test_what_cannot_be_read_is_one_clear_error(study: Study) -> None:
    """A pipe would be waited for; a link may lead in a circle."""
    os.mkfifo(study.path / "pipe")
    (study.path / "circle").symlink_to("circle")
    for name in ("pipe", "circle", "missing"):
        with pytest.raises(StudyError, match=f"cannot read .*{name}"):
            study.sha256(study.path / name)


def test_a_folder_that_is_no_study_says_what_to_do(tmp_path: Path) -> None:
    """The message names the study that lies inside, or how to make one."""
    with pytest.raises(StudyError, match="emoclip-clinic init"):
        Study(tmp_path)
    Study.create(tmp_path / "inner")
    with pytest.raises(StudyError, match="add --study"):
        Study(tmp_path)


def test_create_leaves_an_existing_study_as_it_is(study: Study) -> None:
    """Creating twice loses nothing that the authors wrote."""
    text = "[study]\ntitle = 'Mine'\n"
    (study.path / "study.toml").write_text(text)
    assert Study.create(study.path, Settings()).settings.study.title == "Mine"
    assert (study.path / "study.toml").read_text() == text


def test_the_seed_option_takes_the_place_of_the_setting(study: Study) -> None:
    """--seed wins over study.toml."""
    assert Study(study.path, seed=7).settings.study.seed == 7


def test_no_ratings_says_where_they_were_looked_for(study: Study) -> None:
    """Both places are named, and how to make a sheet."""
    with pytest.raises(RatingsError, match=r"ratings\.csv and ratings/cains\.csv"):
        study.ratings_files("cains")
    (study.path / "ratings").mkdir()
    (study.path / "ratings" / "cains.csv").write_text("")
    assert study.ratings_files("cains") == [study.path / "ratings" / "cains.csv"]
