"""The errors a user can meet; every message says what was given, what is allowed, what to do."""

from __future__ import annotations

__all__ = [
    "AGAIN",
    "ClinicError",
    "DatasetError",
    "DecoderError",
    "EncoderError",
    "RatingsError",
    "RecordingError",
    "ScaleError",
    "SettingsError",
    "StudyError",
    "TooFewError",
    "TurnsError",
]


AGAIN = "the next run tries again"
"""What is said of a recording that failed for a reason that may pass."""


class ClinicError(Exception):
    """Anything a user can put right: the commands print it as one message and exit with 1."""


class SettingsError(ClinicError):
    """A key or value in study.toml, a protocol or a template that is not allowed."""


class StudyError(ClinicError):
    """A study folder that cannot be read, written or continued."""


class RecordingError(ClinicError):
    """A recording that cannot be used; its message becomes the reason in recordings.csv."""


class DecoderError(RecordingError):
    """Reading a recording crashed, or went beyond its time or memory: another run may read it."""


class EncoderError(ClinicError):
    """Weights that are missing, damaged or of another architecture."""


class DatasetError(ClinicError):
    """A dataset of clips that is not laid out as released, or a fold it does not have."""


class ScaleError(ClinicError):
    """A rating scale that is unknown or ill-defined."""


class RatingsError(ClinicError):
    """A rating that is out of range, not a number or given twice."""


class TooFewError(ClinicError):
    """Too few participants, raters or values for the estimate that was asked for."""


class TurnsError(ClinicError):
    """A file of speech turns or sections that cannot be used, or has no turn of the participant."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        """Why a recording is left out for it, in a few words without names; may be empty."""
