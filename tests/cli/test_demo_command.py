"""The demonstration as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demonstration_needs_one_command_in_an_empty_folder(tmp_path: Path) -> None:
    """Offline and with an empty home it ends with the report's path, and litters nowhere."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    own = {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    kept = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    run = subprocess.run(
        [sys.executable, "-m", "emoclip_clinic", "demo"],
        cwd=work,
        env=kept | own,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"The report: {Path('demo-study', 'reports', 'panss.pdf')}" in run.stderr
    assert (work / "demo-study" / "reports" / "panss.pdf").read_bytes().startswith(b"%PDF")
    assert [path.name for path in work.iterdir()] == ["demo-study"]
    assert not [path for path in home.rglob("*") if path.is_file()]
