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
from emoclip_clinic.settings import RatingsSettings
from tests.rating_scales import BPRS, PHQ9

CAINS = load_scale("cains")
PANSS = load_scale("panss")


def small_scale(scale_id: str, items: list[Item], scores: tuple[Subscale, ...] = ()) -> Scale:
    return Scale(
        id=scale_id, abbreviation=scale_id.upper(), name="", version="", reference="", licence="",
        direction="higher is worse", items=tuple(items), subscales=scores,
    )  # fmt: skip


def sheet(folder: Path, text: str, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str, scale: Scale = PANSS) -> pd.DataFrame:
    return ratings.read_ratings(sheet(folder, text), scale, note=[].append)


def refusal(folder: Path, text: str, scale: Scale = PANSS) -> str:
    with pytest.raises(RatingsError) as caught:
        read(folder, text, scale)
    return str(caught.value)


def cells(table: pd.DataFrame) -> list[tuple[object, ...]]:
    keys = ["participant", "session", "rater", "item", "value"]
    return [tuple(row) for row in table[keys].to_numpy().tolist()]


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


def ruled(folder: Path, text: str, scale: Scale = PANSS, **rules: object) -> list[str]:
    """Read under rules; give the notes, after the table's items and values."""
    notes: list[str] = []
    table = ratings.read_ratings(
        sheet(folder, text),
        scale,
        notes.append,
        RatingsSettings(**rules),  # type: ignore[arg-type]
    )
    return [" ".join(f"{item}={value:g}" for *_, item, value in cells(table)), *notes]


def test_a_code_for_missing_is_missing_only_by_a_rule(tmp_path: Path) -> None:
    """Without the rule it is refused and the rule suggested; with it, missing and counted."""
    text = "participant,P1,P2\n1,-9999,3\n2,2,-9999.0\n3,not done,1\n4,Not Done,2\n"
    message = refusal(tmp_path, text)
    assert "row 2: PANSS item P1 = -9999; allowed 1-7" in message
    assert "-9999 occurs 1 time" in message
    missing = (-9999.0, "not done")
    table, *notes = ruled(tmp_path, text, missing=missing)
    assert table == "P2=3 P1=2 P2=1 P2=2"
    assert "ratings.csv: -9999 means 'not rated' in 1 cell" in notes
    assert "ratings.csv: not done means 'not rated' in 1 cell" in notes


def test_the_rule_is_suggested_with_the_count(tmp_path: Path) -> None:
    """All codes and words that recur stand in one line that can be copied."""
    rows = "".join(f"{n},99,n.d.,{n % 7 + 1}\n" for n in range(9))
    message = refusal(tmp_path, f"participant,P1,P2,P3\n{rows}x,1,1,\n")
    assert "99 occurs 9 times, n.d. occurs 9 times: if it means 'not rated', write" in message
    assert 'missing = [99, "n.d."] under [ratings] in study.toml' in message


def test_a_code_for_missing_that_is_a_rating_is_refused(tmp_path: Path) -> None:
    """7 cannot be the highest rating and mean not rated at once."""
    with pytest.raises(RatingsError, match="P1 = 7: an allowed rating, and in missing"):
        ruled(tmp_path, "participant,P1\n1,7\n", missing=(7.0,))


def test_words_in_place_of_numbers_name_the_cure(tmp_path: Path) -> None:
    """Options of a questionnaire are not turned into numbers by guessing."""
    text = "participant,phq1,phq2\n1,Not at all,Almost every day\n2,Several days,Not at all\n"
    message = refusal(tmp_path, text, PHQ9)
    assert "PHQ-9 item 2 = Almost every day; allowed 0-3 (not a number)" in message
    assert "Most ratings are words (Not at all, Almost every day, Several days)" in message
    assert "choices as numbers" in message


def test_columns_of_other_names_are_given_in_study_toml(tmp_path: Path) -> None:
    """Participant, session, rater, date and items may be called anything."""
    text = "Pat;Besuch;Wer;Am;Wahn\n007;T0;anna;2024-03-05;3\n"
    rules = {
        "participant": "Pat", "session": "besuch", "rater": "Wer", "date": "Am",
        "columns": {"Wahn": "P1"}, "sessions": {"t0": "01"},
    }  # fmt: skip
    table = ratings.read_ratings(
        sheet(tmp_path, text),
        PANSS,
        [].append,
        RatingsSettings(**rules),  # type: ignore[arg-type]
    )
    row = ["007", "01", "anna", "panss", "P1", 3.0, "2024-03-05"]
    assert table.to_numpy().tolist() == [row]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"participant": "Patient"}, "no column 'Patient', which study.toml names as participant"),
        (
            {"columns": {"Delusion": "P1"}},
            "no file has a column 'delusion'. Did you mean delusions",
        ),
        ({"columns": {"Delusions": "panss.P9"}}, "Delusions = 'panss.P9'; PANSS has the items P1"),
        ({"header_row": 9}, "row 9 must hold the headings"),
    ],
)
def test_a_rule_that_fits_no_file_is_refused(
    tmp_path: Path, rules: dict[str, object], said: str
) -> None:
    """A misspelt heading would silently be a missing item."""
    with pytest.raises(RatingsError) as caught:
        ruled(tmp_path, "participant,Delusions\n1,3\n", **rules)
    assert said in str(caught.value)


def test_sessions_that_are_named_in_some_rows_only(tmp_path: Path) -> None:
    """Nobody guesses of which session the others are; a rule says it."""
    text = "participant,session,P1\n1,n/a,3\n2,ses-02,4\n"
    assert 'sessions = {"n/a" = "01"}' in refusal(tmp_path, text)
    settings = RatingsSettings(sessions={"N/A": "ses-01"})
    table = ratings.read_ratings(sheet(tmp_path, text), PANSS, [].append, settings)
    assert table["session"].tolist() == ["01", "02"]
    nowhere = sheet(tmp_path, text.replace("ses-02", "n/a"))
    assert set(ratings.read_ratings(nowhere, PANSS, [].append)["session"]) == {"01"}
    settings = RatingsSettings(sessions={"n/a": "07"})
    assert set(ratings.read_ratings(nowhere, PANSS, [].append, settings)["session"]) == {"07"}


def test_items_of_a_long_sheet_are_called_as_columns_are(tmp_path: Path) -> None:
    """By code, by scale and code, or by label; the scale's own name is no item by itself."""
    text = "participant,item,value\n1,bprs1,1\n1,bprs24,2\n"
    assert [row[3] for row in cells(read(tmp_path, text, BPRS))] == ["1", "24"]
    assert "BPRS has no item bprs24" in refusal(tmp_path, text.replace("bprs1", "1"), BPRS)
    assert cells(read(tmp_path, "participant,item,value\n1,Hostility,3\n"))[0][3] == "P7"


def test_rows_without_a_rating_are_counted(tmp_path: Path) -> None:
    """Controls whom nobody rated are no zeros, and no error."""
    notes = ruled(tmp_path, "participant,P1\n1,3\n2,n/a\n3,\n")
    assert "ratings.csv: 2 of 3 rows have no rating of PANSS" in notes


def test_totals_of_the_sheet_are_compared_with_ours(tmp_path: Path) -> None:
    """A wrong sum, a right one, and one whose items are not all there."""
    items = ",".join(f"phq{n}" for n in range(1, 10))
    text = f"participant,{items},phq9_total\n1{',1' * 9},9\n2{',2' * 9},17\n3{',2' * 8},,16\n"
    notes = ruled(tmp_path, text, PHQ9)
    assert (
        "ratings.csv: phq9_total differs in 1 of 2 rows; in 1 row items are missing and no total "
        "is made; ours is computed from the items"
    ) in notes
    notes = ruled(tmp_path, text.replace(",17", ",18"), PHQ9)
    assert any("phq9_total is as computed" in text for text in notes)
