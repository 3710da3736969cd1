"""Bad input: one clear message each, the right exit code, and nothing lost."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.command_line import Type
from tests.small_study import PEOPLE, make_ratings
from tests.videos import numbered_frames, write_audio, write_video


def rate(study: Path, table: pd.DataFrame) -> None:
    table.to_csv(study / "ratings.csv", index=False)


def test_an_empty_folder(cli: Type, tmp_path: Path) -> None:
    """There is nothing to do, and no study folder is left behind by a wrong path."""
    (tmp_path / "empty").mkdir()
    answer = cli("ingest", tmp_path / "empty", "--study", tmp_path / "s")
    assert answer.code == 1
    assert "no recording in" in answer.err
    answer = cli("encode", tmp_path / "missing", "--study", tmp_path / "t")
    assert answer.code == 1
    assert "missing is not a folder" in answer.err
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--encoder", "emoklip"),
        ("--faces", "yes"),
        ("--protocol", "densest"),
        ("--pattern", "{person}"),
        ("--pattern", "{participant}/nobody"),
    ],
)
def test_options_that_cannot_be_used_make_no_study(
    cli: Type, tmp_path: Path, words: tuple[str, str]
) -> None:
    """The next attempt starts from nothing, not from a study.toml with the mistake in it."""
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v" / "x.mp4", numbered_frames(30))
    answer = cli("encode", tmp_path / "v", "--study", tmp_path / "s", *words)
    assert answer.code == 1
    assert words[1] in answer.err
    assert not (tmp_path / "s").exists()


def test_what_to_run_next_can_be_pasted(cli: Type, tmp_path: Path) -> None:
    """Spaces are quoted, a leading dash is no option, the study is named."""
    (tmp_path / "-my videos").mkdir()
    write_video(tmp_path / "-my videos" / "x.mp4", numbered_frames(30))
    answer = cli("ingest", "--study", "my study", "--", "-my videos")
    assert answer.code == 0
    assert "Next: emoclip-clinic encode './-my videos' --study 'my study'\n" in answer.err


def test_nothing_usable_says_where_the_reasons_are(cli: Type, study: Path) -> None:
    """All recordings broken: each is listed, and `fit` points there."""
    for path in (study / "interviews").rglob("*.mp4"):
        path.write_bytes(b"")
    assert cli("encode", study / "interviews", "--study", study).code == 3
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 1
    assert "reason in recordings.csv" in answer.err
    assert cli("run", "--study", study).code == 1


@pytest.mark.parametrize("change", ["semicolons", "cut", "upper case"])
def test_a_table_that_a_spreadsheet_changed(cli: Type, study: Path, change: str) -> None:
    """The message says how to make it again, and that works."""
    path = study / "recordings.csv"
    before = path.read_text()
    changed = {
        "semicolons": before.replace(",", ";"),
        "cut": before[:700],
        "upper case": before.replace("true", "TRUE").replace("false", "FALSE"),
    }
    path.write_text(changed[change], encoding="utf-8-sig", newline="\r\n")
    answer = cli("encode", study / "interviews", "--study", study)
    assert answer.code == 1
    assert "recordings.csv" in answer.err
    assert "delete it and run 'emoclip-clinic ingest FOLDER'" in answer.err
    path.unlink()
    assert cli("encode", study / "interviews", "--study", study).code == 0
    assert path.read_text() == before


def test_json_is_one_object_in_every_outcome(cli: Type, study: Path) -> None:
    """Done, up to date, left out or wrong: a program can read it, whatever names hold."""
    (study / "interviews" / "note\udcff.txt").touch()
    (study / "interviews" / "émpty.mp4").touch()
    words = ("--study", study, "--json")
    for code, verb in [
        (3, ("encode", study / "interviews")),
        (1, ("encode", study / "nowhere")),
        (0, ("fit", "--scale", "cains")),
        (0, ("agree", "--scale", "cains")),
        (1, ("fit", "--scale", "nonsense")),
        (3, ("run",)),
        (0, ("scales", "list")),
        (0, ("scales", "show", "cains")),
        (0, ("weights", "list")),
        (1, ("weights", "path", "yunet")),
    ]:
        answer = cli(*verb, *words)
        assert answer.code == code, (verb, answer.err)
        assert isinstance(answer.json, dict)
        assert ("error" in answer.json) == (code == 1)


def test_a_folder_that_is_no_study(cli: Type) -> None:
    """`fit` in the wrong place says how a study is made."""
    answer = cli("fit", "--scale", "panss")
    assert answer.code == 1
    assert "emoclip-clinic init" in answer.err


def test_no_ratings(cli: Type, study: Path) -> None:
    """The places that were looked at are named."""
    (study / "ratings.csv").unlink()
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 1
    assert "ratings.csv and ratings/cains.csv" in answer.err


def test_an_unknown_scale_suggests_the_close_ones(cli: Type, study: Path) -> None:
    """A misspelt scale is not a traceback."""
    for verb in ("fit", "agree", "report"):
        answer = cli(verb, "--scale", "cain", "--study", study)
        assert answer.code == 1
        assert "cains" in answer.err, verb


@pytest.mark.parametrize(
    ("value", "message"),
    [("7", "= 7; allowed 0-4"), ("severe", "severe"), ("-9999", "-9999; allowed 0-4")],
)
def test_a_rating_that_is_not_allowed(cli: Type, study: Path, value: str, message: str) -> None:
    """File, row, item, value and range are named; the old results stay."""
    table = make_ratings().astype(str)
    table.loc[12, "3"] = value
    rate(study, table)
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 1
    assert "ratings.csv, row 14" in answer.err
    assert "item 3" in answer.err
    assert message in answer.err


def test_rated_and_never_filmed_and_filmed_and_never_rated(cli: Type, study: Path) -> None:
    """Both are listed with their reason, and the rest goes on: exit code 3."""
    table = make_ratings()
    table["participant"] = table["participant"].replace("P12", "X99")
    rate(study, table)
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 3
    assert "participant X99: rated, never filmed" in answer.err
    assert "filmed, never rated" in answer.err
    listed = pd.read_csv(study / "models" / "cains" / "exclusions.csv")
    assert {"X99", "sub-P12_ses-01"} <= set(listed["id"])


def test_ids_that_differ_in_zeros_are_pointed_out(cli: Type, study: Path) -> None:
    """A spreadsheet that ate the zeros is recognised, and nothing is matched by guess."""
    table = make_ratings()
    table["participant"] = table["participant"].replace("P01", "P1")
    rate(study, table)
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 3
    assert "'P1' is rated and never filmed, 'P01' filmed and never rated" in answer.err


def test_fewer_participants_than_folds(cli: Type, study: Path) -> None:
    """What is allowed is said."""
    settings = (study / "study.toml").read_text().replace("folds = 4", "folds = 40", 1)
    (study / "study.toml").write_text(settings)
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 1
    assert "12 participants" in answer.err
    assert "2 to 12 folds" in answer.err


def test_a_constant_target(cli: Type, study: Path) -> None:
    """It is left out with its reason, the others are fitted."""
    rate(study, make_ratings().assign(**{"5": 2}))
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 3
    assert "target 5: constant" in answer.err
    predicted = pd.read_csv(study / "predictions" / "cains.csv", dtype={"target": str})
    assert "5" not in set(predicted["target"])
    assert "10" in set(predicted["target"])
    assert cli("report", "--scale", "cains", "--study", study).code == 0


def test_broken_recordings_cost_their_row_only(cli: Type, tmp_path: Path) -> None:
    """Truncated, empty, audio-only and renamed files have their reason; the good one is usable."""
    folder = tmp_path / "räw videos" / "-dash"
    folder.mkdir(parents=True)
    good = write_video(folder / "good one.mp4", numbered_frames(30))
    content = good.read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mov").write_text("this is not a video\n" * 50)
    # the index of an mp4 lies at its end
    (folder / "cut.mp4").write_bytes(content[: len(content) // 2])
    write_audio(folder / "audio.mp4")
    (folder / "notes.docx").write_text("")
    answer = cli("ingest", folder, "--study", tmp_path / "s")
    assert answer.code == 3
    assert "notes.docx" in answer.err
    table = pd.read_csv(tmp_path / "s" / "recordings.csv").set_index("participant")
    assert table.loc["good one", "status"] == "usable"
    reasons = table["reason"].drop("good one")
    assert list(table["status"].drop("good one").unique()) == ["excluded"]
    assert "zero bytes" in reasons["empty"]
    assert "not a video" in reasons["text"]
    assert "audio only" in reasons["audio"]
    assert reasons["cut"]
    assert (folder / "notes.docx").exists()


def test_one_recording_under_two_participants(cli: Type, tmp_path: Path) -> None:
    """Nobody can tell whose it is: both rows are excluded."""
    for person in ("A", "B"):
        (tmp_path / "v" / person).mkdir(parents=True)
        write_video(tmp_path / "v" / person / "x.mp4", numbered_frames(30))
    answer = cli("ingest", tmp_path / "v", "--study", tmp_path / "s", "--json")
    assert answer.code == 3
    assert [row["reason"] for row in answer.json["exclusions"]] == [
        "same content under two participant ids"
    ] * 2


def test_a_recording_without_a_face(cli: Type, tmp_path: Path) -> None:
    """Every window is left out with its reason, and the recording is an exclusion."""
    grey = [np.full((64, 64, 3), 128, np.uint8)] * 30
    (tmp_path / "v" / "A").mkdir(parents=True)
    write_video(tmp_path / "v" / "A" / "x.mp4", grey)
    words = ("--encoder", "emoclip-demo", "--faces", "haar")
    answer = cli("encode", tmp_path / "v", "--study", tmp_path / "s", *words)
    assert answer.code == 3
    assert "no face" in answer.err


def test_missing_weights_name_the_command(cli: Type, tmp_path: Path) -> None:
    """Nothing falls back to untrained layers or another detector."""
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v" / "x.mp4", numbered_frames(30))
    answer = cli("encode", tmp_path / "v", "--faces", "none")
    assert answer.code == 1
    assert "emoclip-clinic weights import" in answer.err
    answer = cli("encode", tmp_path / "v", "--encoder", "emoclip-demo", "--faces", "yunet")
    assert answer.code == 1
    assert "emoclip-clinic weights fetch yunet" in answer.err


class Payload:
    """A pickle that would write a file when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
        return Path.write_text, (self.target, "code ran")


def test_a_checkpoint_that_holds_code(cli: Type, tmp_path: Path) -> None:
    """It is refused and its code does not run, in either container."""
    target = tmp_path / "ran"
    torch.save({"weight": Payload(target)}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"weight": Payload(target)}))
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v" / "x.mp4", numbered_frames(30))
    for name in ("zip.pt", "plain.pt"):
        imported = cli("weights", "import", tmp_path / name, "--as", "emoclip")
        used = cli("encode", tmp_path / "v", "--encoder", tmp_path / name, "--faces", "none")
        for answer in (imported, used):
            assert answer.code == 1
            assert name in answer.err
    assert not target.exists()


def test_a_study_folder_that_cannot_be_written(cli: Type, study: Path) -> None:
    """A place where no file can be made is one message, and the old tables stay."""
    before = (study / "recordings.csv").read_bytes()
    (study / "models").write_text("a file where a folder should be")
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert answer.code == 1
    assert "cannot write" in answer.err
    assert (study / "recordings.csv").read_bytes() == before


def test_a_full_disk(cli: Type, study: Path) -> None:
    """Writing beyond what there is room for is one message, and leaves no half file."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        answer = cli("fit", "--scale", "cains", "--study", study)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.code == 1
    assert "cannot write" in answer.err
    assert not (study / "predictions" / "cains.csv").exists()
    assert not list(study.rglob("*.tmp"))
    assert cli("fit", "--scale", "cains", "--study", study).code == 0


def test_wrong_words_are_usage_errors(cli: Type) -> None:
    """What the command line does not know exits with 2."""
    assert cli("fit").code == 2
    assert cli("fit", "--scal", "panss").code == 2
    assert cli("explode").code == 2


def test_names_in_square_brackets_are_printed_as_they_are(cli: Type, study: Path) -> None:
    """A participant may be called [red]."""
    table = make_ratings()
    table["participant"] = table["participant"].replace(PEOPLE[-1], "[red]X[/red]")
    rate(study, table)
    answer = cli("fit", "--scale", "cains", "--study", study)
    assert "[red]X[/red]" in answer.err


def test_a_study_is_for_its_owner_alone(cli: Type, tmp_path: Path) -> None:
    """Every file and folder that a command makes, whatever the mask says."""
    mask = os.umask(0o022)
    try:
        assert cli("init", tmp_path / "new").code == 0
    finally:
        os.umask(mask)
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_one_rater_is_told_why_nothing_could_be_tested(cli: Type, study: Path) -> None:
    """A margin needs a ceiling; the model is compared with the rater all the same."""
    table = make_ratings()
    rate(study, table[table["rater"] == table["rater"].iloc[0]])
    settings = (study / "study.toml").read_text()
    (study / "study.toml").write_text(settings.replace("[agree]", "[agree]\nmargin = 0.1"))
    assert cli("fit", "--scale", "cains", "--study", study).code in {0, 3}
    answer = cli("agree", "--scale", "cains", "--study", study)
    said = " ".join(answer.err.split())
    assert "Nothing could be tested against the margin: undefined: one rater" in said
    assert "agree: 1 rater and the model" in said


def test_a_logo_and_a_font_that_are_absent_are_named(cli: Type, study: Path) -> None:
    """Before anything is computed; a file that is no picture, too."""
    assert cli("fit", "--scale", "cains", "--study", study).code == 0
    settings = (study / "study.toml").read_text()
    for key, name, words in (
        ("logo", "logo.png", "report: logo: there is no file"),
        ("logo", "ratings.csv", "is neither a PNG nor a JPEG file"),
        ("font", "own.ttf", "report: font: there is no file"),
    ):
        (study / "study.toml").write_text(f'{settings}\n[report]\n{key} = "{name}"\n')
        answer = cli("report", "--scale", "cains", "--study", study)
        assert answer.code == 1
        assert words in " ".join(answer.err.split())
