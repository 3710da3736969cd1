"""Two processes do not work on one study at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from emoclip_clinic.errors import StudyError
from emoclip_clinic.locks import hold

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

HOLDER = """
import sys, threading
from pathlib import Path
from emoclip_clinic.locks import hold
with hold(Path(sys.argv[1]), "encode"):
    print("held", flush=True)
    threading.Event().wait()
"""


def holder(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_run_says_who_holds_the_study(encoded_study: Path, tmp_path: Path) -> None:
    """Which work, which process and since when; once it is killed, the study is free."""
    study = Path(shutil.copytree(encoded_study, tmp_path / "study"))
    words = ["ingest", str(study / "interviews"), "--study", str(study)]
    with holder(study) as process:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 1
        said = " ".join(result.stderr.split())
        assert f"is in use: 'encode' works there, process {process.pid} on" in said
        os.kill(process.pid, signal.SIGKILL)
    assert CliRunner().invoke(app, words).exit_code in {0, 3}


def test_a_stage_may_run_another(tmp_path: Path) -> None:
    """The same process holds the folder already; when it lets go, another may."""
    with hold(tmp_path, "encode"), hold(tmp_path, "ingest"):
        pass
    with holder(tmp_path) as process:
        with pytest.raises(StudyError, match="in use"), hold(tmp_path, "fit"):
            pass
        process.kill()
