"""The embeddings of frames that are kept beside the vectors."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from emoclip_clinic import features
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.errors import StudyError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.frames import frames_path, padded, read_frames, write_frames
from emoclip_clinic.pipeline import encode
from emoclip_clinic.segments import SEGMENT_COLUMNS
from emoclip_clinic.study import Study


def made(recording: str, lengths: list[int], dim: int = 4) -> RecordingFeatures:
    rng = np.random.default_rng(len(lengths))
    rows = [(recording, k, k, k + 1, n, 1.0, False, "used", "") for k, n in enumerate(lengths)]
    return RecordingFeatures(
        recording=recording,
        encoder="tiny",
        fingerprint="f" * 64,
        segments=pd.DataFrame(rows, columns=list(SEGMENT_COLUMNS)),
        vectors=rng.normal(size=(len(lengths), dim)).astype("f4"),
        frames=padded([rng.normal(size=(n, dim)).astype("f4") for n in lengths], dim),
    )


def write(folder: Path, one: RecordingFeatures, key: str = "k") -> None:
    write_frames(folder, one, key)
    features.write(folder / f"{one.recording}.safetensors", one, key)


def test_windows_of_every_length_come_back_as_they_were(tmp_path: Path) -> None:
    """Two recordings in one tensor: gaps are NaN and at the end, frames are bit for bit."""
    first, second = made("a", [3, 5]), made("b", [2])
    write(tmp_path, first)
    write(tmp_path, second)
    found = read_frames(tmp_path, ["b", "a"])
    assert found.shape == (3, 5, 4)
    np.testing.assert_array_equal(np.isfinite(found).all(axis=2).sum(axis=1), [2, 3, 5])
    np.testing.assert_array_equal(found[0, :2], second.frames[0])  # type: ignore[index]
    np.testing.assert_array_equal(found[1:], first.frames)


def test_a_recording_without_windows_has_no_frames(tmp_path: Path) -> None:
    """One that could not be read takes no place in the tensor."""
    write(tmp_path, made("a", [2, 2]))
    write(tmp_path, made("none", []))
    assert read_frames(tmp_path, ["none", "a"]).shape == (2, 2, 4)


def test_frames_that_were_not_kept_are_an_error_that_names_the_command(tmp_path: Path) -> None:
    """Nothing stands in for them."""
    one = made("a", [2])
    features.write(tmp_path / "a.safetensors", one, "k")
    with pytest.raises(StudyError, match=r"encode FOLDER --frames.*such as head"):
        read_frames(tmp_path, ["a"])
    with pytest.raises(StudyError, match="--frames"):
        write_frames(tmp_path, replace(one, frames=None), "k")


def test_frames_of_other_vectors_are_refused(tmp_path: Path) -> None:
    """The recording was encoded again, in another way, without its frames."""
    one = made("a", [2])
    write(tmp_path, one, "old")
    features.write(tmp_path / "a.safetensors", one, "new")
    with pytest.raises(StudyError, match="was not made with the vectors"):
        read_frames(tmp_path, ["a"])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A bit that flipped is no number."""
    write(tmp_path, made("a", [2]))
    path = frames_path(tmp_path, "a")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(StudyError, match="cannot be read as frames"):
        read_frames(tmp_path, ["a"])


def test_encode_keeps_the_frames_that_the_vectors_are_made_of(
    encoded_study: Path, tmp_path: Path
) -> None:
    """The temporal layers give the vectors from them; whatever is not of frames is unchanged."""
    study = Study(shutil.copytree(encoded_study, tmp_path / "study"))
    recordings = study.path / study.settings.study.recordings
    folder = study.features_dir("emoclip-demo")
    names = sorted(path.stem for path in folder.glob("*.safetensors"))
    before = {name: (folder / f"{name}.safetensors").read_bytes() for name in names}
    assert not encode(study, recordings, keep_frames=True).fresh
    assert {name: (folder / f"{name}.safetensors").read_bytes() for name in names} == before
    assert encode(study, recordings, keep_frames=True).fresh
    kept = read_frames(folder, names)
    vectors = features.read_folder(folder, names).vectors
    encoder = load_encoder("emoclip-demo", device="cpu")
    with torch.no_grad():
        again = [
            encoder.encode_temporal(torch.from_numpy(one[np.isfinite(one).all(axis=1)])[None])[0]
            for one in kept
        ]
    np.testing.assert_allclose(torch.stack(again).numpy(), vectors, rtol=1e-4, atol=1e-5)
    frames_path(folder, names[0]).unlink()
    assert not encode(study, recordings, keep_frames=True).fresh
    assert frames_path(folder, names[0]).is_file()
