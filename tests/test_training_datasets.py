from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.training.datasets import CLIP_COLUMNS, read_dataset
from tests import clip_sets


def test_mafw_is_read_as_released(tmp_path: Path) -> None:
    """GBK lists of four and fewer columns: the English caption is taken where there is one."""
    found = read_dataset("mafw", clip_sets.make_mafw(tmp_path))
    assert tuple(found.clips.columns) == CLIP_COLUMNS
    assert list(found.clips["fold"].unique()) == [1, 2, 3, 4, 5]
    first = found.clips[found.clips["fold"] == 1]
    assert list(first["clip"]) == ["00001", "00002", "00003"]
    assert list(first["label"]) == ["anger", "happiness", "sadness"]
    assert list(first["caption"]) == ["He frowns.", "", ""]
    assert list(first["split"]) == ["train", "train", "test"]
    assert all(Path(path).is_dir() for path in first["path"])
    assert len(found.classes) == 11
    assert found.exclusions.empty


def test_compound_classes_are_named_in_label_order(tmp_path: Path) -> None:
    """Whoever wrote disgust first means the same class; both splits decide which there are."""
    found = read_dataset("mafw-compound", clip_sets.make_mafw(tmp_path), fold=2)
    assert list(found.clips["label"]) == ["anger_disgust", "sadness_helplessness"]
    assert found.classes[11:] == ("anger_disgust", "sadness_helplessness")


def test_a_list_saved_as_utf8_is_read_so(tmp_path: Path) -> None:
    """No mojibake: it is said that the encoding is not the released one."""
    found = read_dataset("mafw", clip_sets.make_mafw(tmp_path, "utf-8"), fold=1)
    assert found.clips["caption"].iloc[0] == "He frowns."
    assert "in UTF-8, not in GBK" in found.notes[0]


def test_a_line_that_no_encoding_has_is_left_out(tmp_path: Path) -> None:
    """The others of the list stay."""
    root = clip_sets.make_mafw(tmp_path)
    path = root / "Train_Test_Set" / "single" / "with_caption_new" / "set_1" / "train.txt"
    path.write_bytes(path.read_bytes() + b"00004.mp4\tfear\t\xff\xff\tA fright.\n")
    found = read_dataset("mafw", root, fold=1, split="train")
    assert list(found.clips["clip"]) == ["00001", "00002"]
    assert found.exclusions["id"].item() == "set_1/train.txt, line 3"
    assert "not text in GBK" in found.exclusions["reason"].item()


def test_dfew_labels_are_counted_from_zero(tmp_path: Path) -> None:
    """The last part of the path is the folder; numbers of frames are kept for the check."""
    found = read_dataset("dfew", clip_sets.make_dfew(tmp_path), fold=5)
    assert list(found.clips["label"]) == ["happiness", "anger", "fear"]
    assert list(found.clips["n_frames"]) == [5, 5, 6]
    assert all(Path(path).is_dir() for path in found.clips["path"])


def test_lists_that_count_classes_from_one_are_refused(tmp_path: Path) -> None:
    """Every label would mean its neighbour."""
    clip_sets.write_list(tmp_path / "DFEW_set_1_test.txt", ["a/1 9 1", "a/2 9 7"])
    with pytest.raises(DatasetError, match="counts its classes from 1 to 7"):
        read_dataset("dfew", tmp_path, fold=1, split="test")


def test_ferv39k_label_and_folder_must_agree(tmp_path: Path) -> None:
    """The path tells the class a second time."""
    root = clip_sets.make_ferv39k(tmp_path)
    clip_sets.write_list(
        root / "train_image.txt", ["x/Action/Happy/0267 5 0", "x/A/Sad/1 5 6", "s"]
    )
    found = read_dataset("ferv39k", root)
    assert list(found.clips["label"]) == ["happiness", "anger", "fear"]
    assert all(Path(path).is_dir() for path in found.clips["path"])
    assert found.clips["fold"].isna().all()
    assert "its folder Sad" in found.exclusions["reason"].iloc[0]
    assert "not the three columns" in found.exclusions["reason"].iloc[1]


def test_afew_is_read_from_its_folders(tmp_path: Path) -> None:
    """The validation folder is the split test; AFEW_Face may be named itself."""
    root = clip_sets.make_afew(tmp_path)
    for given in (root, root / "AFEW_Face"):
        found = read_dataset("afew", given)
        assert list(found.clips["label"]) == ["happiness", "anger"]
        assert list(found.clips["split"]) == ["train", "test"]


def test_a_manifest_needs_few_columns(tmp_path: Path) -> None:
    """Without a split all is for testing; ids and folds are kept where they are given."""
    path = tmp_path / "mine.csv"
    path.write_text(
        "video,label,participant,fold\na.mp4,calm,P1,1\nb.mp4,lively,P2,2\n,calm,P3,1\n"
    )
    found = read_dataset(str(path))
    assert list(found.clips["split"]) == ["test", "test"]
    assert found.classes == ("calm", "lively")
    assert list(found.clips["participant"]) == ["P1", "P2"]
    assert "no video is named" in found.exclusions["reason"].item()
    assert list(read_dataset(str(path), fold=2).clips["clip"]) == ["b.mp4"]


@pytest.mark.parametrize(
    ("name", "fold", "message"),
    [
        ("dfew", 6, "dfew has no fold 6; allowed: 1 to 5"),
        ("afew", 1, "afew has no fold 1; it is split once"),
        ("maffw", None, "Did you mean mafw"),
        ("mafw", 1, "train.txt cannot be read"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, name: str, fold: int | None, message: str
) -> None:
    """Folds, datasets and lists that do not exist."""
    clip_sets.make_dfew(tmp_path)
    with pytest.raises(DatasetError, match=message):
        read_dataset(name, tmp_path, fold=fold)


def test_labels_that_are_no_class_are_left_out(tmp_path: Path) -> None:
    """By name and by number, with the classes that there are."""
    root = clip_sets.make_dfew(tmp_path)
    clip_sets.write_list(root / "DFEW_set_1_test.txt", ["a/00007 5 0", "a/00009 6 8"])
    reasons = read_dataset("dfew", root, fold=1).exclusions["reason"]
    assert reasons.item() == "label 8 is no class; allowed: 0 to 6"
    clip_sets.write_frames(root / "AFEW_Face" / "train" / "Bored" / "1")
    clip_sets.make_afew(root)
    reasons = read_dataset("afew", root).exclusions["reason"]
    assert "'Bored' is no class; allowed: happiness" in reasons.item()
