"""encode --turns, turns check, and predict with a model of turns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pypdf
import pytest

from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.pipeline.choosing import Choices
from emoclip_clinic.pipeline.recording_encoder import Encoding
from emoclip_clinic.settings import read_settings
from tests.command_line import Type
from tests.small_study import PEOPLE, make_recordings

SHORT = "rate_hz = 10\nwindow_frames = 5\nstride_frames = 5\n"


def use_short_windows(study: Path) -> None:
    folder = study / "protocols" / "encoding"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "short.toml").write_text(SHORT)


def write_turns(study: Path, people: list[str], stop_s: float = 1.5) -> None:
    """Write RTTM as a program of diarisation does, the interviewer first."""
    folder = study / "turns"
    folder.mkdir(exist_ok=True)
    for person in people:
        lines = [
            f"SPEAKER {person} 1 0.0 0.5 <NA> <NA> INT <NA> <NA>",
            f"SPEAKER {person} 1 0.5 {stop_s - 0.5} <NA> <NA> PAR <NA> <NA>",
        ]
        (folder / f"{person}.rttm").write_text("\n".join(lines))


def used(study: Path) -> pd.DataFrame:
    table = pd.read_csv(study / "features" / "emoclip-demo" / "segments.csv")
    return table[table["status"] == "used"]


@pytest.fixture
def talked(study: Path) -> Path:
    """Take the small study, with turns from 0.5 to 1.5 s."""
    use_short_windows(study)
    write_turns(study, PEOPLE)
    return study


def test_options_become_the_settings_of_a_new_study(cli: Type, tmp_path: Path) -> None:
    """What is typed in an empty place is in study.toml, and `encode` alone does the same again."""
    make_recordings(tmp_path / "films", PEOPLE[:2])
    use_short_windows(tmp_path)
    write_turns(tmp_path, PEOPLE[:2])
    words = ["encode", "films", "--encoder", "emoclip-demo", "--faces", "none"]
    words += ["--protocol", "short", "--turns", "turns/{participant}.rttm", "--speaker", "PAR"]
    answer = cli(*words)
    assert answer.code == 0, answer.err
    windows = used(tmp_path)[["start_s", "stop_s"]].round(6).to_numpy().tolist()
    assert windows == [[0.5, 1.0], [1.0, 1.5]] * 2
    settings = read_settings(tmp_path / "study.toml").encode
    assert (settings.turns, settings.speaker) == ("turns/{participant}.rttm", ("PAR",))
    assert "up to date" in cli("encode", "films").err


def test_a_wrong_speaker_is_one_message(cli: Type, talked: Path) -> None:
    """No traceback: the file, the names in it, what to run."""
    words = ["--study", talked, "--turns", "turns/{participant}.rttm", "--speaker", "PATIENT"]
    answer = cli("encode", talked / "interviews", *words)
    assert answer.code == 1
    for text in ("P01.rttm", "'PATIENT'", "'INT', 'PAR'", "turns check"):
        assert text in answer.err
    assert "Traceback" not in answer.err


def test_check_lists_recordings_and_what_is_wrong(cli: Type, talked: Path) -> None:
    """A table, an exclusion with its reason, exit code 3."""
    (talked / "turns" / "P03.rttm").unlink()
    words = ["turns", "check", "--study", talked, "--turns", "turns/{participant}.rttm"]
    answer = cli(*words, "--speaker", "PAR", "--protocol", "short", "--json")
    assert answer.code == 3
    assert answer.json["n_with_turns"] == 11
    assert [row["id"] for row in answer.json["exclusions"]] == ["sub-P03_ses-01"]
    assert {row["spoken_s"] for row in answer.json["rows"]} == {"1.0", "0.0"}
    usual = cli(*words, "--speaker", "PAR", "--json")
    assert usual.json["n_with_turns"] == 0
    assert "turn shorter than half a window" in usual.json["exclusions"][0]["reason"]
    silent = cli(*words, "--json")
    assert "several speakers, 'INT', 'PAR'" in silent.json["notes"][0]
    assert cli("turns", "check", "--study", talked).code == 1


def fit_turns(cli: Type, talked: Path) -> Path:
    """Fit a model to the turns of the small study; give its folder."""
    text = (talked / "study.toml").read_text()
    own = 'protocol = "short"\nturns = "turns/{participant}.rttm"\nspeaker = ["PAR"]\n'
    own += "join_pauses_s = 0.2\n[fit]"
    (talked / "study.toml").write_text(text.replace("[fit]", own))
    assert cli("encode", talked / "interviews", "--study", talked).code == 0
    assert cli("fit", "--scale", "cains", "--study", talked).code in (0, 3)
    return talked / "models" / "cains"


def test_a_model_of_turns_predicts_from_turns(cli: Type, talked: Path, tmp_path: Path) -> None:
    """New recordings are encoded as the model's were; without turns they are refused."""
    model, new = fit_turns(cli, talked), tmp_path / "new"
    assert json.loads((model / "encoding.json").read_text())["turns"]["speaker"] == ["PAR"]
    make_recordings(new / "interviews", ["Q01"])
    words = ["predict", new / "interviews", "--model", model]
    words += ["--study", new, "--output", new / "scores.csv"]
    answer = cli(*words)
    assert answer.code == 1
    assert "the model was made from turns" in answer.err
    assert "not one of 1 recordings has turns" in answer.err
    assert not (new / "scores.csv").exists()
    write_turns(new, ["Q01"])
    assert cli(*words).code == 0
    windows = used(new)[["start_s", "stop_s"]].round(6).to_numpy().tolist()
    assert windows == [[0.5, 1.0], [1.0, 1.5]]


def test_predict_finds_turns_by_the_names_that_they_have_here(
    cli: Type, talked: Path, tmp_path: Path
) -> None:
    """Other files and another speaker are the model's turns; another section is said to be one."""
    model, new = fit_turns(cli, talked), tmp_path / "new"
    make_recordings(new / "interviews", ["Q01"])
    rows = ["speaker,section,start_s,stop_s", "doctor,talk,0,0.5", "patient,talk,0.5,0.9"]
    # the model's turns were joined over such a pause, so these are
    rows += ["patient,talk,1.1,1.5"]
    (new / "who.csv").write_text("\n".join(rows))
    words = ["predict", new / "interviews", "--model", model, "--study", new]
    words += ["--output", new / "scores.csv", "--turns", "who.csv"]
    wrong = cli(*words)
    assert wrong.code == 1
    assert "no speaker 'PAR'; those there are 'doctor', 'patient'" in wrong.err
    answer = cli(*words, "--speaker", "patient")
    assert answer.code == 0, answer.err
    assert "sections" not in answer.err
    assert used(new)["start_s"].round(6).tolist() == [0.5, 1.0]
    answer = cli(*words, "--speaker", "patient", "--section", "talk")
    assert answer.code == 0
    assert "sections are 'talk' here, and all in the model's recordings" in answer.err


def test_a_model_of_whole_recordings_predicts_from_whole_recordings(
    cli: Type, study: Path, tmp_path: Path
) -> None:
    """The turns that study.toml asks for since then are not those that the model has seen."""
    assert cli("fit", "--scale", "cains", "--study", study).code in (0, 3)
    before = shutil.copytree(study / "features", tmp_path / "features")
    write_turns(study, PEOPLE)
    text = (study / "study.toml").read_text()
    own = 'turns = "turns/{participant}.rttm"\nspeaker = ["PAR"]\n[fit]'
    (study / "study.toml").write_text(text.replace("[fit]", own))
    words = ["predict", study / "interviews", "--model", study / "models" / "cains"]
    assert cli(*words, "--study", study, "--output", tmp_path / "scores.csv").code == 0
    for path in before.rglob("*.safetensors"):
        assert path.read_bytes() == (study / "features" / path.relative_to(before)).read_bytes()
    answer = cli(*words, "--study", study, "--turns", "turns/{participant}.rttm")
    assert answer.code == 1
    assert "the model was made from whole recordings" in answer.err


def test_the_report_says_that_turns_were_encoded(cli: Type, talked: Path) -> None:
    """Its methods, and the settings of the run, options too; but not what people are called."""
    words = ["--turns", "turns/{participant}.rttm", "--speaker", "PAR", "--protocol", "short"]
    assert cli("encode", talked / "interviews", "--study", talked, *words).code == 0
    for verb in ("fit", "report"):
        assert cli(verb, "--scale", "cains", "--study", talked).code in (0, 3)
    text = report_text(talked)
    assert "Only the participant's speech turns were encoded" in text
    assert "encode.speaker 1 encode.turns a path, not shown" in text
    assert "encode.precision fp32" in text
    assert "PAR" not in text.split()


def test_the_report_says_how_recordings_were_encoded(cli: Type, study: Path) -> None:
    """As `encode` recorded it, whatever study.toml says; a photo's name may be a person's."""
    assert cli("fit", "--scale", "cains", "--study", study).code in (0, 3)
    record = study / "provenance" / "encode-emoclip-demo.json"
    known = json.loads(record.read_text())
    how = Encoding(
        "emoclip-demo", "yunet", EncodingProtocol(), None, "", "",
        Choices(parse_rule("anna.jpg"), "sface"), precision="bf16",
    )  # fmt: skip
    known["settings"] = how.settings
    known["inputs"]["review.csv"] = "00"
    record.write_text(json.dumps(known))
    assert cli("report", "--scale", "cains", "--study", study).code in (0, 3)
    text = report_text(study)
    for sentence in (
        "with YuNet", "a reference photo, by the face recogniser SFace", "the review counted",
        "computed in bf16", "encode.faces yunet", "encode.participant photo",
    ):  # fmt: skip
        assert sentence in text, sentence
    assert "anna" not in text


def test_describe_takes_the_turns_that_encode_takes(cli: Type, talked: Path) -> None:
    """The same windows; the speaker is asked for, and a name without a file is refused."""
    recording = talked / "interviews" / "P01" / "interview.mp4"
    turns = talked / "turns" / "P01.rttm"
    words = ["describe", recording, "--study", talked, "--protocol", "short"]
    assert cli(*words, "--speaker", "PAR").code == 1
    answer = cli(*words, "--turns", turns)
    assert answer.code == 1
    assert "P01.rttm: it has several speakers, 'INT', 'PAR'" in answer.err
    answer = cli(*words, "--turns", turns, "--speaker", "PAR", "--output", "words.csv")
    assert answer.code == 0, answer.err
    table = pd.read_csv("words.csv")
    known = table[table["similarity"].notna()]
    shown = known[["start_s", "stop_s"]].drop_duplicates().round(6).to_numpy().tolist()
    assert shown == [[0.5, 1.0], [1.0, 1.5]]
    others = table.loc[table["similarity"].isna(), "note"]
    assert set(others) == {"outside the participant's turns"}
    both = turns.read_text() + "\n" + (talked / "turns" / "P02.rttm").read_text()
    turns.write_text(both)
    answer = cli(*words, "--turns", turns, "--speaker", "PAR")
    assert "turns of several recordings, and none of 'interview'" in answer.err
    turns.write_text(both.replace("SPEAKER P01", "SPEAKER interview"))
    assert cli(*words, "--turns", turns, "--speaker", "PAR").code == 0


def report_text(study: Path) -> str:
    pages = pypdf.PdfReader(study / "reports" / "cains.pdf").pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)
