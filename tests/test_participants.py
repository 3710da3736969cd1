"""What is known of the participants, and what of it is a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import StudyError
from emoclip_clinic.participants import covariates, read_participants


def write(folder: Path, text: str, name: str = "participants.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("participants.csv", "participant,age,sex,site\n01,40,F,1\n02,,M,2\n"),
        (
            "participants.csv",
            "\ufeffparticipant_id,age,sex,site\r\nsub-01,40,F,1\r\n02,n/a,M,2\r\n",
        ),
        ("participants.tsv", "participant_id\tage\tsex\tsite\nsub-01\t40\tF\t1\nsub-02\tn/a\tM\t2"),
    ],
)
def test_one_table_in_three_forms(tmp_path: Path, name: str, text: str) -> None:
    """Commas or tabs, BOM and CRLF, n/a or empty; ids and sites stay text."""
    table = read_participants(write(tmp_path, text, name))
    assert table["participant"].tolist() == ["01", "02"]
    assert table["site"].tolist() == ["1", "2"]
    assert table["age"].tolist()[0] == 40
    assert table["age"].isna().tolist() == [False, True]


def test_no_file_is_nobody(tmp_path: Path) -> None:
    """The table is optional."""
    assert read_participants(tmp_path / "participants.csv").empty


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,age\n1,2\n", "has no column participant"),
        ("participant,age\n1,2\nsub-1,3\n", "participant 1 is in it twice"),
        ("participant,age,sex\n1,40,5,F\n", "row 2 has 4 cells, the header has 3"),
        ("participant,age,age\n1,2,3\n", "has two columns age"),
        ("participant,age\nJos\u00e9,2\n", "Save the sheet as 'CSV UTF-8'"),
        ("", "is empty"),
    ],
)
def test_what_is_no_table_of_participants(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is named."""
    path = tmp_path / "participants.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StudyError, match=said):
        read_participants(path)


def test_two_tables_of_participants_are_one_too_many(tmp_path: Path) -> None:
    """Which of the two counts is not guessed."""
    write(tmp_path, "participant\tage\n1\t2\n", "participants.tsv")
    with pytest.raises(StudyError, match="keep one of them"):
        read_participants(write(tmp_path, "participant,age\n1,2\n"))


def test_numbers_are_floats_and_words_are_categories(tmp_path: Path) -> None:
    """Missing stays missing in both."""
    text = "participant,age,sex,site,x\na,40,F,1,1\nb,,,2,2\nc,51.5,M,,3\n"
    table = covariates(read_participants(write(tmp_path, text)), ["sex", "age", "site"])
    assert table.index.tolist() == ["a", "b", "c"]
    assert table.index.name == "participant"
    assert table.columns.tolist() == ["sex", "age", "site"]
    assert table["age"].dtype == np.float64
    assert table["age"].isna().tolist() == [False, True, False]
    assert [one for one in table["sex"] if not pd.isna(one)] == ["F", "M"]
    assert table.loc["c", "age"] == 51.5


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        (["40", "89+", "50"], "row 3 (participant 1): age = 89+; allowed: a number"),
        (["40", "50", "1,54"], "row 4 (participant 2): age = 1,54"),
        (["1,5", "2,5", "3,5"], "row 2 (participant 0): age = 1,5"),
        (["40", "50", "unknown"], "age = unknown"),
        (["<18", "50", "60"], "row 2 (participant 0): age = <18"),
    ],
)
def test_a_number_that_is_none_is_refused_with_its_row(
    tmp_path: Path, ages: list[str], said: str
) -> None:
    """89+, a decimal comma, a word among numbers: never a category, never a guess."""
    rows = "".join(f'{n},"{age}"\n' for n, age in enumerate(ages))
    table = read_participants(write(tmp_path, f"participant,age\n{rows}"))
    with pytest.raises(StudyError) as caught:
        covariates(table, ["age"])
    assert said in str(caught.value)


def test_an_unknown_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    """A misspelt name suggests the right one."""
    table = read_participants(write(tmp_path, "participant,age,sex\n1,2,F\n"))
    with pytest.raises(StudyError, match=r"no column 'agee'.*Did you mean age.*Columns: age, sex"):
        covariates(table, ["agee"])


def test_a_real_cohort_keeps_its_codes_and_numbers(shared: Path) -> None:
    """ds002748: 72 people, CRLF, hyphens in names, n/a; ICD codes are words, MADRS a number."""
    table = read_participants(shared / "formats/bids/ds002748/participants.tsv")
    assert len(table) == 72
    found = covariates(table, ["group", "ICD-10", "MADRS", "BDI", "HADS-anx"])
    assert found["group"].value_counts().to_dict() == {"depr": 51, "control": 21}
    assert (found["MADRS"].count(), found["MADRS"].sum()) == (27, 720)
    assert (found["BDI"].count(), found["BDI"].sum()) == (65, 1067)
    assert found.loc["01", "ICD-10"] == "F32.0"
    assert np.isnan(found.loc["01", "MADRS"])


def test_a_real_table_with_a_byte_order_mark(shared: Path) -> None:
    """tiny_bids begins with a byte order mark; weight is n/a for its only participant."""
    table = read_participants(shared / "formats/bids/tiny_bids/participants.tsv")
    assert table.columns[0] == "participant"
    assert covariates(table, ["age", "weight"]).loc["01", "age"] == 29
