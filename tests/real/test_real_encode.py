"""encode on real recordings, as a newcomer would run it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app


def test_encode_on_real_recordings(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows where a face is, a reason where there is none, and the rest left alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOCLIP_CLINIC_WEIGHTS", str(shared / "weights"))
    words = ["encode", str(shared / "videos"), "--encoder", "emoclip-demo"]
    answer = CliRunner().invoke(app, words, catch_exceptions=False)
    assert answer.exit_code == 3
    assert "README.md, multi_face.jpg" in answer.stderr
    table = pd.read_csv(tmp_path / "features" / "emoclip-demo" / "segments.csv")
    of = {
        name.split("_ses")[0].removeprefix("sub-"): rows
        for name, rows in table.groupby("recording")
    }
    assert (of["WolfgangLanger_Pexels"]["status"] == "used").all()
    assert (of["WolfgangLanger_Pexels"]["face_fraction"] == 1).all()
    assert of["single_face"][["status", "padded"]].to_numpy().tolist() == [["used", True]]
    assert of["face_noface"]["face_fraction"].tolist() == pytest.approx([0.5, 0.0], abs=0.1)
    assert (of["no_face"]["status"] == "excluded").all()
    assert of["no_face"]["reason"].tolist() == ["no face found"]
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert again.exit_code == 3
    assert "up to date" in again.stderr
