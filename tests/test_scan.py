"""Finding recordings, and whose they are."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.scan import safe_id, scan


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def keys(folder: Path, pattern: str | None = None) -> dict[str, tuple[str, str, str, str]]:
    return {
        file.path.relative_to(folder).as_posix(): (
            file.participant, file.session, file.run, file.recording,
        )
        for file in scan(folder, pattern).found
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "participant", "session", "run", "name"),
    [
        ("sub-01_ses-02_task-interview_video.mp4", "01", "02", "", "sub-01_ses-02"),
        ("sub-01/ses-02/sub-01_ses-02_run-3_video.MP4", "01", "02", "3", "sub-01_ses-02_run-3"),
        ("sub-007_video.mov", "007", "01", "", "sub-007_ses-01"),
        ("sub-007/ses-9/interview.mov", "007", "9", "", "sub-007_ses-9"),
        ("P 12/interview.mkv", "P 12", "01", "", "sub-P%2012_ses-01"),
        ("P12/visit2/camera 1.avi", "P12", "visit2", "", "sub-P12_ses-visit2"),
        ("Zoë.webm", "Zoë", "01", "", "sub-Zoë_ses-01"),
        ("-dash.m4v", "-dash", "01", "", "sub--dash_ses-01"),
        ("a-b_c.mts", "a-b_c", "01", "", "sub-a-b_c_ses-01"),
    ],
)
def test_conventions(
    tmp_path: Path, path: str, participant: str, session: str, run: str, name: str
) -> None:
    """BIDS names first, then one folder a participant, then the file's name."""
    assert keys(make(tmp_path, path)) == {path: (participant, session, run, name)}


@pytest.mark.parametrize(
    ("pattern", "path", "participant", "session", "run"),
    [
        ("{participant}_v{session}", "site A/x/12_v3.mp4", "12", "3", ""),
        ("{*}/{participant}/visit{session}", "A/007/visit2.mp4", "007", "2", ""),
        ("{participant}/{participant}_{session}_{run}", "7/7_b_2.mp4", "7", "b", "2"),
        ("{participant}_{*}.mp4", "9_2024.01.02.mp4", "9", "01", ""),
        ("({participant})+", "(1)+.mp4", "1", "01", ""),
    ],
)
def test_patterns(
    tmp_path: Path, pattern: str, path: str, participant: str, session: str, run: str
) -> None:
    """A pattern names its parts; what is not a placeholder is meant literally."""
    assert keys(make(tmp_path, path), pattern)[path][:3] == (participant, session, run)


def test_a_path_beside_the_pattern_is_an_exclusion(tmp_path: Path) -> None:
    """It is not lost and not guessed at."""
    result = scan(make(tmp_path, "1_v1.mp4", "holiday.mp4"), "{participant}_v{session}")
    assert [file.participant for file in result.found] == ["1"]
    assert [(row.id, row.reason) for row in result.exclusions] == [
        ("holiday", "the path does not match the pattern")
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{session}", "{participant} is missing"),
        ("{participant}_{visit}", "{visit} is no placeholder.*{session}"),
        ("{participant}/x", "no recording matches it, the first is"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    """The message names what is wrong and what is allowed."""
    with pytest.raises(SettingsError, match=message):
        scan(make(tmp_path, "1.mp4"), pattern)


def test_ids_are_unique_and_stable(tmp_path: Path) -> None:
    """Several files of one session are numbered by path; capitals make no difference."""
    make(tmp_path, "P1/b.mp4", "P1/a.mp4", "p1/a.mp4", "sub-x_run-1.mp4", "sub-x_run-2.mp4")
    names = {path: value[3] for path, value in keys(tmp_path).items()}
    assert names == {
        "P1/a.mp4": "sub-P1_ses-01",
        "P1/b.mp4": "sub-P1_ses-01_2",
        "p1/a.mp4": "sub-p1_ses-01_3",
        "sub-x_run-1.mp4": "sub-x_ses-01_run-1",
        "sub-x_run-2.mp4": "sub-x_ses-01_run-2",
    }
    assert scan(tmp_path) == scan(tmp_path)


def test_other_files_are_named_and_left_alone(tmp_path: Path) -> None:
    """Notes, hidden files and what macOS adds are no recordings, and are said."""
    make(tmp_path, "1.mp4", "notes.txt", "._1.mp4", ".DS_Store", ".cache/2.mp4", "P2/readme")
    result = scan(tmp_path)
    assert [file.path.name for file in result.found] == ["1.mp4"]
    left = {path.relative_to(tmp_path).as_posix() for path in result.left_alone}
    assert left == {"notes.txt", "._1.mp4", ".DS_Store", ".cache", "P2/readme"}


def test_links_in_circles_end(tmp_path: Path) -> None:
    """Each folder is visited once, by its own name rather than a link's; broken links are found."""
    make(tmp_path, "z/1.mp4")
    (tmp_path / "z" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a").symlink_to(tmp_path / "z", target_is_directory=True)
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert list(keys(tmp_path)) == ["gone.mp4", "z/1.mp4"]


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    """Recordings may lie on another disk."""
    make(tmp_path / "disk", "1.mp4")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "P1").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert keys(tmp_path / "study")["P1/1.mp4"][0] == "P1"


def test_nothing_to_find_is_an_error(tmp_path: Path) -> None:
    """An empty folder, a wrong path and a file are each one clear message."""
    with pytest.raises(RecordingError, match=r"no recording in .* \(0 other files\).*\.mp4"):
        scan(tmp_path)
    with pytest.raises(RecordingError, match="cannot read the folder"):
        scan(tmp_path / "missing")
    make(tmp_path, "1.mp4")
    with pytest.raises(RecordingError, match="cannot read the folder"):
        scan(tmp_path / "1.mp4")


def test_accents_compare_equal_however_they_are_stored(tmp_path: Path) -> None:
    """A name in decomposed form (macOS) is the participant that the ratings name."""
    make(tmp_path, unicodedata.normalize("NFD", "José") + "/1.mp4")
    assert scan(tmp_path).found[0].participant == unicodedata.normalize("NFC", "José")


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_ids_are_safe_and_differ(texts: list[str]) -> None:
    """Any two texts give two ids that any file system takes."""
    first, second = (safe_id(text) for text in texts)
    assert first != second
    assert not set(first) & set('/\\:*?"<>| \n\0')
    assert len(first.encode()) <= 200


def test_a_name_of_other_bytes_is_an_exclusion(tmp_path: Path) -> None:
    """A path that is no UTF-8 can be in no table; the rest goes on."""
    make(tmp_path, "1.mp4", b"J\xfcrgen.mp4".decode(errors="surrogateescape"))
    result = scan(tmp_path)
    assert [file.participant for file in result.found] == ["1"]
    assert [(row.id, row.reason) for row in result.exclusions] == [
        ("J%FCrgen", "not a Unicode path")
    ]


def test_long_ids_differ() -> None:
    """A path may be longer than a file name: the cut ids keep a hash."""
    assert safe_id("ä" * 300 + "1") != safe_id("ä" * 300 + "2")
    assert len(safe_id("ä" * 300).encode()) <= 200
