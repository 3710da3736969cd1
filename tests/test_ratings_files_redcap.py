"""REDCap exports: events, instances, dictionaries, and nothing that identifies a person."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from emoclip_clinic import ratings, ratings_files
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scales import load_scale
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import Sheet

CAINS = load_scale("cains")
HEADINGS = [
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note",
    "Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max",
    "Identifier?", "Branching Logic (Show field only if...)", "Required Field?",
    "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
]  # fmt: skip
CHOICES = "0, Absent|1, Mild| 2, Moderate |3, Severe | 4, Extreme"


def field(name: str, kind: str = "text", label: str = "", **other: str) -> dict[str, str]:
    named = {"choices": HEADINGS[5], "identifier": HEADINGS[10], "branching": HEADINGS[11]}
    row = dict.fromkeys(HEADINGS, "")
    row |= {HEADINGS[0]: name, HEADINGS[1]: "visit", HEADINGS[3]: kind, HEADINGS[4]: label}
    return row | {named[key]: text for key, text in other.items()}


FIELDS = [
    field("study_no"),
    field("name", label="Name", identifier="y"),
    field("rated_by", label="Rater"),
    field("face", "radio", "Facial expression", choices=CHOICES),
    field("voice", "dropdown", "11. Vocal expression", choices=CHOICES, branching="[face] > '0'"),
    field("cains_12", "radio", "Gestures", choices=CHOICES),
    field("cains_13", "calc", "Sum"),
    field("cains_1", "checkbox", "Sources", choices="1, chart|2, family"),
]


def project(folder: Path, header: str, rows: list[str], fields: list[dict[str, str]]) -> Path:
    with (folder / "dictionary.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADINGS)
        writer.writeheader()
        writer.writerows(fields)
    (folder / "export.csv").write_text("\n".join([header, *rows]))
    return folder / "export.csv"


def sheet_of(path: Path, **rules: Any) -> Sheet:
    settings = RatingsSettings(**{"dictionary": "dictionary.csv", **rules})
    return ratings_files.read(path, CAINS, settings, path.parent)


def read(path: Path, **rules: Any) -> tuple[pd.DataFrame, list[str]]:
    settings, notes = RatingsSettings(**{"dictionary": "dictionary.csv", **rules}), list[str]()
    table = ratings.read_ratings(
        path,
        CAINS,
        notes.append,
        settings,
        lambda one: ratings_files.read(one, CAINS, settings, path.parent),
    )
    return table, notes


HEADER = "study_no,redcap_event_name,name,rated_by,face,voice,cains_12,cains_13,visit_complete"
ROWS = [
    "A-1,visit_1_arm_1,Jane Roe,ann,0,,2,2,2",
    "A-1,visit_2_arm_1,,ann,1,4,,5,0",
    "A-1,lab_arm_1,,,,,,,2",
    "A-2,visit_1_arm_1,John Doe,ben,3,3,3,9,2",
]


def test_events_are_sessions_and_rows_of_other_forms_are_left_out(tmp_path: Path) -> None:
    """The first field is the participant; items are found by label and by name."""
    table, notes = read(project(tmp_path, HEADER, ROWS, FIELDS), rater="rated_by")
    assert table[["participant", "session", "rater", "item", "value"]].to_numpy().tolist() == [
        ["A-1", "visit_1_arm_1", "ann", "10", 0.0],
        ["A-1", "visit_1_arm_1", "ann", "12", 2.0],
        ["A-1", "visit_2_arm_1", "ann", "10", 1.0],
        ["A-1", "visit_2_arm_1", "ann", "11", 4.0],
        ["A-2", "visit_1_arm_1", "ben", "10", 3.0],
        ["A-2", "visit_1_arm_1", "ben", "11", 3.0],
        ["A-2", "visit_1_arm_1", "ben", "12", 3.0],
    ]
    assert any("shown only if [face] > '0': not rated where they were hidden" in n for n in notes)


def test_events_get_the_names_of_the_recordings(tmp_path: Path) -> None:
    """study.toml says which session of the recordings an event is."""
    path = project(tmp_path, HEADER, ROWS, FIELDS)
    names = {"visit_1_arm_1": "01", "visit_2_arm_1": "02"}
    assert sorted(read(path, sessions=names)[0]["session"].unique()) == ["01", "02"]


def test_nothing_that_identifies_a_person_is_in_the_sheet(tmp_path: Path) -> None:
    """Identifiers are dropped where the file is read, with their headings."""
    sheet = sheet_of(project(tmp_path, HEADER, ROWS, FIELDS))
    held = " ".join([*sheet.header, *(cell for _, row in sheet.rows for cell in row)])
    for text in ("name", "Jane", "Roe", "John", "redcap", "complete"):
        assert text not in held.split()
    with pytest.raises(RatingsError, match="marks it as an identifier"):
        sheet_of(project(tmp_path, HEADER, ROWS, FIELDS), rater="name")


def test_instances_of_a_repeating_form_are_sessions(tmp_path: Path) -> None:
    """Instance 2 is session 02, after its event where there is one; a base row is no visit."""
    header = "study_no,redcap_repeat_instrument,redcap_repeat_instance,name,face"
    rows = ["1,,,Jane,", "1,visit,1,,2", "1,visit,2,,3", "2,,,John,4"]
    table, _ = read(project(tmp_path, header, rows, FIELDS))
    assert table[["participant", "session", "value"]].to_numpy().tolist() == [
        ["1", "01", 2.0], ["1", "02", 3.0], ["2", "01", 4.0],
    ]  # fmt: skip
    header = header.replace("study_no,", "study_no,redcap_event_name,")
    rows = ["1,base,,,Jane,", "1,base,visit,1,,2", "1,end,visit,2,,3"]
    table, _ = read(project(tmp_path, header, rows, FIELDS))
    assert table["session"].tolist() == ["base-01", "end-02"]


def test_calculated_fields_and_boxes_are_no_items(tmp_path: Path) -> None:
    """cains_13 is computed and cains_1___1 a box: neither is read for the item of that number."""
    header = "study_no,redcap_event_name,cains_12,cains_13,cains_1___1,cains_1___2"
    table, _ = read(project(tmp_path, header, ["1,a,2,3,1,0"], FIELDS))
    assert table["item"].tolist() == ["12"]


def test_another_range_in_the_dictionary_is_refused(tmp_path: Path) -> None:
    """Choices from 1 to 5 are another way to count than 0 to 4: every rating would be wrong."""
    shifted = CHOICES.replace("0, Absent|", "") + " | 5, Beyond"
    fields = [FIELDS[0], field("face", "radio", "Facial expression", choices=shifted)]
    path = project(tmp_path, "study_no,redcap_event_name,face", ["1,a,2"], fields)
    with pytest.raises(RatingsError, match=r"face runs from 1 to 5.* item 10 from 0-4"):
        read(path)


@pytest.mark.parametrize(
    ("dictionary", "said"),
    [
        ("a,b\n1,2\n", "is no REDCap data dictionary: it has no column 'Variable / Field Name'"),
        (",".join(HEADINGS) + "\n" + "x," * 17 + "\n", "the first column is study_no, which"),
        (None, "cannot be read"),
    ],
)
def test_the_wrong_dictionary_is_refused(tmp_path: Path, dictionary: str | None, said: str) -> None:
    """Another table, that of another project, or none."""
    path = project(tmp_path, HEADER, ROWS, FIELDS)
    if dictionary is None:
        (tmp_path / "dictionary.csv").unlink()
    else:
        (tmp_path / "dictionary.csv").write_text(dictionary)
    with pytest.raises(RatingsError) as caught:
        read(path)
    assert said in str(caught.value)


def test_labels_in_place_of_raw_data_are_named(tmp_path: Path) -> None:
    """An export with labels holds words: the message says which export holds numbers."""
    rows = ["1,a,Jane,ann,Absent,Mild,Moderate,,2", "2,a,John,ann,Mild,Mild,Severe,,2"]
    with pytest.raises(RatingsError, match=r"export the numbers in place.*REDCap: raw data"):
        read(project(tmp_path, HEADER, rows, FIELDS))
