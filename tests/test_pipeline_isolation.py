"""What happens to one recording never takes the others with it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import emoclip_clinic as ec
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.files import sha256_file
from emoclip_clinic.pipeline import encoding, recording_encoder
from emoclip_clinic.recordings import read_recordings
from emoclip_clinic.video import decoder
from tests.child_processes import decoders, linux_only
from tests.videos import numbered_frames, write_video

VICTIM = "sub-P05_ses-01"


@pytest.fixture
def study(encoded_study: Path, tmp_path: Path) -> ec.Study:
    """Copy a study whose recordings were ingested, not encoded; P05 films for 20 s."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")
    write_video(study.path / "interviews" / "P05" / "interview.mp4", numbered_frames(200), fps=10)
    ec.pipeline.ingest(study, study.path / "interviews")
    return study


def encoded(study: ec.Study) -> dict[str, str]:
    """Hash the features of every recording, and the table of windows."""
    folder = study.features_dir("emoclip-demo")
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


@linux_only
def test_a_crash_while_a_recording_is_encoded_is_its_row(
    study: ec.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are encoded; the next run reads it again, and ends as an undisturbed one."""
    monkeypatch.setattr(decoder, "AHEAD_BYTES", 1)
    # no other recording is at work when its decoder crashes
    monkeypatch.setattr(encoding, "at_once", lambda n_devices: 1)
    n_long = 0

    def crash(what: str, done: int, total: int) -> None:
        nonlocal n_long
        if what == "frames" and total > 100 and done == 20 and not n_long:
            n_long += 1
            for pid in decoders():
                os.kill(pid, signal.SIGSEGV)

    folder = study.path / "interviews"
    result = ec.pipeline.encode(study, folder, progress=crash)
    assert n_long == 1
    assert result.exclusions[["stage", "id", "reason"]].to_numpy().tolist() == [
        ["encode", VICTIM, "its decoder crashed (SIGSEGV); the next run tries again"]
    ]
    segments = pd.read_csv(study.features_dir("emoclip-demo") / "segments.csv")
    assert set(segments.loc[segments["status"] == "used", "recording"]) == set(
        segments["recording"]
    ) - {VICTIM}
    again = ec.pipeline.encode(study, folder)
    assert not again.fresh
    assert again.exclusions.empty
    disturbed = encoded(study)
    shutil.rmtree(study.path / "features")
    assert ec.pipeline.encode(study, folder).exclusions.empty
    assert encoded(study) == disturbed
    assert ec.pipeline.encode(study, folder).fresh


def test_a_fault_of_the_program_costs_one_recording(
    study: ec.Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a recording makes it do; the log says where, and the next run tries again."""
    plan = recording_encoder.plan

    def faulty(times_s: np.ndarray, *others: Any) -> Any:
        return plan(times_s, *others) if len(times_s) != 200 else 1 / 0

    folder = study.path / "interviews"
    with monkeypatch.context() as patch:
        patch.setattr(recording_encoder, "plan", faulty)
        result = ec.pipeline.encode(study, folder)
    ((stage, name, reason),) = result.exclusions[["stage", "id", "reason"]].to_numpy().tolist()
    assert (stage, name) == ("encode", VICTIM)
    assert "the program failed on it (ZeroDivisionError)" in reason
    assert "in faulty" in caplog.text
    assert ec.pipeline.encode(study, folder).exclusions.empty


def test_a_fault_of_the_encoder_is_no_recording_s(
    study: ec.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error, and not a row for every recording of the cohort: none is written off for it."""
    load = recording_encoder.load_encoder

    def broken(*given: Any, **options: Any) -> Any:
        encoder = load(*given, **options)
        encoder.temporal = torch.nn.Linear(1, 1)
        return encoder

    folder = study.path / "interviews"
    with monkeypatch.context() as patch:
        patch.setattr(recording_encoder, "load_encoder", broken)
        with pytest.raises(EncoderError, match="the encoder failed"):
            ec.pipeline.encode(study, folder)
    assert not list(study.features_dir("emoclip-demo").glob("*.safetensors"))
    assert ec.pipeline.encode(study, folder).exclusions.empty


def test_whoever_is_told_of_the_progress_may_stop_it(study: ec.Study) -> None:
    """An error raised there is no recording's fault."""

    def told(what: str, done: int, total: int) -> None:
        if what == "frames":
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        ec.pipeline.encode(study, study.path / "interviews", progress=told)


@linux_only
def test_a_recording_beyond_the_memory_is_a_row_of_ingest(study: ec.Study) -> None:
    """Which another run looks into again: the setting may be another one then."""
    # not like the study's other recordings, whose frames are small
    large = [frame.repeat(60, 0).repeat(60, 1) for frame in numbered_frames(3)]
    place = study.path / "interviews" / "P05" / "interview.mp4"
    write_video(place, large, fps=10, options={"preset": "ultrafast"})
    settings = study.path / "study.toml"
    plain = settings.read_text()
    settings.write_text(plain.replace("[encode]", "[encode]\ndecoder_memory_mb = 256"))
    few, folder = ec.Study(study.path), study.path / "interviews"
    reason = "decoding it takes more than 256 MB of memory (decoder_memory_mb)"
    left_out = ec.pipeline.ingest(few, folder).exclusions.set_index("id")
    # threads take memory, too: on many cores others may be left out as well
    assert left_out.loc[VICTIM, "reason"] == f"{reason}; the next run tries again"
    assert not ec.pipeline.ingest(few, folder).fresh
    settings.write_text(plain)
    assert ec.pipeline.ingest(ec.Study(study.path), folder).exclusions.empty
    assert ec.pipeline.ingest(ec.Study(study.path), folder).fresh


@pytest.mark.parametrize("change", ["grows", "vanishes"])
def test_a_recording_that_changes_while_it_is_examined_is_examined_again(
    study: ec.Study, change: str
) -> None:
    """What was found in half of a copy is never listed under the hash of the whole."""
    shutil.rmtree(study.path / "cache")
    study.recordings_csv.unlink()
    place = study.path / "interviews" / "P06" / "interview.mp4"
    content = place.read_bytes()

    def copied(what: str, done: int, total: int) -> None:
        if what == "probing" and done == 2 and place.read_bytes() == content:
            place.write_bytes(content + bytes(1000)) if change == "grows" else place.unlink()

    study = ec.Study(study.path)
    with_change = ec.pipeline.ingest(study, study.path / "interviews", progress=copied)
    assert with_change.exclusions["id"].tolist() == ["sub-P06_ses-01"]
    place.write_bytes(content)
    again = ec.pipeline.ingest(ec.Study(study.path), study.path / "interviews")
    assert not again.fresh
    assert again.exclusions.empty
    table = read_recordings(study.recordings_csv).set_index("recording")
    assert table.loc["sub-P06_ses-01", "sha256"] == sha256_file(place)
