"""`zeroshot` and `describe` as they are typed, on drawn faces."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import pandas as pd
import pytest

from emoclip_clinic.demo.expressions import write_expressions
from emoclip_clinic.encoder import DEMO_WEIGHTS
from emoclip_clinic.encoder.checkpoints import load_checkpoint, save_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from tests import clip_sets
from tests.child_processes import crash_on, linux_only
from tests.command_line import Type
from tests.videos import write_video

DEMO = ("--encoder", "emoclip-demo", "--prompts", "demo", "--every-nth", 1)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw five people for each of six expressions; nobody of the encoder's training."""
    folder = tmp_path_factory.mktemp("drawn")
    write_expressions(folder, 5)
    return folder


@pytest.fixture
def faces(drawn: Path, tmp_path: Path) -> Path:
    """Copy the drawn faces; give their manifest."""
    return Path(shutil.copytree(drawn, tmp_path / "faces")) / "manifest.csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def few(manifest: Path, n: int = 6) -> Path:
    """Keep every n-th clip of a manifest, and so one of each class."""
    table = pd.read_csv(manifest)
    path = manifest.with_name("few.csv")
    table.iloc[:: len(table) // n].to_csv(path, index=False)
    return path


def test_unseen_people_are_recognised_by_words(cli: Type, faces: Path) -> None:
    """Far above chance, and above frames averaged, with intervals that say so."""
    answer = cli("zeroshot", faces, *DEMO, "--output", "out", "--json")
    assert answer.code == 0, answer.err
    scores = pd.read_csv("out/scores.csv")
    uar = scores[scores["statistic"] == "UAR"].set_index(["method", "prompts"])
    own = uar.loc["emoclip-demo", "descriptions"]
    assert own["ci_low"] > 0.5 > 2 * own["chance"]
    assert own["n_participants"] == 30
    gain = pd.read_csv("out/differences.csv")
    average = gain[gain["method_b"].str.endswith("frame average") & (gain["statistic"] == "UAR")]
    assert len(average) == 2
    assert (average["ci_low"] > 0.2).all()
    assert answer.json["scores"][0]["value"] == pytest.approx(scores["value"].iloc[0])


def test_results_are_tables_json_and_a_figure(cli: Type, faces: Path) -> None:
    """The same bytes again, from the embeddings that were kept; other words need no encoding."""
    manifest = few(faces)
    words = ("zeroshot", manifest, *DEMO, "--output", "out", "--baseline", "own")
    assert cli(*words).code == 0
    first = contents(Path("out"))
    assert set(first) == {
        "scores.csv", "confusion.csv", "differences.csv", "predictions.csv", "result.json",
        "figure.pdf",
    }  # fmt: skip
    kept = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.npz")}
    assert cli(*words).code == 0
    assert contents(Path("out")) == first
    assert kept == {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.npz")}
    result = json.loads(first["result.json"])
    assert result["dataset"]["classes"] == sorted(
        ["amused", "excited", "restless", "still", "surprised", "talking"]
    )
    assert result["bootstrap"]["seed"] == 20231025
    predictions = pd.read_csv("out/predictions.csv")
    assert len(predictions) == 6 * 4
    assert (predictions["margin"] >= 0).all()


def test_broken_clips_are_listed_and_bounded(cli: Type, faces: Path) -> None:
    """One of six is more than 1 %: an error, or a row with its reason where it is allowed."""
    manifest = few(faces)
    broken = manifest.parent / pd.read_csv(manifest)["video"].iloc[0]
    (broken / "003.png").write_bytes(b"")
    words = ("zeroshot", manifest, *DEMO, "--output", "out", "--json")
    answer = cli(*words)
    assert answer.code == 1
    assert "1 of 6 clips cannot be read" in answer.err
    answer = cli(*words, "--max-broken", 0.2)
    assert answer.code == 3
    row = answer.json["exclusions"][0]
    assert (row["id"], row["reason"]) == (broken.name, "frame 003.png is empty (zero bytes)")
    assert answer.json["n_clips"] == 5


@linux_only
def test_a_clip_that_crashes_its_decoder_is_a_row_until_it_does_not(cli: Type, faces: Path) -> None:
    """The others are recognised; the next run reads it, though the others' vectors were kept."""
    manifest = few(faces)
    table = pd.read_csv(manifest)
    folder = manifest.parent / table["video"].iloc[0]
    pictures = [cv2.imread(str(path))[:, :, ::-1] for path in sorted(folder.iterdir())]
    write_video(manifest.parent / "fatal.mp4", pictures, options={"crf": "10"})
    table.loc[0, "video"] = "fatal.mp4"
    table.to_csv(manifest, index=False)
    words = ("zeroshot", manifest, *DEMO, "--output", "out", "--max-broken", 0.2, "--json")
    with crash_on("fatal.mp4"):
        answer = cli(*words)
    assert answer.code == 3
    assert [row["reason"] for row in answer.json["exclusions"]] == [
        "its decoder crashed (SIGSEGV); the next run tries again"
    ]
    assert answer.json["n_clips"] == 5
    answer = cli(*words)
    assert answer.code == 0, answer.err
    assert answer.json["n_clips"] == 6


def test_two_results_are_compared_on_the_same_clips(cli: Type, faces: Path) -> None:
    """Several windows against one, clip by clip; a clip that only one has is listed."""
    manifest = few(faces, 12)
    short = ("--frames", 16)
    assert cli("zeroshot", manifest, *DEMO, "--output", "one").code == 0
    pd.read_csv(manifest).iloc[1:].to_csv(manifest, index=False)
    assert cli("zeroshot", manifest, *DEMO, *short, "--windows", 2, "--output", "two").code == 0
    answer = cli("zeroshot", "--compare", "one", "two", "--json")
    assert answer.code == 3
    assert len(answer.json["exclusions"]) == 1
    table = pd.read_csv("differences_one_two.csv")
    assert list(table["statistic"]) == ["WAR", "UAR"] * 2
    each = [
        pd.read_csv(f"{name}/predictions.csv").query("method == 'emoclip-demo'")
        for name in ("one", "two")
    ]
    common = each[0].merge(each[1], on=["clip", "prompts"]).query("prompts == 'descriptions'")
    right = [(common[f"predicted_{side}"] == common[f"truth_{side}"]).mean() for side in "xy"]
    assert table["value"][0] == pytest.approx(right[0] - right[1])


def test_compound_classes_of_mafw_are_scored(cli: Type) -> None:
    """Their words are the means of their components'; one class a clip of the fold's lists."""
    root = clip_sets.make_mafw(Path("mafw"))
    answer = cli(
        *("zeroshot", "mafw-compound", "--data", root, "--fold", 1, "--encoder", "emoclip-demo"),
        *("--every-nth", 1, "--frames", 4, "--json"),
    )
    assert answer.code == 0, answer.err
    table = pd.read_csv("zeroshot/mafw-compound_emoclip-demo/predictions.csv")
    assert set(table["truth"]) == {"sadness_helplessness"}


def test_what_cannot_be_scored_is_said(cli: Type, tmp_path: Path) -> None:
    """Words without a class, a fold and a split that are not there, no label, nothing asked."""
    root = clip_sets.make_dfew(tmp_path / "dfew")
    dfew = ("zeroshot", "dfew", "--data", root, "--encoder", "emoclip-demo")
    for words, message in [
        (("--prompts", "demo"), "have no class 'happiness'"),
        (("--fold", 9), "dfew has no fold 9"),
        (("--split", "dev"), "lists no clip of the split dev; it has: test, train"),
        (("--prompts", "emotion"), "Did you mean emotions"),
    ]:
        answer = cli(*dfew, *words)
        assert answer.code == 1
        assert message in answer.err
    clip_sets.write_frames(tmp_path / "a")
    (tmp_path / "m.csv").write_text("video,caption\na,a smile\n")
    assert "has a label" in cli("zeroshot", "m.csv", "--encoder", "emoclip-demo").err
    assert cli("zeroshot").code == 2
    assert "holds no result" in cli("zeroshot", "--compare", "x", "y").err


def test_an_encoder_without_text_tower_is_refused_at_once(cli: Type, tmp_path: Path) -> None:
    """Before any clip is read."""
    whole = load_checkpoint(DEMO_WEIGHTS)
    blind = VideoEncoder(dataclasses.replace(whole.architecture, text_layers=0))
    named = whole.state_dict()
    blind.load_state_dict({key: named[key] for key in blind.state_dict()})
    save_checkpoint(blind, tmp_path / "blind.safetensors")
    root = clip_sets.make_dfew(tmp_path / "dfew")
    answer = cli("zeroshot", "dfew", "--data", root, "--encoder", "blind.safetensors")
    assert answer.code == 1
    assert "have no text tower" in answer.err
    answer = cli("describe", "nothing.mp4", "--encoder", "blind.safetensors", "--faces", "none")
    assert "have no text tower" in answer.err


def test_describe_writes_a_timeline(cli: Type, study: Path) -> None:
    """A row a window and description, marked as exploratory, with its floor."""
    (recording,) = sorted((study / "interviews").rglob("*.mp4"))[:1]
    answer = cli("describe", recording, "--study", study, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["exploratory"]
    assert "Exploratory" in answer.json["notes"][0]
    path = study / "describe" / "interview_symptoms.csv"
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    table = pd.read_csv(path)
    assert table["description"].nunique() == 6
    assert table["above_floor"].to_numpy() == pytest.approx(table["similarity"] - table["floor"])
    assert table["start_s"].min() == 0


def test_describe_says_what_it_cannot_read(cli: Type, study: Path, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"x")
    answer = cli("describe", "x.mp4", "--study", study)
    assert answer.code == 1
    assert "not a video" in answer.err
