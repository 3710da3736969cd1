"""Files that are no sheet, and sheets that were cut badly."""

from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.sheets import read_sheet


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ratings.csv is empty"),
        (b"\xef\xbb\xbf \r\n\n", "ratings.csv is empty"),
        (b"participant,P1\nJos\xe9,3\n", "is not text in UTF-8. Save the sheet as 'CSV UTF-8'"),
        ("participant,P1\n1,3\n".encode("utf-16"), "is not text in UTF-8"),
        (b"participant,P1\n\x00,3\n", "is not a text file"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is not a text file"),
        (b"\xff\xd8\xff\xe0 picture", "is not text in UTF-8"),
        (b"participant\n1\n", "row 1 must hold the headings, at least two"),
        (b"\nparticipant,P1\n1,2\n", "row 1 must hold the headings"),
        (b"participant,P1\n1,2,3\n", "row 2 has 3 cells, the header has 2; so in 1 rows"),
        (b"participant,P1,P2\n1,2,3\n2,3\n3\n", "row 3 has 2 cells, the header has 3; so in 2"),
        (b'participant,P1\n1,"2\n2,3\n', "Look for a quotation mark that is not closed"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """Each file that cannot be a table gets one message that says why."""
    path = tmp_path / "ratings.csv"
    path.write_bytes(content)
    with pytest.raises(RatingsError) as caught:
        read_sheet(path)
    assert said in str(caught.value)


def test_a_folder_or_nothing_is_no_sheet(tmp_path: Path) -> None:
    """A folder, or a file that is not there, is refused with the path that was given."""
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(RatingsError, match=f"{path} cannot be read"):
            read_sheet(path)


def test_the_delimiter_is_the_one_that_cuts_the_header(tmp_path: Path) -> None:
    """A comma inside a quoted heading does not hide the semicolons."""
    path = tmp_path / "-sheet é.csv"
    path.write_text('id;"a, b, c";P1;P2\n1;x;2;3\n', encoding="utf-8")
    sheet = read_sheet(path)
    assert sheet.header == ("id", "a, b, c", "P1", "P2")
    assert sheet.rows == ((2, ("1", "x", "2", "3")),)


def test_a_byte_order_mark_is_no_part_of_the_heading(shared: Path) -> None:
    """A real BIDS table with a byte order mark begins with participant_id."""
    sheet = read_sheet(shared / "formats/bids/tiny_bids/participants.tsv")
    assert sheet.header[0] == "participant_id"
    assert len(sheet.header) == 6
    assert len(sheet.rows) == 1
