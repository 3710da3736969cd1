from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import StudyError
from emoclip_clinic.reviews import Review, leave_out, read_reviews
from emoclip_clinic.scan import plain_id, safe_id
from emoclip_clinic.segments import plan

HEAD = "recording,action,participant_person,start_s,stop_s,people\n"
NAMES = ["a", "b"]


def write(folder: Path, text: str) -> Path:
    path = folder / "review.csv"
    path.write_text(text)
    return path


def test_no_file_decides_nothing(tmp_path: Path) -> None:
    """The rule holds then."""
    assert read_reviews(tmp_path / "review.csv", NAMES) == {}


def test_choices_and_stretches_are_read(tmp_path: Path) -> None:
    """Several people of a recording, several stretches, open ends, in any order."""
    rows = "a,choose,3,,,ff\nb,exclude,,5,,\na,exclude,,10,20.5,\na,choose,1,,,ff\nb,exclude,,,2,\n"
    assert read_reviews(write(tmp_path, HEAD + rows), NAMES) == {
        "a": Review((1, 3), "ff", ((10, 20.5),)),
        "b": Review((), "", ((0, 2), (5, math.inf))),
    }


def test_times_of_a_player_are_taken(tmp_path: Path) -> None:
    """As the page takes them."""
    rows = "a,exclude,,1:20,2:05.5,\na,exclude,,1:00:00,,\n"
    stretches = read_reviews(write(tmp_path, HEAD + rows), NAMES)["a"].stretches
    assert stretches == ((80, 125.5), (3600, math.inf))


def test_a_table_written_by_hand_needs_no_name_of_the_people(tmp_path: Path) -> None:
    """Saved by a spreadsheet with semicolons, it is read as well."""
    text = HEAD.replace(",people", "").replace(",", ";") + "a;choose;2;;\n"
    assert read_reviews(write(tmp_path, text), NAMES) == {"a": Review((2,))}


def test_a_recording_may_be_named_plainly(tmp_path: Path) -> None:
    """As its folder was called, not as its file is; where that is one of two, neither is taken."""
    ids = ["sub-Anna%20M%C3%BCller%2C%20jr_ses-01", "sub-P%2D1_ses-01", "sub-P-1_ses-01", "a%2Db"]
    assert plain_id(safe_id("Anna Mueller, jr.")) == "Anna Mueller, jr."
    rows = f'"sub-Anna Müller, jr_ses-01",choose,2,,,\n{ids[0]},exclude,,1,2,\n'
    read = read_reviews(write(tmp_path, f"{HEAD}{rows}sub-P-1_ses-01,choose,1,,,\n"), ids)
    # the second of them is written like the third, which is an id itself
    assert read == {ids[0]: Review((2,), "", ((1, 2),)), ids[2]: Review((1,))}
    with pytest.raises(StudyError, match=r"row 2: 'a-b' can be any of a%2Db, %61-b: write its id"):
        read_reviews(write(tmp_path, f"{HEAD}a-b,choose,1,,,\n"), [*ids, "%61-b"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c,choose,1,,,", "row 3: there is no recording 'c'"),
        ("a,pick,1,,,", "row 3: action = 'pick'; allowed: choose, exclude"),
        ("a,choose,first,,,", "participant_person = 'first'; allowed: a number from 1 on"),
        ("a,choose,1,5,,", "leave the times empty"),
        ("a,exclude,1,5,6,", "leave participant_person empty"),
        ("a,exclude,,6,5,", "'6' to '5' is no stretch"),
        ("a,exclude,,1:75,90,", "'1:75' to '90' is no stretch"),
        ("a,exclude,,x,5,", "'x' to '5' is no stretch"),
        ("a,exclude,,nan,5,", "is no stretch"),
        ("a,choose,2,,,gg", "other people than in an earlier row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    """Nothing is skipped: the message says which row, and what is allowed."""
    with pytest.raises(StudyError, match=r"review\.csv, row 3") as found:
        read_reviews(write(tmp_path, f"{HEAD}a,choose,1,,,ff\n{row}\n"), NAMES)
    assert message in str(found.value)


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    """The message names them."""
    with pytest.raises(StudyError, match="has no column action, participant_person"):
        read_reviews(write(tmp_path, "recording,start_s,stop_s\na,1,2\n"), NAMES)


def test_windows_that_a_stretch_touches_are_excluded() -> None:
    """By one frame or all; one that only meets it at its end stays."""
    protocol = EncodingProtocol(rate_hz=10, window_frames=10, stride_frames=10)
    whole = plan(np.arange(50) / 10, protocol)
    cut = leave_out(whole, [(1.0, 1.5), (2.9, 3.1)])
    reasons = [segment.reason for segment in cut.segments]
    assert reasons == ["", *["excluded in the review"] * 3, ""]
    assert [segment.positions for segment in cut.segments] == [
        segment.positions for segment in whole.segments
    ]
