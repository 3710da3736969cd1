"""How recordings are sampled and cut into windows: the files of protocols/encoding/."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from emoclip_clinic import resources
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.flags import WarningLimits, warning_problems
from emoclip_clinic.quality import QualityLimits, limit_problems
from emoclip_clinic.schema import build

__all__ = ["EncodingProtocol", "read_protocol"]

MAX_WINDOW_FRAMES = 1023
"""The temporal position table of EmoCLIP has 1024 rows, one of them for the class token."""


@dataclass(frozen=True)
class EncodingProtocol:
    """How recordings are sampled and cut into windows: a file of protocols/encoding/."""

    title: str = ""
    """One line for the reader."""
    rate_hz: float | None = None
    """Frames sampled a second, by presentation time; this or `every_nth` is given."""
    every_nth: int | None = None
    """Every n-th frame is sampled, whatever its time."""
    window_frames: int = 32
    """Sampled frames in a window."""
    stride_frames: int = 32
    """Sampled frames between the starts of two windows."""
    min_face_fraction: float = 0.5
    """A window with a face in a smaller fraction of its frames is excluded."""
    bridge_frames: int = 3
    """The face's place is interpolated over at most so many sampled frames without a detection."""
    face_margin: float = 0.2
    """Added on each side of the face before the square crop, as a share of its longer side."""
    quality: QualityLimits = field(default_factory=QualityLimits)
    """Beyond which a window is excluded; none by default."""
    warn: WarningLimits = field(default_factory=WarningLimits)
    """Beyond which a recording's measure warns."""


def read_protocol(name: str, study: Path | None = None) -> EncodingProtocol:
    """Read `protocols/encoding/<name>.toml`, the study's own before the shipped one.

    Raises
    ------
    ClinicError
        There is no such protocol.
    SettingsError
        A key is unknown or a value is not allowed.
    """
    path = resources.find("protocols/encoding", name, study)
    problems: list[str] = []
    protocol = build(EncodingProtocol, resources.read_toml(path), "", problems)
    if protocol is not None:
        problems += _problems(protocol)
    if protocol is None or problems:
        raise SettingsError(f"{resources.place(path)}: " + "; ".join(problems))
    return protocol


def _problems(protocol: EncodingProtocol) -> list[str]:
    problems = []
    if (protocol.rate_hz is None) == (protocol.every_nth is None):
        problems.append("exactly one of rate_hz and every_nth must be given")
    for key, low, high in [
        ("rate_hz", 0.01, 1000),
        ("every_nth", 1, 1000),
        ("window_frames", 1, MAX_WINDOW_FRAMES),
        ("stride_frames", 1, 100_000),
        ("min_face_fraction", 0, 1),
        ("bridge_frames", 0, MAX_WINDOW_FRAMES),
        ("face_margin", 0, 3),
    ]:
        value = getattr(protocol, key)
        # written so that NaN is refused too
        if value is not None and not low <= value <= high:
            problems.append(f"{key} = {value}; allowed: {low} to {high}")
    return problems + limit_problems(protocol.quality) + warning_problems(protocol.warn)
