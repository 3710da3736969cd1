"""Which person of a recording is the participant: the rule that a user writes down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePath

from emoclip_clinic.errors import SettingsError

__all__ = ["PHOTO_SUFFIXES", "ParticipantRule", "Region", "parse_rule"]

WORDS = ("largest", "longest", "left", "right")
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Region:
    """A part of the picture, in fractions of its width and height."""

    x: float
    """Left edge, from the picture's left edge."""
    y: float
    """Upper edge, from the picture's upper edge."""
    w: float
    h: float

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it, given in the same fractions."""
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h


@dataclass(frozen=True)
class ParticipantRule:
    """How the participant is told from the other people in view."""

    kind: str
    """largest, longest, left, right, region or photo."""
    text: str
    """As it was written."""
    region: Region | None = None
    """Of the kind "region"."""

    def photo(self, participant: str, session: str) -> str:
        """Path of the photo of a participant."""
        return self.text.replace("{participant}", participant).replace("{session}", session)


def parse_rule(text: str) -> ParticipantRule:
    """Read a rule.

    Parameters
    ----------
    text
        "largest", "longest", "left", "right", "region x,y,w,h" in fractions of the picture, or the
        path of a photo, in which "{participant}" and "{session}" stand for those of a recording.

    Raises
    ------
    SettingsError
        It is none of these.
    """
    words = text.split(maxsplit=1)
    if text in WORDS:
        return ParticipantRule(text, text)
    if words and words[0] == "region":
        return ParticipantRule("region", text, _region(text, words[1:]))
    if PurePath(text).suffix.lower() in PHOTO_SUFFIXES:
        return ParticipantRule("photo", text)
    raise SettingsError(
        f"participant = {text!r}; allowed: {', '.join(WORDS)}, 'region x,y,w,h', or the path of a "
        f"photo ({', '.join(PHOTO_SUFFIXES)})"
    )


def _region(text: str, numbers: list[str]) -> Region:
    try:
        x, y, w, h = (float(number) for number in ",".join(numbers).split(","))
    except ValueError:
        x = y = w = h = math.nan
    # hundredths that do not add up to 1 exactly are meant to
    if not (min(x, y) >= 0 and min(w, h) > 0 and max(x + w, y + h) <= 1 + 1e-9):
        raise SettingsError(
            f"participant = {text!r}; a region is four fractions of the picture, left edge, upper "
            "edge, width and height, that lie within it, such as 'region 0.5,0,0.5,1' for the "
            "right half"
        )
    return Region(x, y, w, h)
