"""Disks that are full, or that may only be read."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from emoclip_clinic.files import sha256_file
from tests.cli.test_interruption import encode
from tests.command_line import Type
from tests.killed import content

# no file may become larger: what a full disk does to the file that does not fit any more
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
"""


@pytest.fixture
def study(encoded_study: Path, tmp_path: Path) -> Path:
    """Copy a study without what `encode` wrote."""
    study = tmp_path / "study"
    study.mkdir()
    for name in ("study.toml", "ratings.csv"):
        shutil.copy(encoded_study / name, study)
    shutil.copytree(encoded_study / "interviews", study / "interviews")
    return study


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of file size")
@pytest.mark.parametrize("room_bytes", [100, 2500])
def test_a_full_disk_is_one_message_and_costs_nothing(
    encoded_study: Path, study: Path, room_bytes: int
) -> None:
    """No half of a file stays, and with room again the same command ends as on an empty disk."""
    answer = encode(study, FULL.format(room_bytes))
    assert answer.returncode == 1
    assert "cannot write" in answer.stderr
    assert "free some space" in answer.stderr
    assert "Traceback" not in answer.stderr
    whole = content(encoded_study)
    assert content(study).items() <= whole.items()
    assert encode(study).returncode == 0
    assert content(study) == whole


def test_recordings_are_only_read(encoded_study: Path, study: Path, tmp_path: Path) -> None:
    """They may lie on a share that cannot be written: nothing is left or changed there."""
    share = tmp_path / "share"
    shutil.move(study / "interviews", share)
    (study / "interviews").symlink_to(share)
    for place in [*share.rglob("*"), share]:
        place.chmod(0o555 if place.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in [share, *share.rglob("*")]}
    assert encode(study).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in [share, *share.rglob("*")]} == before
    name = "features/emoclip-demo/segments.csv"
    assert sha256_file(study / name) == sha256_file(encoded_study / name)
    for place in [share, *share.rglob("*")]:
        place.chmod(0o755)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="to an administrator nothing is read-only"
)
def test_a_study_that_can_only_be_read_is_said_at_once(cli: Type, study: Path) -> None:
    """Before a recording is decoded, by every command that writes; `export` only reads it."""
    study.chmod(0o555)
    try:
        for words in (
            ("encode", study / "interviews"), ("ingest", study / "interviews"),
            ("review", "--faces", "haar"), ("fit", "--scale", "cains"), ("review", "--clean"),
        ):  # fmt: skip
            answer = cli(*words, "--study", study)
            assert answer.code == 1
            assert f"cannot write in {study}" in answer.err
            assert "make the folder writable" in answer.err
        assert "no recordings are known" in cli("export", "b.zip", "--study", study).err
    finally:
        study.chmod(0o755)
    assert sorted(path.name for path in study.iterdir()) == [
        "interviews", "ratings.csv", "study.toml",
    ]  # fmt: skip
