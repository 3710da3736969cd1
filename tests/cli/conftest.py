"""A command line to type into."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from tests.command_line import Answer, Type


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type a command in an empty folder, without weights of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOCLIP_CLINIC_WEIGHTS", str(tmp_path / "no-weights"))

    def type_in(*words: object) -> Answer:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return type_in


@pytest.fixture
def study(encoded_study: Path, tmp_path: Path) -> Path:
    """Copy the small study, encoded and not yet fitted."""
    return Path(shutil.copytree(encoded_study, tmp_path / "study"))
