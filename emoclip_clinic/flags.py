"""Which measures of a recording warn, and what is said: decided when the tables are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pandas as pd

from emoclip_clinic.files import TIME_DIGITS

__all__ = [
    "CLOSE_CALL", "MEASURED_COLUMNS", "QUALITY_COLUMNS", "WarningLimits", "flagged", "warned",
    "warning_problems",
]  # fmt: skip

MEASURED_COLUMNS = ("recording", "measure", "value", "unit", "note")
"""What is measured of a recording, and kept; `note` has more to say than the limit's own words."""
QUALITY_COLUMNS = ("recording", "measure", "value", "unit", "flag", "note")
"""Columns of quality.csv; `flag` is "ok" or "warn", `note` why it warns."""

CLOSE_CALL = "the rule chose the participant narrowly over somebody else"
LARGEST = 1e9


def _limit(value: float, words: str) -> Any:
    """Give a limit as shipped, and what the warning beyond it says."""
    return field(default=value, metadata={"words": words})


@dataclass(frozen=True)
class WarningLimits:
    """The table [warn] of an encoding protocol: beyond a limit a recording's measure warns.

    A key is min_ or max_ and the name of a measure in one of the two quality.csv, in its unit. A
    warning excludes nothing and changes no vector.
    """

    # of the file, which `ingest` measures: the study's own quality.csv
    max_frames_missing: float = _limit(0, "the header promises more frames than decode")
    max_damaged_packets: float = _limit(0, "cannot be read or decoded")
    max_longest_gap: float = _limit(0.48, "the same picture for long")
    """As shipped, three samples in a row would show it: 3 / 6.25 Hz."""
    max_late_start: float = _limit(
        0.25, "times count from the first picture: those of a player are so much later"
    )
    """As shipped, more than lies between the starts of sound and picture, or the order of frames
    takes."""
    min_duration: float = _limit(5.12, "short")
    """As shipped, one window: 32 frames at 6.25 Hz."""
    min_frame_rate: float = _limit(
        12.5, "few frames a second: the nearest frame can be far from a sample"
    )
    """As shipped, it can be more than 40 ms from it: twice 6.25 Hz."""
    max_frames_disordered: float = _limit(
        0, "frames that the file does not present later than the frame before"
    )
    min_short_side: float = _limit(240, "a small picture: faces are small")
    """As shipped, a face that fills a third of the picture has less than 80 pixels."""
    min_brightness: float = _limit(40, "dark")
    max_brightness: float = _limit(220, "overexposed")
    """Of 255: beyond these two, as shipped, skin tones are crushed or washed out."""
    min_sharpness: float = _limit(10, "blurred, or without detail")
    """The sharp clips measured have 190 to 220; blurred by 0.5 % of their width they have 5 to
    13."""

    # of the participant's face, which `encode` measures: features/<encoder>/quality.csv
    max_several_faces: float = _limit(0.05, "other faces")
    """The largest may not always be the participant's."""
    min_participant_lead: float = _limit(0.15, CLOSE_CALL)
    """A rule that prefers somebody by less may as well have chosen the next one."""
    min_face_size_px: float = _limit(48, "small face")
    """As shipped, below it the crop shows more interpolation than face."""
    max_roll_deg: float = _limit(20, "leaning head")
    max_yaw: float = _limit(0.3, "turned head")
    """As shipped, the nose is more than half way from the middle to over an eye."""
    min_face_sharpness: float = _limit(30, "blurred face")
    """The sharp clips measured have 320 to 440; blurred by 1.6 % of the face's width, 18 to 35."""
    min_face_brightness: float = _limit(0.15, "dark face")
    max_face_brightness: float = _limit(0.85, "bright face")
    max_face_clipped: float = _limit(0.2, "black or white pixels")
    max_frozen_fraction: float = _limit(0.1, "frozen frames")


WORDS = {limit.name: str(limit.metadata["words"]) for limit in fields(WarningLimits)}
LIMITED = {name[len("min_") :] for name in WORDS}
"""Measures that have a limit; any other warns where there is something to note."""


def warning_problems(limits: WarningLimits) -> list[str]:
    """Say what is wrong with the table [warn] of a protocol."""
    values = asdict(limits)
    # written so that NaN is refused too
    problems = [
        f"warn.{name} = {value}; allowed: 0 to {LARGEST:g}"
        for name, value in values.items()
        if not 0 <= value <= LARGEST
    ]
    both = sorted(name for name in LIMITED if {f"min_{name}", f"max_{name}"} <= values.keys())
    return problems + [
        f"warn: min_{name} = {values[f'min_{name}']:g} is above max_{name}"
        for name in both
        if values[f"min_{name}"] > values[f"max_{name}"]
    ]


def flagged(measured: pd.DataFrame, limits: WarningLimits) -> pd.DataFrame:
    """Decide which measures warn.

    Parameters
    ----------
    measured
        MEASURED_COLUMNS, or QUALITY_COLUMNS that were decided by other limits.
    limits
        What holds now. A value that is not known is beyond none.

    Returns
    -------
    pandas.DataFrame
        QUALITY_COLUMNS, the same rows in the same order; times are rounded as tables show them, so
        that a limit decides by what is shown.
    """
    known = asdict(limits)
    values = [
        round(float(value), TIME_DIGITS) if unit == "s" else float(value)
        for value, unit in zip(measured["value"], measured["unit"], strict=True)
    ]
    # a note that was read from a table and is empty there is no text
    said = [note if isinstance(note, str) else "" for note in measured["note"]]
    rows = zip(measured["measure"], values, said, strict=True)
    notes = [_note(str(measure), value, note, known) for measure, value, note in rows]
    flags = ["warn" if note else "ok" for note in notes]
    return measured.assign(value=values, flag=flags, note=notes)[list(QUALITY_COLUMNS)]


def warned(table: pd.DataFrame, place: str) -> Iterator[str]:
    """Say in one line how many recordings warn and of what; nothing where none does.

    Parameters
    ----------
    table
        QUALITY_COLUMNS.
    place
        Where the table is.
    """
    warn = table[table["flag"] == "warn"]
    if len(warn):
        counts = (
            warn["measure"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        )
        words = ", ".join(f"{measure} {n}" for measure, n in counts.items())
        n_warn, n = warn["recording"].nunique(), table["recording"].nunique()
        yield f"{n_warn} of {n} recordings warn ({words}): see {place}"


def _note(measure: str, value: float, note: str, limits: dict[str, float]) -> str:
    """Say why a measure warns; empty where it does not."""
    low, high = f"min_{measure}", f"max_{measure}"
    if measure not in LIMITED:
        return note
    # what was decided by other limits is decided anew
    detail = "" if note in (WORDS.get(low), WORDS.get(high)) else note
    if low in limits and value < limits[low]:
        return detail or WORDS[low]
    if high in limits and value > limits[high]:
        return detail or WORDS[high]
    return ""
