from __future__ import annotations

from pathlib import Path

import pytest

from tests import clip_sets
from tests.child_processes import crash_on, linux_only
from tests.command_line import Type
from tests.videos import numbered_frames, write_video


def test_a_whole_dataset_passes(cli: Type, tmp_path: Path) -> None:
    """Exit 0, and the clips of every split are counted."""
    root = clip_sets.make_ferv39k(tmp_path)
    answer = cli("datasets", "check", "ferv39k", "--data", str(root), "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["n_clips"], answer.json["n_usable"]) == (3, 3)
    assert [row["usable"] for row in answer.json["splits"]] == [2, 1]


def test_what_cannot_be_used_is_listed_with_its_reason(cli: Type, tmp_path: Path) -> None:
    """A missing folder, an empty one, an empty and a broken frame; gaps only get a note; exit 3."""
    root = clip_sets.make_mafw(tmp_path)
    faces = root / "data" / "faces"
    for path in (faces / "00001").iterdir():
        path.unlink()
    (faces / "00002" / "00000.png").write_bytes(b"")
    clip_sets.write_frames(faces / "00003", [9])
    lists = root / "Train_Test_Set" / "single" / "with_caption_new" / "set_1"
    clip_sets.write_list(
        lists / "test.txt", ["00003.mp4\tsadness", "00004.mp4\tfear", "00003.mp4\tsadness"]
    )
    (root / "Train_Test_Set/single/with_caption_new/set_2/test.txt").unlink()
    sheet = tmp_path / "clips.csv"
    answer = cli(
        "datasets", "check", "mafw", "--data", str(root), "--output", str(sheet), "--json"
    )  # fmt: skip
    assert answer.code == 3, answer.err
    found = {(row["unit"], row["id"], row["reason"]) for row in answer.json["exclusions"]}
    assert ("clip", "00001", "no frame in its folder") in found
    assert ("clip", "00002", "frame 00000.png is empty (zero bytes)") in found
    assert ("clip", "00004", "missing: there is no such folder or video") in found
    assert ("clip", "00003", "fold 1: listed twice in test") in found
    assert ("caption", "00002", "it has no caption; others have") in found
    assert any(unit == "list" and name == "test of fold 2" for unit, name, _ in found)
    assert any("gaps between the numbers" in note for note in answer.json["notes"])
    assert "00004" in sheet.read_text()


@linux_only
def test_a_clip_that_crashes_its_decoder_is_listed(cli: Type, tmp_path: Path) -> None:
    """And the clips after it are looked at."""
    for name in ("a", "fatal", "z"):
        write_video(tmp_path / f"{name}.mp4", numbered_frames(3))
    path = tmp_path / "manifest.csv"
    path.write_text("video,label\na.mp4,x\nfatal.mp4,x\nz.mp4,y\n")
    with crash_on("fatal.mp4"):
        answer = cli("datasets", "check", path, "--json")
    assert answer.code == 3
    assert [(row["unit"], row["reason"]) for row in answer.json["exclusions"]] == [
        ("clip", "its decoder crashed (SIGSEGV); the next run tries again")
    ]
    assert answer.json["n_usable"] == 2


def test_a_participant_in_both_splits_is_told(cli: Type, tmp_path: Path) -> None:
    """A model would be tested on whom it has learnt."""
    clip_sets.write_frames(tmp_path / "a")
    clip_sets.write_frames(tmp_path / "b")
    path = tmp_path / "manifest.csv"
    path.write_text("video,label,split,participant\na,x,train,P1\nb,x,test,P1\n")
    answer = cli("datasets", "check", str(path), "--json")
    assert answer.code == 3
    row = answer.json["exclusions"][0]
    assert (row["unit"], row["id"], row["reason"]) == (
        "participant", "P1", "both in train and in test",
    )  # fmt: skip


@pytest.mark.parametrize("fold", ["0", "6"])
def test_a_fold_that_does_not_exist_is_an_error(cli: Type, tmp_path: Path, fold: str) -> None:
    answer = cli("datasets", "check", "dfew", "--data", str(tmp_path), "--fold", fold)
    assert answer.code == 1
    assert f"dfew has no fold {fold}; allowed: 1 to 5" in answer.err
