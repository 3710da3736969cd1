"""How well a face can be seen in a frame: size, sharpness, brightness."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.video.faces import Box

__all__ = ["LOOK_PIXELS", "Look", "look"]

Frame = npt.NDArray[np.uint8]

LOOK_PIXELS = 112
"""Every face is looked at in this size, so that values compare between recordings."""
BLACK, WHITE = 4, 251
"""Grey levels (0 to 255) up to and from which nothing can be told apart."""
UNKNOWN = math.nan


class Look(NamedTuple):
    """How a face looks in one frame; NaN where it is not known."""

    size_px: float
    """Square root of the box's area, in the frame's pixels."""
    sharpness: float
    """Variance of the Laplacian of the face's grey levels at `LOOK_PIXELS`."""
    brightness: float
    """Mean grey level, 0 black to 1 white."""
    clipped: float
    """Share of pixels that are black or white."""


def look(frame: Frame, box: Box) -> Look:
    """Look at a face.

    Parameters
    ----------
    frame
        uint8 (height, width, 3) RGB.
    box
        The face; what of it lies beyond the frame is not looked at.
    """
    top, left = max(0, round(box.y)), max(0, round(box.x))
    inside = frame[top : max(0, round(box.y + box.h)), left : max(0, round(box.x + box.w))]
    size_px = math.sqrt(box.w * box.h)
    if inside.size == 0:
        return Look(size_px, UNKNOWN, UNKNOWN, UNKNOWN)
    grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY)
    how = cv2.INTER_AREA if min(grey.shape) > LOOK_PIXELS else cv2.INTER_LINEAR
    grey = cv2.resize(grey, (LOOK_PIXELS, LOOK_PIXELS), interpolation=how)
    _, spread = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    return Look(
        size_px,
        sharpness=float(spread[0, 0]) ** 2,
        brightness=float(cv2.mean(grey)[0]) / 255,
        clipped=float(((grey <= BLACK) | (grey >= WHITE)).mean()),
    )
