"""What a face looks like, in a few numbers: enough to tell the people of one recording apart.

A look is made of colours and edges only; it does not know a person again on another day.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.video.faces import Box

__all__ = ["Look", "difference", "look"]

Frame = npt.NDArray[np.uint8]
Look = npt.NDArray[np.float64]
"""float64 (2, bins): histograms side by side, each of sum 1, or 0 where its region is out of view;
first with the colours as they are, then as they would be in even light."""

SIDE_PX = 48
"""Regions are brought to this side first: a look must not depend on a face's size."""
GREY = 110.0
"""Even light brings the frame's mean red, green and blue to this: a lamp, or the camera's exposure,
must not turn one person into another."""
STEP_PX = 8
"""The mean is that of every so many pixels each way."""
HUES, SATURATIONS, LIGHTS = 12, 4, 8
CELLS, DIRECTIONS = 3, 8
FACE = (-0.25, 1.0)
"""From hair to chin, in heights of the box below its upper edge."""
CHEST = (1.3, 2.3)
"""Clothes, the same way."""
LEAST_IN_VIEW = 0.5
"""Of a region, or it is left out."""

COLOURS = HUES * SATURATIONS + LIGHTS
EDGES = CELLS * CELLS * DIRECTIONS
# where each histogram begins, and what it weighs: colours of face, of clothes, edges of the face
STARTS = (0, COLOURS, 2 * COLOURS)
WEIGHTS = np.array([2.0, 1.0, 1.0])


def look(frame: Frame, box: Box) -> Look:
    """Describe the face in a box of an RGB frame, uint8 (height, width, 3)."""
    face, chest = _region(frame, box, *FACE), _region(frame, box, *CHEST)
    light = GREY / np.maximum(1, frame[::STEP_PX, ::STEP_PX].mean(axis=(0, 1)))
    return np.stack(
        [
            np.concatenate([_colours(face, gain), _colours(chest, gain), _edges(face)])
            for gain in (np.ones(3), light)
        ]
    )


def difference(one: Look, other: Look) -> float:
    """Tell how different two looks are: 0 for equal ones, 1 for such that share nothing.

    Hellinger's distance, averaged over the regions that both have in view; as the colours are, or
    in even light, whichever is less.
    """
    common = np.add.reduceat(np.sqrt(one * other), STARTS, axis=1)
    seen = (np.add.reduceat(one[0], STARTS) > 0) & (np.add.reduceat(other[0], STARTS) > 0)
    weights = WEIGHTS * seen
    if not weights.any():
        return 1.0
    apart = np.sqrt(np.clip(1 - common, 0, 1))
    return float((apart @ weights / weights.sum()).min())


def _region(frame: Frame, box: Box, start: float, stop: float) -> Frame | None:
    """Cut a part of the frame out, by heights of the box; None if little of it is in view."""
    height, width = frame.shape[:2]
    top, bottom = box.y + start * box.h, box.y + stop * box.h
    rows = slice(max(0, round(top)), min(height, round(bottom)))
    columns = slice(max(0, round(box.x)), min(width, round(box.x + box.w)))
    part = frame[rows, columns]
    if part.shape[0] * part.shape[1] < LEAST_IN_VIEW * (bottom - top) * box.w or not part.size:
        return None
    return np.asarray(cv2.resize(part, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _colours(region: Frame | None, gain: npt.NDArray[np.float64]) -> Look:
    """Histogram of hue and saturation, then one of lightness, that sum to 1 together."""
    if region is None:
        return np.zeros(COLOURS)
    lit = np.clip(region * gain, 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(lit, cv2.COLOR_RGB2HSV_FULL)
    tints = cv2.calcHist([hsv], [0, 1], None, [HUES, SATURATIONS], [0, 256, 0, 256]).ravel()
    lights = cv2.calcHist([hsv], [2], None, [LIGHTS], [0, 256]).ravel()
    return np.concatenate([tints, lights]).astype(np.float64) / (2 * SIDE_PX**2)


def _edges(region: Frame | None) -> Look:
    """Histograms of the edges' directions in the cells of the region, weighted by strength."""
    if region is None:
        return np.zeros(EDGES)
    grey = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    way = np.minimum((angle / (2 * np.pi) * DIRECTIONS).astype(int), DIRECTIONS - 1)
    cell = np.arange(SIDE_PX) * CELLS // SIDE_PX
    number = (cell[:, None] * CELLS + cell) * DIRECTIONS + way
    bins = np.bincount(number.ravel(), strength.ravel(), EDGES)
    total = bins.sum()
    return bins / total if total > 0 else np.full(EDGES, 1 / EDGES)
