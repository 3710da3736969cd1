"""Atomic writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import (
    atomic_path,
    require_writable,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_json,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes or locks")

WRITER = """
import sys, itertools
from pathlib import Path
from emoclip_clinic.files import write_bytes
for n in itertools.count():
    write_bytes(Path(sys.argv[1]), bytes([n % 256]) * 300_000)
    print(n, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    """SIGKILL in the middle of writing leaves the old content or the new, never a part."""
    target = tmp_path / "table.csv"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE
    ) as process:
        for _ in range(5):
            assert process.stdout is not None
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    content = target.read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1
    write_bytes(target, b"again")
    assert list(tmp_path.iterdir()) == [target], "what the kill left is taken over"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Each has a temporary file of its own; the file is the whole of what the last one wrote."""
    target = tmp_path / "table.csv"
    with atomic_path(target) as first:
        first.write_bytes(b"first")
        with atomic_path(target) as second:
            assert second != first
            second.write_bytes(b"second, longer")
        assert target.read_bytes() == b"second, longer"
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    """An error while writing leaves the old file and no litter."""
    target = tmp_path / "a.txt"
    write_bytes(target, b"old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"new")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_path_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """A file where a folder should be, as with a read-only or a full disk, is a StudyError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write"):
        write_bytes(tmp_path / "file" / "table.csv", b"")


def modes(folder: Path) -> dict[str, int]:
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o7777 for path in found}


@posix
def test_what_is_written_is_for_the_owner_alone(tmp_path: Path) -> None:
    """Whatever the mask says; weights are public, and as the mask says."""
    mask = os.umask(0o022)
    try:
        write_bytes(tmp_path / "study/models/panss/model.skops", b"1")
        with atomic_path(tmp_path / "study/weights.pt", private=False) as file:
            file.write_bytes(b"2")
    finally:
        os.umask(mask)
    assert modes(tmp_path / "study") == {
        ".": 0o700,
        "models": 0o700,
        "models/panss": 0o700,
        "models/panss/model.skops": 0o600,
        "weights.pt": 0o644,
    }


@posix
def test_a_folder_that_is_marked_as_its_groups_is_written_for_the_group(tmp_path: Path) -> None:
    """Set-group-ID says so, and goes on to the folders below."""
    tmp_path.chmod(0o2770)
    write_bytes(tmp_path / "models/panss/model.skops", b"1")
    assert modes(tmp_path) == {
        ".": 0o2770,
        "models": 0o2770,
        "models/panss": 0o2770,
        "models/panss/model.skops": 0o660,
    }


def test_hashes_agree_with_the_published_vector(tmp_path: Path) -> None:
    """FIPS 180-2's example: "abc"."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc") == sha256_bytes(b"abc") == expected


def test_json_never_holds_what_json_does_not_know(tmp_path: Path) -> None:
    """NaN is refused: other programs could not read the file."""
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})


def test_whether_a_folder_can_be_written_is_known_beforehand(tmp_path: Path) -> None:
    """Nothing is left of the question; a place that is no folder is a StudyError."""
    require_writable(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"cannot write in .*file: "):
        require_writable(tmp_path / "file")
