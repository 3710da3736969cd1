"""Recordings of two people side by side, who change places: everybody's truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emoclip_clinic.demo.animation import animate, random_behaviour
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.people import random_camera, random_identity

__all__ = ["SECOND_FRAMES", "drawn", "side_by_side"]

Frame = npt.NDArray[np.uint8]

SECOND_FRAMES = 25
"""Frames a second of what `drawn` gives."""


def drawn(seed: int, duration_s: float, size_px: int = 192) -> list[Frame]:
    """Draw a person who moves, uint8 (size_px, size_px, 3) frames at 25 a second."""
    rng = np.random.default_rng(seed)
    identity, camera = random_identity(rng), random_camera(rng)
    return list(
        film(identity, camera, animate(random_behaviour(rng), duration_s, rng), size_px, rng)
    )


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
