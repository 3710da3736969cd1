"""Killed or stopped at any moment and run again, a stage ends with the same files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emoclip_clinic.files import sha256_file


def start(study: Path) -> subprocess.Popen[str]:
    """Start `encode` on a study, as a process of its own."""
    words = ["-m", "emoclip_clinic", "encode", str(study / "interviews"), "--study", str(study)]
    return subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)


def outputs(study: Path) -> dict[str, str]:
    """Hash what a study holds, but for the cache and for files a kill may leave half written."""
    return {
        str(path.relative_to(study)): sha256_file(path)
        for path in sorted(study.rglob("*"))
        if path.is_file() and "cache" not in path.parts and not path.name.startswith(".")
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_encode_goes_on_where_it_was_stopped(
    encoded_study: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Stopped after some recordings, it keeps these, and ends with the bytes of a whole run."""
    study = tmp_path / "study"
    study.mkdir()
    for name in ("study.toml", "ratings.csv"):
        shutil.copy(encoded_study / name, study)
    shutil.copytree(encoded_study / "interviews", study / "interviews")
    features = study / "features" / "emoclip-demo"
    with start(study) as process:
        while process.poll() is None and len(list(features.glob("*.safetensors"))) < 3:
            time.sleep(0.001)
        os.kill(process.pid, number)
        assert process.stderr is not None
        said = process.stderr.read()
    early = {path: path.stat().st_mtime_ns for path in features.glob("[!.]*.safetensors")}
    assert 3 <= len(early) < 12, "it was stopped half way"
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on" in said
        assert "Traceback" not in said
    with start(study) as process:
        said = process.communicate()[1]
    assert process.returncode == 0, said
    assert outputs(study) == outputs(encoded_study)
    assert {path: path.stat().st_mtime_ns for path in early} == early
