"""`ratings template` and `ratings check`, and what study.toml changes in what they read."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.pipeline.sources import read_rated
from emoclip_clinic.recordings import Recording, recording_table, write_recordings
from emoclip_clinic.scales import load_scale
from emoclip_clinic.study import Study
from tests.command_line import Type

CODES = load_scale("cains").codes


def filmed(folder: Path, *visits: tuple[str, str, str]) -> None:
    nothing = sha256_bytes(b"")
    recordings = [
        Recording(
            f"sub-{who}_ses-{when}", who, when, f"{who}{when}.mp4", nothing, 0,
            status=status, reason="no face" if status == "excluded" else "",
        )
        for who, when, status in visits
    ]  # fmt: skip
    write_recordings(folder / "recordings.csv", recording_table(recordings))


def rate(folder: Path, rows: list[tuple[str, str, str, list[object]]]) -> None:
    """Write ratings.csv: participant, session, rater and the items of the CAINS."""
    table = pd.DataFrame(
        [(who, when, rater, *values) for who, when, rater, values in rows],
        columns=["participant", "session", "rater", *(f"cains_{code}" for code in CODES)],
    )
    table.to_csv(folder / "ratings.csv", index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a study without anything in it."""
    return Study.create(tmp_path / "study").path


def settings(folder: Path, text: str) -> Study:
    (folder / "study.toml").write_text(f"[ratings]\n{text}\n")
    return Study(folder)


def test_a_template_has_a_row_for_each_usable_recording(cli: Type, folder: Path) -> None:
    """Visits and raters are prepared; what was filled in is what `check` finds."""
    filmed(folder, ("007", "02", "usable"), ("007", "01", "usable"), ("8", "01", "excluded"))
    answer = cli(
        "ratings", "template", "--scale", "cains", "--rater", "ann", "--rater", "bob",
        "--study", folder, "--json",
    )  # fmt: skip
    assert answer.code == 0
    assert answer.json["n_rows"] == 4
    path = folder / "ratings" / "cains.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book["cains"]
    keys = [tuple(cell.value for cell in row[:3]) for row in sheet.iter_rows(min_row=2, max_row=5)]
    assert keys == [
        ("007", "01", "ann"), ("007", "01", "bob"), ("007", "02", "ann"), ("007", "02", "bob"),
    ]  # fmt: skip
    for row in range(2, 6):
        for column in range(4, 4 + len(CODES)):
            sheet.cell(row, column).value = row % 5
    sheet["D2"].value = None
    book.save(path)
    answer = cli("ratings", "check", "--scale", "cains", "--study", folder, "--json")
    assert answer.code == 0
    found = answer.json
    assert found["files"] == ["ratings/cains.xlsx"]
    assert found["n_participants"] == 1
    assert found["sessions"] == ["01", "02"]
    assert found["raters"] == {"ann": 2, "bob": 2}
    assert (found["n_visits"], found["n_visit_ratings"]) == (2, 4)
    assert "exp: made for 4 of 4 ratings of 2 visits" in found["notes"]
    assert found["n_ratings"] == 4 * len(CODES) - 1
    assert found["missing"] == {"1": 1}
    assert found["complete"] == {"map": 3, "exp": 4}


def test_a_template_is_never_written_over_ratings(cli: Type, folder: Path) -> None:
    """A file that exists is left as it is; another kind of file is refused; CSV is made too."""
    words = ("ratings", "template", "--scale", "cains", "--study", folder, "--output")
    assert cli(*words, folder / "a.csv").code == 0
    assert (folder / "a.csv").read_text().startswith("participant,session,rater,cains_1,")
    (folder / "a.csv").write_text("mine")
    answer = cli(*words, folder / "a.csv")
    assert answer.code == 1
    assert "may hold ratings: name another with --output" in answer.err
    assert (folder / "a.csv").read_text() == "mine"
    assert "ends in .xlsx or .csv" in cli(*words, folder / "a.ods").err


def test_check_says_what_is_wrong_and_what_has_no_recording(cli: Type, folder: Path) -> None:
    """Problems end it with 1; ratings without a recording are exclusions, with 3."""
    rate(folder, [("1", "01", "a", [9] * 13)])
    answer = cli("ratings", "check", "--scale", "cains", "--study", folder)
    assert answer.code == 1
    assert "ratings.csv, row 2: CAINS item 1 = 9; allowed 0-4" in answer.err
    assert "9 occurs 13 times: if it means 'not rated', write missing = [9]" in answer.err
    rate(folder, [("1", "01", "a", [3] * 13), ("2", "01", "a", [1] * 12 + [""])])
    filmed(folder, ("1", "01", "usable"))
    answer = cli("ratings", "check", "--scale", "cains", "--study", folder)
    assert answer.code == 3
    assert "left out: participant 2: rated, never filmed" in answer.err
    assert "exp: made for 1 of 2 ratings of 2 visits" in answer.err
    assert "not rated, by item: 13 (1)" in answer.err


def test_every_kind_of_file_is_read_where_study_toml_names_it(folder: Path) -> None:
    """CSV and SPSS beside one another; a REDCap dictionary is found from the study folder."""
    rate(folder, [("1", "01", "a", [3] * 13)])
    table = pd.DataFrame({"pid": ["2"], **{f"q{code}": [2.0] for code in CODES}})
    pyreadstat.write_sav(
        table, folder / "b.sav", column_labels=["id", *(f"CAINS {code}" for code in CODES)]
    )
    columns = ", ".join(f'q{code} = "{code}"' for code in CODES)
    mapping = f'files = ["b.sav"]\nparticipant = "pid"\ncolumns = {{{columns}}}'
    rated = read_rated(settings(folder, mapping), "cains")
    assert rated.ratings["value"].tolist() == [2.0] * 13
    (folder / "dictionary.csv").write_text("x\n")
    study = settings(folder, 'dictionary = "dictionary.csv"')
    with pytest.raises(Exception, match="is no REDCap data dictionary"):
        read_rated(study, "cains")


def test_a_named_rater_can_be_the_consensus(folder: Path) -> None:
    """Visits without that rater have no consensus; an unknown one is refused with the known."""
    rate(
        folder,
        [
            ("1", "01", "ann", [2] * 13),
            ("1", "01", "board", [4] * 13),
            ("2", "01", "ann", [1] * 13),
        ],
    )
    mean = read_rated(settings(folder, 'consensus = "mean"'), "cains").consensus
    assert mean.query("target == '1'")["value"].tolist() == [3.0, 1.0]
    rated = read_rated(settings(folder, 'consensus = "rater:board"'), "cains")
    found = rated.consensus.query("target == 'exp'")
    assert found[["participant", "value", "n_raters"]].to_numpy().tolist() == [["1", 16.0, 1]]
    assert set(rated.scored["rater"]) == {"ann", "board"}
    assert "1 visit without a rating of board, whose ratings are the consensus" in rated.notes
    with pytest.raises(Exception, match=r"no rater bob\. Raters: ann, board"):
        read_rated(settings(folder, 'consensus = "rater:bob"'), "cains")


def test_ratings_are_read_again_when_the_rules_or_the_dictionary_change(folder: Path) -> None:
    """What [ratings] or a JSON beside a table says is an input of every stage that reads them."""
    (folder / "cains.tsv").write_text("participant_id\tcains_1\n1\t2\n")
    inputs = [folder / "cains.tsv"]

    def stamp(rules: str = "") -> dict[str, str]:
        study = settings(folder, f'files = ["{{scale}}.tsv"]\n{rules}')
        return dict(study.stamp("fit-cains", inputs, {}).inputs)

    first = stamp()
    assert stamp() == first
    assert stamp("missing = [-9]") != first
    (folder / "cains.json").write_text(json.dumps({"cains_1": {"Derivative": True}}))
    assert stamp() != first
    other = Study(folder).stamp("encode", [folder / "study.toml"], {})
    assert "rules for ratings" not in other.inputs
