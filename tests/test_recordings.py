"""The table of recordings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.recordings import (
    COLUMNS,
    Exclusion,
    Recording,
    exclusion_table,
    exclusions,
    mark_duplicates,
    read_recordings,
    recording_table,
    write_recordings,
)

PROBED = Recording(
    recording="sub-007_ses-01",
    participant="007",
    session="01",
    path="interviews/Zoë, 1.mp4",
    sha256="a" * 64,
    size_bytes=1234,
    container="mov",
    codec="h264",
    width=640,
    height=360,
    rotation_deg=90,
    duration_s=1 / 3,
    n_frames_header=98,
    n_frames_decoded=95,
    fps_mean=23.976,
    variable_rate=False,
    has_audio=True,
)


def recording(participant: str, digit: str, status: str = "usable", number: int = 1) -> Recording:
    name = f"sub-{participant}_ses-0{number}"
    reason = "" if status == "usable" else "no frame decodes"
    return Recording(
        name, participant, f"0{number}", "x.mp4", digit * 64, 1, status=status, reason=reason
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every cell comes back as it was, ids as text, an unknown cell as missing."""
    broken = recording("008", "b", "excluded")
    table = recording_table([PROBED, broken])
    path = tmp_path / "recordings.csv"
    write_recordings(path, table)
    back = read_recordings(path)
    pd.testing.assert_frame_equal(back, table)
    assert back["participant"].tolist() == ["007", "008"]
    assert Recording(**back.iloc[0].to_dict()) == PROBED
    assert back.loc[1, ["width", "variable_rate", "duration_s"]].isna().all()


def test_the_file_is_plain(tmp_path: Path) -> None:
    """Booleans are "true" and "false", whole numbers have no point, unknown cells are empty."""
    path = tmp_path / "recordings.csv"
    write_recordings(path, recording_table([PROBED, recording("8", "b")]))
    header, first, second = path.read_text().splitlines()
    assert header.split(",") == list(COLUMNS)
    assert first.endswith("90,0.3333333333333333,98,95,23.976,false,true,usable,")
    assert second.endswith(",,,,,,,,,,,usable,")


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    """No recordings are no rows; the columns stay."""
    path = tmp_path / "recordings.csv"
    write_recordings(path, recording_table([]))
    assert read_recordings(path).shape == (0, len(COLUMNS))


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("width", "wide", "row 3: width = 'wide'; a whole number"),
        ("width", "640.5", "a whole number"),
        ("duration_s", "nan", "row 3: duration_s = 'nan'; a number"),
        ("has_audio", "yes", "row 3: has_audio = 'yes'; true or false"),
        ("status", "maybe", "allowed: usable, excluded"),
        ("status", "excluded", "an excluded recording needs a reason"),
        ("recording", "sub-007_ses-01", "an id is there once"),
        ("participant", " ", "must not be empty"),
        ("sha256", "123", "64 hexadecimal digits"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, column: str, cell: str, message: str) -> None:
    """The message has the row as a spreadsheet counts it, the cell and the rule."""
    path = tmp_path / "recordings.csv"
    write_recordings(path, recording_table([PROBED, recording("8", "b")]))
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    cells.loc[1, column] = cell
    cells.to_csv(path, index=False)
    with pytest.raises(RecordingError, match=message):
        read_recordings(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """A table without a column says which, and how to make it again."""
    path = tmp_path / "recordings.csv"
    path.write_text("recording,participant\nsub-1_ses-01,1\n")
    with pytest.raises(RecordingError, match=r"no column session, path.*ingest"):
        read_recordings(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary", b'a,"b\n'])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty, binary or torn file is one clear error."""
    path = tmp_path / "recordings.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"recordings\.csv"):
        read_recordings(path)


def test_a_repeated_recording_of_a_participant_counts_once() -> None:
    """The first stays, also in another session; the reason names nobody: reports have it."""
    table = recording_table(
        [recording("1", "a"), recording("2", "b"), recording("1", "a", number=2)]
    )
    marked = mark_duplicates(table)
    assert marked["status"].tolist() == ["usable", "usable", "excluded"]
    assert marked["reason"].iloc[2] == "same content as an earlier recording of this participant"
    assert mark_duplicates(marked).equals(marked)
    freed = mark_duplicates(marked.drop(index=0))
    assert freed["status"].tolist() == ["usable", "usable"], "the first has gone since"
    assert table["status"].tolist() == ["usable"] * 3


def test_equal_content_under_two_participants_excludes_all() -> None:
    """Nobody can tell whose it is, so nobody's it is."""
    rows = [recording("1", "a"), recording("1", "a", number=2), recording("2", "a")]
    marked = mark_duplicates(recording_table(rows))
    assert marked["status"].tolist() == ["excluded"] * 3
    assert set(marked["reason"]) == {"same content under two participant ids"}


def test_unusable_files_are_no_duplicates() -> None:
    """Two empty files have the same content and keep their own reason."""
    rows = [recording("1", "a", "excluded"), recording("2", "a", "excluded")]
    assert set(mark_duplicates(recording_table(rows))["reason"]) == {"no frame decodes"}


def test_exclusions_are_a_table() -> None:
    """Excluded recordings become rows stage, unit, id, reason; none make an empty table."""
    table = recording_table([PROBED, recording("8", "b", "excluded")])
    expected = Exclusion("ingest", "recording", "sub-8_ses-01", "no frame decodes")
    assert exclusions(table) == [expected]
    assert exclusion_table([expected]).iloc[0].tolist() == [
        "ingest", "recording", "sub-8_ses-01", "no frame decodes",
    ]  # fmt: skip
    assert list(exclusion_table([]).columns) == ["stage", "unit", "id", "reason"]
