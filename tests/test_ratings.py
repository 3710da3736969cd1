"""Rating sheets: every form that is read, and every mistake that is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic import ratings
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Item, Scale, Subscale
from emoclip_clinic.scales import load_scale
from tests.rating_sheets import PANSS, cells, read, refusal, sheet

CAINS = load_scale("cains")


def small_scale(scale_id: str, items: list[Item], scores: tuple[Subscale, ...] = ()) -> Scale:
    return Scale(
        id=scale_id, abbreviation=scale_id.upper(), name="", version="", reference="", licence="",
        direction="higher is worse", items=tuple(items), subscales=scores,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "participant,session,rater,P1,N2\n007,01,A,3,4\n",
        "participant;session;rater;P1;N2\r\n007;01;A;3;4\r\n",
        "participant\tsession\trater\tP1\tN2\n007\t01\tA\t3\t4",
        "\ufeffparticipant,session,rater,P1,N2\n007,01,A,3,4\n",
        "participant,session,rater,p1,n2\n007,01,A,3.0,4.\n",
        "Participant_ID,Session-ID,Rater id,panss_P1,PANSS N02\nsub-007,ses-01,A, 3 ,+4\n",
        'subject,visit,rater,item_p1,panss_item_n2\n"007","01","A","3","4"\n',
        "participant,rater,P1,N2\n007,A,3,4\n",
        "participant,session,rater,P1,N2\n007,,A,3,4\n",
        "participant,session,rater,scale,P1,N2\n007,01,A,PANSS,3,4\n007,01,A,cains,99,99\n",
        "participant,session,rater,item,value\n007,01,A,P1,3\n007,01,A,n2,4\n",
        "id,rater,scale,item,rating\n007,A,panss,P1,3\n007,A,panss,N2,4\n007,A,cains,1,0\n",
        "participant,session,rater,P1,N2,,\n\n007,01,A,3,4,,\n,,,,,,\n",
    ],
)
def test_one_rating_in_many_forms(tmp_path: Path, text: str) -> None:
    """Wide or long, any delimiter, prefix, capitals, BOM and blank rows give the same ratings."""
    table = read(tmp_path, text)
    assert table.columns.tolist() == ratings.COLUMNS
    assert cells(table) == [("007", "01", "A", "P1", 3.0), ("007", "01", "A", "N2", 4.0)]


def test_a_sheet_without_session_and_rater(tmp_path: Path) -> None:
    """Without these columns the session is 01 and the rater rater1."""
    assert cells(read(tmp_path, "participant,P1\n7,3\n")) == [("7", "01", "rater1", "P1", 3.0)]


@pytest.mark.parametrize("empty", ["", " ", "NA", "n/a", "NaN", "nan"])
def test_a_missing_rating_is_no_row(tmp_path: Path, empty: str) -> None:
    """An empty cell or a word for missing gives no row; it is never zero."""
    assert cells(read(tmp_path, f"participant,P1,P2\n7,{empty},3\n", PANSS))[0][3] == "P2"


def test_zero_is_a_rating_where_the_scale_allows_it(tmp_path: Path) -> None:
    """CAINS items begin at 0, and a column is named by scale and number."""
    table = read(tmp_path, "participant,cains_1,CAINS_13,02\n7,0,4,1\n", CAINS)
    assert [(item, value) for *_, item, value in cells(table)] == [("1", 0), ("13", 4), ("2", 1)]


def test_the_message_names_file_row_item_value_and_range(tmp_path: Path) -> None:
    """An item out of range is named as a spreadsheet shows it; the header is row 1."""
    rows = "".join(f"{n},0\n" for n in range(2, 14))
    text = refusal(tmp_path, f"participant,cains_10\n{rows}14,7\n", CAINS)
    assert text == (
        "ratings.csv, row 14: CAINS item 10 = 7; allowed 0-4. "
        "Correct the row, or see 'emoclip-clinic scales show cains'."
    )


def test_blank_rows_count_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    """An empty row, or a line break inside quotes, does not shift the row number."""
    text = 'participant,P1,comment\n1,2,"two\nlines"\n\n3,8,\n'
    assert "ratings.csv, row 4: PANSS item P1 = 8" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0", "P1 = 0; allowed 1-7."),
        ("8", "P1 = 8; allowed 1-7."),
        ("9", "P1 = 9; allowed 1-7."),
        ("-9999", "P1 = -9999; allowed 1-7, and an empty cell where it was not rated"),
        ("2.5", "P1 = 2.5; allowed 1-7."),
        ('"3,5"', "P1 = 3,5; allowed 1-7 (a decimal takes a point)"),
        ("moderate", "P1 = moderate; allowed 1-7 (not a number)"),
        ("1e0", "P1 = 1e0; allowed 1-7 (not a number)"),
        ("1_0", "(not a number)"),
        ("inf", "(not a number)"),
        ("0x3", "(not a number)"),
        ("\u0663", "(not a number)"),
        ("3" * 400, "P1 = 33333333333333333333...; allowed 1-7"),
    ],
)
def test_a_value_that_is_not_allowed(tmp_path: Path, value: str, said: str) -> None:
    """Sentinels, fractions, decimal commas, words: each is shown with what is allowed."""
    for text in (f"participant,P1\n7,{value}\n", f"participant,item,value\n7,P1,{value}\n"):
        message = refusal(tmp_path, text)
        assert said in message
        assert "row 2" in message


def test_a_code_for_not_assessed_is_missing_only_where_the_scale_says_so(tmp_path: Path) -> None:
    """0 means not assessed on some forms: missing by a rule of the scale, never a rating of 0."""
    item = Item("G", "global", 1, 7)
    text = "participant,G\n1,0\n2,5\n"
    plain = small_scale("cgi", [item])
    assert "CGI item G = 0; allowed 1-7" in refusal(tmp_path, text, plain)
    ruled = Scale(**{**vars(plain), "not_assessed": (0.0,)})
    assert cells(read(tmp_path, text, ruled)) == [("2", "01", "rater1", "G", 5.0)]


def test_an_item_with_allowed_values(tmp_path: Path) -> None:
    """A scale in steps of two refuses what lies between and lists the steps."""
    scale = small_scale("steps", [Item("S5", "irritable", 0, 8, (0, 2, 4, 6, 8))])
    assert "S5 = 3; allowed 0, 2, 4, 6, 8" in refusal(tmp_path, "participant,S5\n1,3\n", scale)


def test_all_problems_are_found_and_the_first_twenty_shown(tmp_path: Path) -> None:
    """One run shows what is wrong in every file, and how much more there is."""
    first = sheet(tmp_path, "participant,P1\n" + "".join(f"{n},9\n" for n in range(15)), "a.csv")
    second = sheet(tmp_path, "participant,P1\n" + "".join(f"x{n},0\n" for n in range(15)), "b.csv")
    with pytest.raises(RatingsError) as caught:
        ratings.read_ratings([first, second], PANSS)
    lines = str(caught.value).splitlines()
    assert len(lines) == 23
    assert lines[0] == "a.csv, row 2: PANSS item P1 = 9; allowed 1-7"
    assert lines[19] == "b.csv, row 6: PANSS item P1 = 0; allowed 1-7"
    assert lines[20] == "... and 10 more of 30 problems"
    assert lines[21] == "Correct the rows, or see 'emoclip-clinic scales show panss'."
    assert lines[22].startswith("9 occurs 15 times: if it means 'not rated', write missing = [9]")


def test_a_rating_given_twice_names_both_rows(tmp_path: Path) -> None:
    """The same participant, session, rater and item twice is an error, also with equal values."""
    text = "participant,rater,P1,P2,P3,P4\n1,A,2,2,2,2\n1,B,2,2,2,2\nsub-1,A,2,2,2,2\n"
    message = refusal(tmp_path, text)
    assert (
        "ratings.csv, row 4: participant 1, session 01, rater A: PANSS item P1, P2, P3 and 1 "
        in message
    )
    assert "rated already in row 2" in message
    assert "row 3" not in message


def test_a_rating_given_twice_in_two_files(tmp_path: Path) -> None:
    """Two sheets of one rater must not hold the same rating; each file is named."""
    paths = [sheet(tmp_path, "participant,P1\n1,2\n", name) for name in ("a.csv", "b.csv")]
    with pytest.raises(RatingsError, match=r"b.csv, row 2: .* already in a.csv, row 2"):
        ratings.read_ratings(paths, PANSS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("participant,rater,P1\n1,,2\n", "row 2: the cell of rater is empty"),
        ("participant,rater,P1\n,A,2\n", "row 2: the cell of participant is empty"),
        ("participant,session,P1\n1,02,2\n2,,2\n", "row 3: the cell of session is empty"),
        ("participant,scale,P1\n1,panss,2\n2,,2\n", "row 3: the cell of scale is empty"),
        ("participant,rater,P1\nsub-,n/a,2\n", "the cell of participant, rater is empty"),
        ("participant,P1,P8\n1,2,3\n", "column P8 looks like an item, but PANSS has none"),
        ("participant,P1,panss_G17\n1,2,3\n", "column panss_G17 looks like an item"),
        ("participant,P1,p01\n1,2,3\n", "columns P1 and p01 are both PANSS item P1. Leave one out"),
        ("participant,item,value\n1,PP1,3\n", "row 2: PANSS has no item PP1. Did you mean p1"),
        ("participant,item,value\n1,,3\n", "row 2: PANSS has no item"),
        ("patient,P1\n1,2\n", "no column participant; it has patient, P1. Allowed headings: "),
        ("participant,age\n1,40\n", "there is no rating of PANSS yet. Its columns are called P1"),
        ("participant,P1,P2\n1,,\n", "there is no rating of PANSS yet"),
        ("participant,P1\n", "there is no rating of PANSS yet"),
        ("participant,scale,P1\n1,cains,2\n", "there is no rating of PANSS yet"),
    ],
)
def test_each_mistake_of_a_sheet_is_named(tmp_path: Path, text: str, said: str) -> None:
    """Blank keys, unknown or doubled items, a sheet without ratings: what and where."""
    assert said in refusal(tmp_path, text)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    """Columns, rows and files that hold no rating of the scale are named, not dropped silently."""
    text = "participant,scale,P1,age,panss_total\n1,panss,2,40,90\n2,cains,,40,\n"
    said: list[str] = []
    files = [sheet(tmp_path, text), sheet(tmp_path, "id,cains_1\n1,2\n", "other.csv")]
    table = ratings.read_ratings(files, PANSS, note=said.append)
    assert len(table) == 1
    assert any("left out: age, panss_total" in line for line in said)
    assert any("no column for PANSS item P2, P3" in line for line in said)
    assert any("rows of other scales, left out: cains" in line for line in said)
    assert any(line.startswith("other.csv: left out, no column is an item") for line in said)


def test_no_file_is_no_rating() -> None:
    """An empty list of files is refused like a sheet without ratings."""
    with pytest.raises(RatingsError, match="no file: there is no rating of PANSS"):
        ratings.read_ratings([], PANSS)


def test_accents_are_one_person(tmp_path: Path) -> None:
    """An id typed with a combining accent is the same as one with the composed letter."""
    table = read(tmp_path, "participant,P1\nJose\u0301,2\n")
    assert table["participant"].tolist() == ["Jos\u00e9"]


def test_a_template_comes_back_as_the_ratings_that_were_typed(tmp_path: Path) -> None:
    """The sheet that `init` makes is read by `read_ratings`, for letters and for bare numbers."""
    for scale in (PANSS, CAINS):
        empty = ratings.template(scale, ["007", "8"], ["A", "B"], ["01", "02"])
        assert len(empty) == 8
        filled = empty.copy()
        filled[empty.columns[3:]] = "3"
        table = read(tmp_path, filled.to_csv(index=False), scale)
        assert len(table) == 8 * len(scale.items)
        assert table["item"].unique().tolist() == list(scale.codes)
        assert "there is no rating" in refusal(tmp_path, empty.to_csv(index=False), scale)


def test_the_template_of_nobody_has_the_headings_only() -> None:
    """Without participants the sheet is a header to fill in."""
    empty = ratings.template(CAINS)
    assert empty.columns[:4].tolist() == ["participant", "session", "rater", "cains_1"]
    assert empty.empty


ids = st.text("abcXYZ019é-", min_size=1, max_size=5).filter(
    lambda text: text not in {"na", "nan"} and not text.startswith("-")
)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.tuples(ids, ids, ids, st.sampled_from(PANSS.codes)), st.integers(1, 7), min_size=1
    )
)
def test_tidy_ratings_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    rated: dict[tuple[str, str, str, str], int],
) -> None:
    """A tidy table written to CSV is read as the same table, whatever the ids."""
    keys = ["participant", "session", "rater", "item"]
    table = pd.DataFrame(list(rated), columns=keys).assign(scale="panss", value=rated.values())
    path = tmp_path_factory.mktemp("round") / "ratings.csv"
    table.to_csv(path, index=False)
    back = ratings.read_ratings(path, PANSS)
    assert cells(back) == [(*key, float(value)) for key, value in rated.items()]
