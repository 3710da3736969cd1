"""Recordings of two people side by side, who change places: everybody's truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emoclip_clinic.demo.animation import animate, random_behaviour
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.people import random_camera, random_identity
from emoclip_clinic.video.faces import Box

__all__ = ["SIDE_PX", "Halves", "drawn", "side_by_side"]

Frame = npt.NDArray[np.uint8]

SIDE_PX = 96


class Halves:
    """Finds a face in the middle of each square of a frame; it does not know whose.

    A square whose first pixel is black hides its face.
    """

    def find(self, frame: Frame) -> list[Box]:
        """Give the boxes from left to right."""
        side = frame.shape[0]
        squares = range(0, frame.shape[1], side)
        return [
            Box(left + 0.25 * side, 0.2 * side, 0.5 * side, 0.6 * side, 1.0)
            for left in squares
            if frame[0, left].any()
        ]


@lru_cache
def drawn(seed: int, n_frames: int, size_px: int = SIDE_PX, rate_hz: float = 6.25) -> list[Frame]:
    """Draw a person who moves, uint8 (size_px, size_px, 3), in the middle of the frame."""
    rng = np.random.default_rng(seed)
    identity, camera = random_identity(rng), random_camera(rng)
    camera = replace(camera, x=0.5, y=0.5, scale=0.3)
    every = round(25 / rate_hz)
    motion = animate(random_behaviour(rng), every * n_frames / 25, rng)
    return list(film(identity, camera, motion, size_px, rng))[::every][:n_frames]


def side_by_side(
    one: Sequence[Frame], other: Sequence[Frame], swaps: Sequence[int] = ()
) -> list[Frame]:
    """Put two recordings of one size beside each other; from each of `swaps` on they change places.

    At the start `one` is on the left.
    """
    frames = []
    for number, pair in enumerate(zip(one, other, strict=True)):
        swapped = sum(number >= swap for swap in swaps) % 2
        frames.append(np.concatenate(pair[::-1] if swapped else pair, axis=1))
    return frames
