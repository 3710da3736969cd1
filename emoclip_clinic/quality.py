"""What makes a window better or worse to analyse: the measures, and the limits set to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.errors import SettingsError

__all__ = [
    "MEASURES",
    "WINDOW_COLUMNS",
    "Measure",
    "QualityLimits",
    "beyond",
    "general",
    "limit_problems",
    "longest_display_s",
    "require_pose",
    "worst",
]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A number that says how good a window is."""

    name: str
    """Its column in quality_windows.csv, and the end of the keys of its limits."""
    words: str
    """As a reason says it."""
    unit: str
    """Empty for a share between 0 and 1."""
    worse: str
    """"low", "high" or, where both ends are bad, "both"."""
    grid_low: tuple[float, ...] = ()
    """Lowest values to try, from mild to strict."""
    grid_high: tuple[float, ...] = ()
    """Highest values to try, from mild to strict."""
    largest: float = 1.0
    """No limit can be above it."""


MEASURES = (
    Measure("face_fraction", "share of frames with a face", "", "low", (0.6, 0.7, 0.8, 0.9, 1.0)),
    Measure("face_size_px", "size of the face", "px", "low", (32, 48, 64, 96, 128), largest=10_000),
    Measure("roll_deg", "lean of the head", "degrees", "high", (), (30, 20, 15, 10), 180),
    Measure("yaw", "turn of the head", "eye distances", "high", (), (0.5, 0.3, 0.2, 0.1), 10),
    Measure("face_sharpness", "sharpness of the face", "", "low", (25, 50, 100, 200), largest=1e6),
    Measure("face_brightness", "brightness of the face", "", "both", (0.1, 0.2), (0.9, 0.8)),
    Measure("face_clipped", "share of black or white pixels", "", "high", (), (0.2, 0.1, 0.05)),
    Measure("frozen_fraction", "share of frozen frames", "", "high", (), (0.5, 0.2, 0.1, 0)),
    Measure("longest_gap_s", "longest time without a new frame", "s", "high", (),
            (2, 1, 0.5, 0.25), 3600),
)  # fmt: skip
"""In the order of the tables."""

WINDOW_COLUMNS = ("recording", "window", "status", *(measure.name for measure in MEASURES))
"""Columns of quality_windows.csv: a row a window, used or excluded; empty where not known."""

POSE = ("roll_deg", "yaw")
"""What needs landmarks, which YuNet alone gives."""
ALLOWED = "; allowed: "
COUNTED = re.compile(r" \([\d.]+ of [\d.]+( s)?\)$")
"""What a reason has counted of one file."""


@dataclass(frozen=True)
class QualityLimits:
    """The table [quality] of an encoding protocol; a window beyond a limit is excluded.

    `min_face_fraction` stands in the protocol itself.
    """

    min_face_size_px: float | None = None
    """Mean size of the face (square root of its area), pixels."""
    max_roll_deg: float | None = None
    """Mean lean of the head to either side, degrees."""
    max_yaw: float | None = None
    """Mean turn of the head to either side: 0 straight ahead, 0.5 the nose over an eye."""
    min_face_sharpness: float | None = None
    """Mean variance of the Laplacian of the face at 112 x 112 pixels, grey levels squared."""
    min_face_brightness: float | None = None
    """Mean grey level of the face, 0 black to 1 white."""
    max_face_brightness: float | None = None
    """Likewise."""
    max_face_clipped: float | None = None
    """Share of the face's pixels that are black or white."""
    max_frozen_fraction: float | None = None
    """Share of sampled frames that are identical to the one before."""
    max_longest_gap_s: float | None = None
    """Longest time that one frame stays on display, seconds."""

    def ends(self, measure: Measure) -> tuple[float | None, float | None]:
        """Lowest and highest value of a measure that is allowed; None: any."""
        low, high = (getattr(self, f"{end}_{measure.name}", None) for end in ("min", "max"))
        return low, high


def limit_problems(limits: QualityLimits) -> list[str]:
    """Say what is wrong with the limits of a protocol."""
    problems = []
    for measure in MEASURES:
        low, high = limits.ends(measure)
        for end, value in (("min", low), ("max", high)):
            # written so that NaN is refused too
            if value is not None and not 0 <= value <= measure.largest:
                problems.append(
                    f"quality.{end}_{measure.name} = {value}; allowed: 0 to {measure.largest:g}"
                )
        if low is not None and high is not None and low > high:
            problems.append(f"quality: min_{measure.name} = {low} is above max_{measure.name}")
    return problems


def require_pose(limits: QualityLimits, faces: str) -> None:
    """Refuse limits of the pose where nothing measures it.

    Raises
    ------
    SettingsError
        The face finder gives no landmarks.
    """
    asked = [
        field.name
        for field in fields(limits)
        if field.name.endswith(POSE) and getattr(limits, field.name) is not None
    ]
    if asked and faces != "yunet":
        raise SettingsError(
            f"the protocol limits {' and '.join(asked)}, which faces = {faces!r} does not measure; "
            "allowed: yunet. Choose --faces yunet, or take the limit out of [quality]."
        )


def beyond(values: Mapping[str, float], limits: QualityLimits) -> str:
    """Say which limit a window is beyond, with its value; empty where it keeps all of them.

    A value that is not known keeps no limit.
    """
    for measure in MEASURES:
        value = values.get(measure.name, np.nan)
        low, high = limits.ends(measure)
        if low is not None and not value >= low:
            return _reason(measure, value, f"{low:g}", "or more")
        if high is not None and not value <= high:
            return _reason(measure, value, f"{high:g}", "or less")
    return ""


def _reason(measure: Measure, value: float, limit: str, side: str) -> str:
    unit = f" {measure.unit}" * bool(measure.unit)
    # six digits: a value beside its limit is not to look equal to it
    found = "not known" if np.isnan(value) else f"{value:.6g}{unit}"
    return f"{measure.words}: {found}{ALLOWED}{limit}{unit} {side}"


def general(reason: str) -> str:
    """Leave a window's or a file's own values out of its reason, so that it can be counted by."""
    found, allowed, limit = reason.partition(ALLOWED)
    return f"{found.partition(': ')[0]}{allowed}{limit}" if allowed else COUNTED.sub("", reason)


def longest_display_s(times_s: Array, start_s: float, stop_s: float) -> float:
    """Longest time within [start_s, stop_s) that one frame stays on display.

    Parameters
    ----------
    times_s
        Presentation times of all frames of the recording (n,), ascending.
    start_s, stop_s
        The window; its first frame may have come on display before it.
    """
    inside = times_s[(times_s > start_s) & (times_s < stop_s)]
    return float(np.diff(np.concatenate([[start_s], inside, [stop_s]])).max())


def worst(values: pd.Series, measure: Measure, n: int = 3) -> pd.Series:
    """Give the worst values, the worst first: up to `n` that are worse than the middle one.

    Parameters
    ----------
    values
        Of a measure (index recording); those not known are left out.
    measure
        Says which end is bad; where both are, the farthest from 0.5 is the worst.
    n
        How many.
    """
    known = values.dropna().sort_index()
    badness = {"low": -known, "high": known, "both": (known - 0.5).abs()}[measure.worse]
    worse = badness[badness > badness.median()].sort_values(ascending=False, kind="stable")
    return known.loc[worse.index[:n]]
