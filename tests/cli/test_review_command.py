"""`review` as it is typed."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import Type


def test_review_of_face_crops_says_what_to_do(cli: Type, study: Path) -> None:
    """Where faces are not looked for, there is nobody to choose from."""
    answer = cli("review", "--study", study)
    assert answer.code == 1
    assert "faces = 'none'" in answer.err
    assert not (study / "review").exists()


def test_a_review_that_chooses_people_in_face_crops_is_refused(cli: Type, study: Path) -> None:
    """It is not passed over in silence; an exclusion is obeyed."""
    head = "recording,action,participant_person,start_s,stop_s"
    (study / "review.csv").write_text(f"{head}\nsub-P01_ses-01,choose,1,,\n")
    answer = cli("encode", study / "interviews", "--study", study)
    assert answer.code == 1
    assert "chooses people, and faces = 'none' looks for nobody" in answer.err
    (study / "review.csv").write_text(f"{head}\nsub-P01_ses-01,exclude,,0,1\n")
    answer = cli("encode", study / "interviews", "--study", study, "--json")
    assert answer.code == 3
    assert answer.json["exclusions"] == [
        {
            "stage": "encode", "unit": "recording", "id": "sub-P01_ses-01",
            "reason": "excluded in the review",
        }
    ]  # fmt: skip


def test_clean_removes_the_page_and_nothing_else(cli: Type, study: Path) -> None:
    """The folder goes, review.csv stays."""
    (study / "review").mkdir()
    (study / "review" / "review.html").write_text("faces")
    (study / "review.csv").write_text("recording,action,participant_person,start_s,stop_s\n")
    answer = cli("review", "--clean", "--study", study)
    assert answer.code == 0
    assert not (study / "review").exists()
    assert (study / "review.csv").is_file()


def test_a_wrong_rule_is_refused(cli: Type, study: Path) -> None:
    """With what is allowed; and one that needs faces, where none are looked for."""
    answer = cli("encode", study / "interviews", "--study", study, "--participant", "middle")
    assert answer.code == 1
    assert "participant = 'middle'; allowed: largest, longest, left, right" in answer.err
    answer = cli("encode", study / "interviews", "--study", study, "--participant", "left")
    assert answer.code == 1
    assert "needs faces to choose from" in answer.err
