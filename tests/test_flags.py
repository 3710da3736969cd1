"""Warnings of recordings: limits in the protocol, decided when tables are written."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from emoclip_clinic import resources
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.flags import (
    CLOSE_CALL,
    MEASURED_COLUMNS,
    QUALITY_COLUMNS,
    WarningLimits,
    flagged,
)  # fmt: skip
from emoclip_clinic.segments import read_protocol

SHIPPED = WarningLimits()
NAN = float("nan")


def decided(
    measure: str, value: float, note: object = "", limits: WarningLimits = SHIPPED
) -> tuple[str, str]:
    row = ("a", measure, value, "", note)
    table = flagged(pd.DataFrame([row], columns=list(MEASURED_COLUMNS)), limits)
    assert list(table.columns) == list(QUALITY_COLUMNS)
    return table["flag"][0], table["note"][0]


@pytest.mark.parametrize("name", resources.names("protocols/encoding"))
def test_shipped_protocols_show_every_limit(name: str) -> None:
    """Who opens one sees all of them, and they are what holds where a protocol names none."""
    written = resources.read_toml(resources.find("protocols/encoding", name))["warn"]
    assert written == asdict(SHIPPED)
    assert list(written) == list(asdict(SHIPPED))
    assert read_protocol(name).warn == SHIPPED


@pytest.mark.parametrize(
    ("measure", "value", "expected"),
    [
        ("face_size_px", 47.9, ("warn", "small face")),
        ("face_size_px", 48.0, ("ok", "")),
        ("face_size_px", NAN, ("ok", "")),
        ("face_brightness", 0.1, ("warn", "dark face")),
        ("face_brightness", 0.9, ("warn", "bright face")),
        ("frozen_fraction", 0.1, ("ok", "")),
        ("participant_lead", 0.1, ("warn", CLOSE_CALL)),
        ("face_fraction", 0.0, ("ok", "")),
    ],
)  # fmt: skip
def test_a_measure_warns_beyond_its_limit(
    measure: str, value: float, expected: tuple[str, str]
) -> None:
    """Past the limit and not at it; what is not known and what has no limit never."""
    assert decided(measure, value) == expected


def test_limits_that_change_decide_anew() -> None:
    """A detail is kept, the words of an older limit are not; nothing has to be measured again."""
    strict = replace(SHIPPED, max_longest_gap=0.1, min_face_brightness=0.5, max_face_brightness=0.6)
    gap = "the same picture for 0.3 s from 2.0 s on"
    assert decided("longest_gap", 0.3, gap) == ("ok", "")
    assert decided("longest_gap", 0.3, gap, strict) == ("warn", gap)
    assert decided("longest_gap", 0.3, "", strict) == ("warn", "the same picture for long")
    assert decided("face_brightness", 0.7, "dark face", strict) == ("warn", "bright face")
    assert decided("face_brightness", 0.7, "dark face") == ("ok", "")


def test_what_has_no_limit_warns_by_its_note() -> None:
    """Such as high dynamic range: it is so or it is not. A note read from a table may be empty."""
    assert decided("hdr", 1, "high dynamic range") == ("warn", "high dynamic range")
    assert decided("hdr", 0, NAN) == ("ok", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("min_face_size = 3", "warn: unknown key 'min_face_size'.*Did you mean .*Allowed: max_fr"),
        ('max_yaw = "much"', "warn: max_yaw = 'much'; allowed: a number"),
        ("max_yaw = nan", "warn.max_yaw = nan; allowed: 0 to 1e\\+09"),
        ("max_yaw = -0.1", "warn.max_yaw = -0.1; allowed"),
        ("max_yaw = inf", "warn.max_yaw = inf; allowed"),
        ("min_brightness = 230", "warn: min_brightness = 230 is above max_brightness"),
    ],
)  # fmt: skip
def test_wrong_limits_are_refused(line: str, message: str, tmp_path: Path) -> None:
    """With what is allowed."""
    path = tmp_path / "protocols" / "encoding" / "own.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f"rate_hz = 6.25\n[warn]\n{line}\n")
    with pytest.raises(SettingsError, match=message):
        read_protocol("own", tmp_path)
