"""Killed at any place and run again, `encode` ends with the bytes of an undisturbed run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import emoclip_clinic as ec
from tests import small_study

N_PLACES = int(os.environ.get("KILL_PLACES", "8"))
"""A study has about a hundred; half as many again are chosen by chance."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


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


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Kill `encode` at places all over its work, and encode again: a row a place."""
    folder = tmp_path_factory.mktemp("studies")
    new(folder / "new")
    changed(folder / "changed")
    words = [sys.executable, "-m", "tests.encode_again", str(folder), str(N_PLACES)]
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=own, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("start", ["new", "changed"])
def test_a_killed_encode_is_made_good_by_the_next(told: list[dict[str, Any]], start: str) -> None:
    """SIGKILL before a change of the study, be it a new one or one that has older features."""
    rows = [row for row in told if row["start"] == start]
    assert len(rows) >= min(N_PLACES, rows[0]["of"])
    assert rows[0]["of"] > 80
    for row in rows:
        assert row["killed"] == -signal.SIGKILL, row
        # where a recording is gone, each run says so
        assert row["again"] == row["code"] == (3 if start == "changed" else 0), row
        assert not row["other"], row
