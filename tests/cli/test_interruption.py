"""Killed or stopped at any moment and run again, a stage ends with the same files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.killed import content

# the signal comes from the process itself, so that no clock decides how far it had come
STOP_BEFORE_THE_FOURTH = """
import os, signal
from emoclip_clinic import features
# a shell that runs the tests in the background has Ctrl-C ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
write, written = features.write, []
def stop_or_write(path, *rest):
    if len(written) == 3:
        os.kill(os.getpid(), int(os.environ["STOP_WITH"]))
    written.append(path)
    write(path, *rest)
features.write = stop_or_write
"""


def encode(study: Path, code: str = "", *given: str) -> subprocess.CompletedProcess[str]:
    """Run `encode` on a study, as a process of its own, after some `code`."""
    program = f"{code}\nimport sys; from emoclip_clinic.cli import main; main()"
    words = ["encode", str(study / "interviews"), "--study", str(study)]
    command = [sys.executable, "-c", program, *words]
    own = {**os.environ, "STOP_WITH": given[0]} if given else None
    return subprocess.run(command, capture_output=True, text=True, env=own, check=False)


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
    stopped = encode(study, STOP_BEFORE_THE_FOURTH, str(int(number)))
    features = study / "features" / "emoclip-demo"
    early = {path: path.stat().st_mtime_ns for path in features.glob("[!.]*.safetensors")}
    assert len(early) == 3, "it was stopped half way"
    if number == signal.SIGINT:
        assert stopped.returncode == 130
        assert "the same command goes on" in stopped.stderr
        assert "Traceback" not in stopped.stderr
    whole = encode(study)
    assert whole.returncode == 0, whole.stderr
    assert content(study) == content(encoded_study)
    assert {path: path.stat().st_mtime_ns for path in early} == early


def test_with_nothing_to_do_the_library_of_models_is_not_loaded(
    encoded_study: Path, tmp_path: Path
) -> None:
    """It takes seconds, and only weights that are used need it."""
    study = shutil.copytree(encoded_study, tmp_path / "study")
    tell = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))"
    again = encode(study, tell)
    assert "up to date" in again.stderr
    assert again.stdout.splitlines()[-1] == "False"
