"""Killed at any place and run again, `encode` ends with the bytes of a run that nobody disturbed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import emoclip_clinic as ec
from tests import small_study

N_PLACES = int(os.environ.get("KILL_PLACES", "12"))
"""A study has about a hundred; half as many again are chosen by chance."""


def new(study: Path) -> None:
    """Film two people."""
    small_study.write_settings(study)
    small_study.make_recordings(study / "interviews", ["P01", "P02"])


def changed(study: Path) -> None:
    """Encode two people; then one recording is gone, one is another, one is new."""
    new(study)
    ec.pipeline.encode(ec.Study(study), study / "interviews")
    shutil.rmtree(study / "interviews" / "P01")
    shutil.rmtree(study / "interviews" / "P02")
    small_study.make_recordings(study / "interviews", ["P02", "P03"], seed=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("make", [new, changed])
def test_a_killed_encode_is_made_good_by_the_next(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """SIGKILL before a change of the study, be it a new one or one that has older features."""
    start = tmp_path / "start"
    make(start)
    folder = tmp_path / "runs"
    folder.mkdir()
    words = ["-m", "tests.encode_again", str(start), str(folder), str(N_PLACES)]
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) >= min(N_PLACES, told[0]["of"])
    assert told[0]["of"] > 80
    # where one is gone, each run says so
    assert told[0]["code"] == (3 if make is changed else 0)
    for one in told:
        assert one["killed"] == -signal.SIGKILL, one
        assert one["again"] == one["code"], done.stderr
        assert not one["other"], one
