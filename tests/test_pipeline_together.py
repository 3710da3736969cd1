"""Recordings that are encoded at once, on one device or two."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.encoder import devices
from emoclip_clinic.files import sha256_file
from emoclip_clinic.pipeline import encoding
from tests.child_processes import decoders, gone, linux_only
from tests.videos import numbered_frames, write_video


@pytest.fixture
def study(encoded_study: Path, tmp_path: Path) -> ec.Study:
    """Copy a study less its features."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")
    return study


def encoded(study: Path) -> dict[str, str]:
    """Hash the features of every recording, and the tables."""
    folder = study / "features" / "emoclip-demo"
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("n_each", "device"), [(1, "cpu"), (5, "cpu"), (2, "cpu, cpu")])
def test_the_bytes_do_not_depend_on_how_many_are_at_work(
    study: ec.Study,
    encoded_study: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_each: int,
    device: str,
) -> None:
    """One after the other, five at once, and two devices of which each has two."""
    monkeypatch.setattr(encoding, "at_once", lambda n_devices: n_each)
    ec.pipeline.encode(study, study.path / "interviews", device=device)
    assert encoded(study.path) == encoded(encoded_study)


def test_progress_is_of_all_recordings_at_work(study: ec.Study) -> None:
    """Frames are never more than there are, and every recording is counted."""
    told: list[tuple[str, int, int]] = []
    ec.pipeline.encode(study, study.path / "interviews", progress=lambda *at: told.append(at))
    frames = [(done, total) for what, done, total in told if what == "frames"]
    assert all(0 < done <= total for done, total in frames)
    # "recordings" is what ingest counts too
    n = len(list((study.path / "interviews").rglob("*.mp4")))
    assert told[-1] == ("recordings", n, n)


@linux_only
def test_an_error_ends_those_that_are_at_work(
    study: ec.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: no thread and no decoder goes on, though a recording is an hour long."""
    path = study.path / "interviews" / "P05" / "interview.mp4"
    write_video(path, [*numbered_frames(200)] * 18, fps=1)
    ec.pipeline.ingest(study, study.path / "interviews")
    begun, before, pids, write = threading.Event(), threading.active_count(), set(), features.write

    def seen(what: str, done: int, total: int) -> None:
        if what == "frames" and total > 3000:
            begun.set()

    def full(path: Path, *rest: Any) -> None:
        if not begun.is_set():
            write(path, *rest)
            return
        pids.update(decoders())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(features, "write", full)
    with pytest.raises(OSError, match="No space left"):
        ec.pipeline.encode(study, study.path / "interviews", progress=seen)
    assert pids
    assert all(gone(pid) for pid in pids)
    # the encoder's own thread ends by itself
    assert threading.active_count() <= before + 1


def test_devices_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both "auto" and "cuda" are every GPU; what is named is taken as it is."""
    import torch

    for n, text, expected in [
        (0, "auto", ["auto"]),
        (1, "auto", ["auto"]),
        (3, "auto", ["cuda:0", "cuda:1", "cuda:2"]),
        (2, "cuda", ["cuda:0", "cuda:1"]),
        (2, "cuda:1", ["cuda:1"]),
        (3, "cuda:0,cuda:2", ["cuda:0", "cuda:2"]),
        (3, "cpu", ["cpu"]),
    ]:
        monkeypatch.setattr(torch.cuda, "device_count", lambda n=n: n)
        assert devices(text) == expected
