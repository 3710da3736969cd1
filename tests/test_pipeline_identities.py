"""Names in tables and texts become codes, and words that only look like names stay."""

from __future__ import annotations

import pandas as pd
import pytest

from emoclip_clinic.pipeline.identities import Identities
from emoclip_clinic.pseudonyms import Pseudonyms

KEY = bytes(32)
VISITS = [("P1", "01"), ("P1", "2024-01-31"), ("017", "01"), ("Jane Roe", "01"), ("P1", "20240131")]


@pytest.fixture
def names() -> Identities:
    recordings = pd.DataFrame(
        {
            "recording": ["sub-P1_ses-01", "sub-P1_ses-01_run-Ottoline", "sub-017_ses-01"],
            "participant": ["P1", "P1", "017"],
            "session": "01",
        }
    )
    return Identities(Pseudonyms(KEY), recordings, VISITS, ["R2", "ann", "Bo Li"], ["P1", "r2"])


def test_an_item_that_is_called_as_a_participant_stays(names: Identities) -> None:
    """P1 is an item of PANSS, and may be a participant: the column decides."""
    table = pd.DataFrame({"participant": ["P1"], "target": ["P1"], "note": ["P1 is a sum"]})
    made = names.table(table)
    assert made["participant"][0].startswith("P-")
    assert made["target"][0] == "P1"
    assert made["note"][0] == "P1 is a sum"


def test_raters_are_coded_wherever_they_stand(names: Identities) -> None:
    """In columns, in groups of visits, in sentences; the model and the consensus are no raters."""
    table = pd.DataFrame(
        {
            "rater_a": ["all", "ann", "model"],
            "rater_b": ["", "R2", "consensus"],
            "group": ["R2 and ann", "site", "Bo Li"],
            "note": ["no rating of ann, or R2", "planned and cannot", "Bo Li's r2"],
        }
    )
    made = names.table(table)
    code = names.rater
    assert list(made["rater_a"]) == ["all", code("ann"), "model"]
    assert list(made["rater_b"]) == ["", code("R2"), "consensus"]
    assert set(made["group"][0].split(" and ")) == {code("ann"), code("R2")}
    assert made["note"][0] == f"no rating of {code('ann')}, or {code('R2')}"
    assert made["note"][1] == "planned and cannot"
    assert made["note"][2] == f"{code('Bo Li')}'s r2"


def test_a_session_that_is_a_date_is_coded_as_a_group_too(names: Identities) -> None:
    """Agreement is shown by session, and there the session is a value."""
    table = pd.DataFrame(
        {"group": ["session", "session", "age"], "level": ["01", "20240131", "20240131"]}
    )
    made = names.table(table)
    assert made["level"][0] == "01"
    assert made["level"][1] == names.session("20240131")
    assert names.text("seen on 2024-01-31, 0.20240131 or 20240131.") == (
        f"seen on {names.session('2024-01-31')}, 0.20240131 or {names.session('20240131')}."
    )


def test_a_session_that_is_a_name_is_coded_wherever_it_stands() -> None:
    """The folders siteA/Ottoline/x.mp4 make a person's name the session."""
    recordings = pd.DataFrame(
        {"recording": ["sub-siteA_ses-Ottoline"], "participant": "siteA", "session": "Ottoline"}
    )
    names = Identities(Pseudonyms(KEY), recordings, [], [], [])
    made = names.table(recordings.assign(note="no rating of Ottoline"))
    assert not made.apply(lambda column: column.str.contains("Ottoline|siteA")).any(axis=None)
    assert made["session"][0] == names.session("Ottoline")


def test_recordings_of_one_visit_are_numbered(names: Identities) -> None:
    """What a file called its run may be a name."""
    person = names.participant("P1")
    assert names.recording("sub-P1_ses-01") == f"sub-{person}_ses-01_run-1"
    assert names.recording("sub-P1_ses-01_run-Ottoline") == f"sub-{person}_ses-01_run-2"
    assert names.recording("sub-017_ses-01") == f"sub-{names.participant('017')}_ses-01"
    assert names.recording("of nobody known").startswith("X-")


def test_exclusions_name_what_was_left_out_by_its_code(names: Identities) -> None:
    """Each by its kind; what is of no known kind loses its id."""
    table = pd.DataFrame(
        {
            "unit": ["participant", "rating", "target", "rater", "clip"],
            "id": ["P1", "sub-Jane Roe_ses-01", "P1", "ann", "Ottoline"],
            "reason": "too few",
        }
    )
    made = list(names.table(table)["id"])
    assert made[0] == names.participant("P1")
    assert made[1].startswith(f"sub-{names.participant('Jane Roe')}")
    assert made[2:] == ["P1", names.rater("ann"), ""]


def test_without_a_key_everything_stays(names: Identities) -> None:
    """--keep-ids means what it says."""
    kept = Identities(
        Pseudonyms(None),
        pd.DataFrame({"recording": ["a", "b"], "participant": "P1", "session": "20240131"}),
        VISITS,
        ["ann"],
        [],
    )
    table = pd.DataFrame({"recording": ["a", "b"], "session": "20240131", "note": "by ann"})
    pd.testing.assert_frame_equal(kept.table(table), table)
