"""Measures of quality: limits, the reasons they give, and gaps between frames."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.quality import (
    MEASURES,
    QualityLimits,
    beyond,
    general,
    limit_problems,
    longest_display_s,
    require_pose,
    worst,
)
from emoclip_clinic.thresholds import grid, kept, measure_of, remaining

GOOD = {
    "face_fraction": 1.0, "face_size_px": 150.0, "roll_deg": 3.0, "yaw": 0.05,
    "face_sharpness": 300.0, "face_brightness": 0.5, "face_clipped": 0.0,
    "frozen_fraction": 0.0, "longest_gap_s": 0.04,
}  # fmt: skip


def protocol_of(folder, text: str):  # type: ignore[no-untyped-def]
    """Write a protocol of the study's own, and read it."""
    path = folder / "protocols" / "encoding" / "mine.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f"rate_hz = 6.25\n{text}")
    return read_protocol("mine", folder)


def test_a_protocol_may_set_limits(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """[quality] is read; what it does not name excludes nothing."""
    protocol = protocol_of(tmp_path, "[quality]\nmin_face_size_px = 60\nmax_roll_deg = 30\n")
    assert protocol.quality == QualityLimits(min_face_size_px=60, max_roll_deg=30)
    assert read_protocol("emoclip").quality == QualityLimits()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_size = 60", r"quality: unknown key 'min_size'.*Allowed: min_face_size_px"),
        ("max_face_clipped = 1.5", r"quality.max_face_clipped = 1.5; allowed: 0 to 1"),
        ("max_roll_deg = nan", r"quality.max_roll_deg = nan; allowed: 0 to 180"),
        ("min_face_brightness = 0.8\nmax_face_brightness = 0.2", "min_face_brightness = 0.8 is"),
    ],
)
def test_wrong_limits_are_said(tmp_path, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    """Unknown keys and values that cannot be, with what is allowed."""
    with pytest.raises(SettingsError, match=message):
        protocol_of(tmp_path, f"[quality]\n{text}\n")


def test_every_measure_but_the_fraction_can_be_limited() -> None:
    """Each measure's bad end has a key in [quality]; min_face_fraction stands outside it."""
    keys = set(QualityLimits.__dataclass_fields__)
    ends = {"low": ("min",), "high": ("max",), "both": ("min", "max")}
    assert keys == {
        f"{end}_{measure.name}"
        for measure in MEASURES
        for end in ends[measure.worse]
        if measure.name != "face_fraction"
    }


def test_a_window_is_beyond_a_limit_only_past_it() -> None:
    """At the limit it is kept; the reason past it has the value and the limit."""
    limits = QualityLimits(min_face_size_px=60, max_longest_gap_s=0.5)
    assert beyond({**GOOD, "face_size_px": 60.0, "longest_gap_s": 0.5}, limits) == ""
    assert beyond({**GOOD, "face_size_px": 59.99}, limits) == (
        "size of the face: 59.99 px; allowed: 60 px or more"
    )
    assert beyond({**GOOD, "longest_gap_s": 0.75}, limits) == (
        "longest time without a new frame: 0.75 s; allowed: 0.5 s or less"
    )
    assert beyond(GOOD, QualityLimits()) == ""


def test_what_is_not_known_keeps_no_limit() -> None:
    """A value that is missing never passes in silence."""
    limits = QualityLimits(max_roll_deg=20)
    assert beyond({**GOOD, "roll_deg": math.nan}, limits) == (
        "lean of the head: not known; allowed: 20 degrees or less"
    )


def test_reasons_are_counted_without_their_values() -> None:
    """Two windows beyond one limit have one general reason; other reasons stay as they are."""
    limits = QualityLimits(max_yaw=0.3)
    one, other = (beyond({**GOOD, "yaw": value}, limits) for value in (0.4, 0.5))
    assert one != other
    assert general(one) == general(other) == "turn of the head; allowed: 0.3 eye distances or less"
    for reason in ("no face found", "truncated: less than half of its frames decode", ""):
        assert general(reason) == reason
    truncated = "truncated: less than half of its duration decodes"
    assert general(f"{truncated} (1.2 of 3.0 s)") == truncated
    assert general("truncated: less than half of its frames decode (4 of 10)").endswith("decode")


def test_limits_of_the_pose_need_landmarks() -> None:
    """Before anything is decoded; other limits need none."""
    with pytest.raises(SettingsError, match="max_roll_deg, which faces = 'haar' does not measure"):
        require_pose(QualityLimits(max_roll_deg=20), "haar")
    require_pose(QualityLimits(max_roll_deg=20), "yunet")
    require_pose(QualityLimits(min_face_size_px=20), "none")
    assert limit_problems(QualityLimits()) == []


def test_the_longest_display_is_that_of_a_dropped_second() -> None:
    """25 frames a second from which one second is missing."""
    times_s = np.concatenate([np.arange(0, 2, 0.04), np.arange(3, 5, 0.04)])
    assert longest_display_s(times_s, 0, 5) == pytest.approx(3 - 1.96)
    assert longest_display_s(times_s, 0, 1) == pytest.approx(0.04)
    # within the gap the frame before it is on display throughout
    assert longest_display_s(times_s, 2.2, 2.7) == pytest.approx(0.5)


@given(
    steps=st.lists(st.floats(0.001, 2), min_size=1, max_size=50),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_gap_is_never_longer_than_its_window(
    steps: list[float], cut: tuple[float, float]
) -> None:
    """Not longer than its window or the longest step, not shorter than the window's mean step."""
    times_s = np.concatenate([[0], np.cumsum(steps)])
    start_s, stop_s = sorted(share * times_s[-1] for share in cut)
    found = longest_display_s(times_s, start_s, stop_s)
    assert found <= min(stop_s - start_s, max(steps)) + 1e-9
    n_inside = ((times_s > start_s) & (times_s < stop_s)).sum()
    assert found >= (stop_s - start_s) / (n_inside + 1) - 1e-9


def windows_of(values: dict[str, list[float]]) -> pd.DataFrame:
    """Make a table of two windows a recording, four recordings of three people."""
    table = pd.DataFrame({"recording": list("aabbccdd"), "window": [0, 1] * 4, "status": "used"})
    for measure in MEASURES:
        table[measure.name] = values.get(measure.name, [GOOD[measure.name]] * 8)
    return table


PEOPLE = pd.Series({"a": "P1", "b": "P1", "c": "P2", "d": "P3"})


def test_what_remains_is_counted() -> None:
    """Windows, recordings and people with a window at or inside the limit, used ones alone."""
    sizes = [20.0, 40.0, 100.0, 100.0, 50.0, 64.0, math.nan, 100.0]
    table = windows_of({"face_size_px": sizes})
    table.loc[7, "status"] = "excluded"
    left = remaining(table, PEOPLE)
    first = left.iloc[0]
    assert (first["measure"], first["n_windows"], first["n_recordings"]) == ("", 7, 4)
    own = left[left["measure"] == "face_size_px"].set_index("threshold")
    counts = ["n_windows", "n_recordings", "n_participants", "n_unknown"]
    assert own.loc[32, counts].tolist() == [5, 3, 2, 1]
    assert own.loc[64, counts].tolist() == [3, 2, 2, 1]
    assert own.loc[128, counts].tolist() == [0, 0, 0, 1]


def test_a_stricter_limit_never_leaves_more() -> None:
    """Of any measure, over its grid from mild to strict."""
    rng = np.random.default_rng(1)
    noise = {one.name: rng.uniform(0, GOOD[one.name] * 2 + 1, 8).tolist() for one in MEASURES}
    table = windows_of(noise)
    for measure in MEASURES:
        for end in ("min", "max"):
            counts = [
                kept(table, measure, side, value).sum()
                for side, value in grid(measure)
                if side == end
            ]
            assert counts == sorted(counts, reverse=True), measure.name


def test_an_unknown_measure_is_an_error() -> None:
    """It names the close ones."""
    with pytest.raises(SettingsError, match="Did you mean face_sharpness"):
        measure_of("face_sharpnes")


def test_the_worst_are_at_the_bad_end() -> None:
    """Low sizes, high leans, brightness far from the middle; equal values have no worst."""
    values = pd.Series({"a": 0.1, "b": 0.5, "c": 0.95, "d": 0.55, "e": math.nan, "f": 0.6})
    assert list(worst(values, measure_of("face_size_px"), 2).index) == ["a", "b"]
    assert list(worst(values, measure_of("roll_deg"), 2).index) == ["c", "f"]
    assert list(worst(values, measure_of("face_brightness"), 2).index) == ["c", "a"]
    assert worst(pd.Series({"a": 1.0, "b": 1.0}), measure_of("face_fraction")).empty
