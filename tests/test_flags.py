"""Warnings of recordings: limits in the protocol, decided when tables are written."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from emoclip_clinic import resources
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.flags import (
    CLOSE_CALL,
    MEASURED_COLUMNS,
    QUALITY_COLUMNS,
    WarningLimits,
    flagged,
    warned,
)  # fmt: skip

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


def test_times_are_rounded_before_a_limit_decides() -> None:
    """What arithmetic adds to 0.48 s neither warns nor is shown; other units stay as they are."""
    rows = [("a", "longest_gap", 12.48 - 12, "s", ""), ("a", "late_start", 3.3e-7, "s", ""),
            ("a", "sharpness", 123.123456789, "", "")]  # fmt: skip
    assert rows[0][2] > 0.48
    table = flagged(pd.DataFrame(rows, columns=list(MEASURED_COLUMNS)), SHIPPED)
    assert table["value"].tolist() == [0.48, 0.0, 123.123456789]
    assert set(table["flag"]) == {"ok"}


def test_what_warns_is_summed_in_a_line() -> None:
    """Recordings that warn of all of them; measures by how many warn, then by name."""
    rows = [("a", "yaw", "warn"), ("a", "hdr", "warn"), ("b", "yaw", "warn"), ("c", "yaw", "ok"),
            ("c", "audio", "ok"), ("b", "audio", "warn")]  # fmt: skip
    table = pd.DataFrame(rows, columns=["recording", "measure", "flag"])
    (line,) = warned(table, "quality.csv")
    assert line == "2 of 3 recordings warn (yaw 2, audio 1, hdr 1): see quality.csv"
    assert list(warned(table[table["flag"] == "ok"], "quality.csv")) == []


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
    with pytest.raises(SettingsError, match=f"^protocols/encoding/own.toml: {message}"):
        read_protocol("own", tmp_path)


def test_a_decimal_comma_is_told_from_other_errors(tmp_path: Path) -> None:
    """The file is named by its path in the study; the hint stands where the line has a comma."""
    path = tmp_path / "protocols" / "encoding" / "own.toml"
    path.parent.mkdir(parents=True)
    path.write_text("rate_hz = 6.25\n[warn]\nmin_face_size_px = 48,5\n")
    with pytest.raises(
        SettingsError, match=r"^protocols/encoding/own\.toml cannot .* line 3"
    ) as it:
        read_protocol("own", tmp_path)
    assert str(it.value).endswith("Numbers have a decimal point: 48.5")
    path.write_text("rate_hz = 6.25\n[warn\nmax_yaw = 1\n")
    with pytest.raises(SettingsError, match="line 2") as it:
        read_protocol("own", tmp_path)
    assert "decimal point" not in str(it.value)
