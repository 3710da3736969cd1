"""`scales list`, `show` and `check` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic.scales import list_scales
from tests.command_line import Type


def test_list_names_every_scale(cli: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row a scale, in a window of 80 columns too."""
    monkeypatch.setenv("COLUMNS", "80")
    answer = cli("scales", "list")
    assert answer.code == 0
    for scale_id in list_scales():
        assert f"{scale_id} " in answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= 80


@pytest.mark.parametrize("scale_id", list_scales())
def test_show_fits_the_window(cli: Type, monkeypatch: pytest.MonkeyPatch, scale_id: str) -> None:
    """Long lines of sources and notes are wrapped; whole numbers have no decimals."""
    monkeypatch.setenv("COLUMNS", "80")
    answer = cli("scales", "show", scale_id)
    assert answer.code == 0
    assert ".0 " not in answer.out
    assert "unverified:" in answer.err
    assert max(len(line) for line in answer.err.splitlines()) <= 80


def test_check_names_every_mistake_and_where(cli: Type, tmp_path: Path) -> None:
    """A subscale of an unknown item, a misspelt key and a wrong floor are told in one go."""
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        id = "mine"
        abbreviation = "MINE"
        name = "My scale"
        version = "1"
        reference = "none"
        license = "mine"
        licence = "mine"
        direction = "higher is worse"
        percent_change_floor = 0
        items = [{ code = "A1", label = "first", minimum = 1, maximum = 7 }]
        [[subscales]]
        id = "part"
        label = "Part"
        items = ["A1", "A2"]
        """,
        encoding="utf-8",
    )
    answer = cli("scales", "check", file)
    assert answer.code == 1
    assert "unknown key 'license'. Did you mean licence" in answer.err
    assert "subscale part: there is no item 'A2'; the items are A1" in answer.err
    assert "percent_change_floor = 0; allowed: 1, as the total runs from 1 to 7" in answer.err
    assert "Traceback" not in answer.err
