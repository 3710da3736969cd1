from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from emoclip_clinic import features
from emoclip_clinic.errors import StudyError
from emoclip_clinic.features import RecordingFeatures


def made(recording: str = "sub-007_ses-01", seed: int = 1, dim: int = 5) -> RecordingFeatures:
    """Three windows: used, excluded, used."""
    segments = pd.DataFrame(
        {
            "recording": recording,
            "window": [0, 1, 2],
            "start_s": [0.1, 5.22, 10.34],
            "stop_s": [5.22, 10.34, 1 / 3 + 11],
            "n_frames": [32, 32, 7],
            "face_fraction": [1.0, 0.25, 6 / 7],
            "padded": [False, False, True],
            "status": ["used", "excluded", "used"],
            "reason": ["", "a face in less than half of its frames", ""],
        }
    )
    quality = pd.DataFrame(
        {
            "recording": recording,
            "measure": ["face size", "crop brightness"],
            "value": [101.5, None],
            "unit": ["px", ""],
            "note": ["", "no face"],
        }
    ).astype({"value": float})
    vectors = np.random.default_rng(seed).standard_normal((2, dim)).astype(np.float32)
    return RecordingFeatures(recording, "émo", "ab" * 32, segments, vectors, quality, "a notice")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Vectors, segments, quality and texts come back unchanged, types included."""
    path = tmp_path / "sub-007_ses-01.safetensors"
    features.write(path, made(), key="k1")
    back = features.read(path)
    np.testing.assert_array_equal(back.vectors, made().vectors)
    pd.testing.assert_frame_equal(back.segments, made().segments, check_dtype=False)
    pd.testing.assert_frame_equal(back.quality, made().quality, check_dtype=False)
    assert back.segments["padded"].dtype == bool
    assert (back.recording, back.encoder, back.notice) == ("sub-007_ses-01", "émo", "a notice")
    assert features.read_key(path) == "k1"


def test_the_file_is_safetensors(tmp_path: Path) -> None:
    """The format's own library reads the vectors."""
    path = tmp_path / "a.safetensors"
    features.write(path, made())
    content = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(content["vectors"], made().vectors)


def test_equal_features_are_equal_bytes(tmp_path: Path) -> None:
    """Writing the same twice gives the same file, so that hashes tell whether anything changed."""
    for name in ("a", "b"):
        features.write(tmp_path / name, made(), key="k")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_recording_without_a_used_window(tmp_path: Path) -> None:
    """A recording in which nobody was seen keeps its excluded windows and has no vector."""
    nobody = made().segments.assign(status="excluded")
    empty = dataclasses.replace(made(), segments=nobody, vectors=np.zeros((0, 5), np.float32))
    features.write(tmp_path / "a.safetensors", empty)
    assert features.read(tmp_path / "a.safetensors").vectors.shape == (0, 5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_never_written(tmp_path: Path, value: float) -> None:
    """NaN is an error and leaves no file."""
    broken = made()
    broken.vectors[1, 2] = value
    with pytest.raises(StudyError, match="not a finite number"):
        features.write(tmp_path / "a.safetensors", broken)
    assert list(tmp_path.iterdir()) == []


def test_vectors_must_match_the_segments(tmp_path: Path) -> None:
    """A vector more than there are used windows is an error."""
    wrong = dataclasses.replace(made(), vectors=np.zeros((3, 5), np.float32))
    with pytest.raises(StudyError, match="do not match"):
        features.write(tmp_path / "a.safetensors", wrong)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_damaged_file_is_an_error_and_has_no_key(tmp_path: Path, size: int) -> None:
    """A file that was cut anywhere is not fresh, and reading it says what to do."""
    path = tmp_path / "a.safetensors"
    features.write(path, made(), key="k")
    path.write_bytes(path.read_bytes()[:size])
    assert features.read_key(path) is None
    with pytest.raises(StudyError, match="emoclip-clinic encode"):
        features.read(path)


def test_one_changed_bit_is_noticed(tmp_path: Path) -> None:
    """Wherever a disk or a copy changed the content, the file is encoded again, not trusted."""
    path = tmp_path / "a.safetensors"
    features.write(path, made(), key="k")
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        assert features.read_key(path) is None, place
        with pytest.raises(StudyError, match="cannot be read as features"):
            features.read(path)


def test_absent_file_has_no_key(tmp_path: Path) -> None:
    """What was never encoded is not fresh."""
    assert features.read_key(tmp_path / "none.safetensors") is None


def test_folder_gives_used_windows_and_all_rows(tmp_path: Path) -> None:
    """Used windows stack in the order of the recordings; the segments table has every window."""
    for place, name in enumerate(["b", "a"]):
        features.write(tmp_path / f"{name}.safetensors", made(name, seed=place))
    table = features.read_folder(tmp_path, ["a", "b", "never encoded"])
    assert table.segments["recording"].tolist() == ["a", "a", "b", "b"]
    assert table.segments["window"].tolist() == [0, 2, 0, 2]
    expected = np.concatenate([made(seed=1).vectors, made(seed=0).vectors])
    np.testing.assert_array_equal(table.vectors, expected)
    every = features.segments_table(tmp_path, ["a", "b"])
    assert every["status"].tolist() == ["used", "excluded", "used"] * 2


def test_features_of_two_encoders_do_not_mix(tmp_path: Path) -> None:
    """Vectors of different weights are not comparable: an error, not a table."""
    features.write(tmp_path / "a.safetensors", made("a"))
    other = dataclasses.replace(made("b"), fingerprint="cd" * 32)
    features.write(tmp_path / "b.safetensors", other)
    with pytest.raises(StudyError, match="different weights"):
        features.read_folder(tmp_path, ["a", "b"])
    with pytest.raises(StudyError, match="encode"):
        features.read_folder(tmp_path, ["c"])
