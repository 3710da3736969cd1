"""What [ratings] in study.toml changes in the reading of ratings, and what is said without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic import ratings
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Scale
from emoclip_clinic.settings import RatingsSettings
from tests.rating_scales import BPRS, PHQ9
from tests.rating_sheets import PANSS, cells, read, refusal, sheet


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
