"""Drawn expressions with a known class: what the demonstration's encoder is tested on.

The people are others than those whom the encoder was trained on, and the classes are combinations
of what its captions name; `protocols/encoding/descriptions/demo.toml` has them in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emoclip_clinic.demo.animation import FPS, Motion, animate, random_behaviour
from emoclip_clinic.demo.captions import CLIP_WORDS, caption, clip_levels
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.frames import write_frames
from emoclip_clinic.demo.people import random_camera, random_identity
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.files import write_bytes

__all__ = ["EXPRESSIONS", "draw_expression", "is_expression", "write_expressions"]

SEED = 16641  # not the encoder's: nobody is drawn twice
SIZE_PX = 128
EVERY_NTH = 4
N_FRAMES = 32
MOST_TRIES = 100_000

EXPRESSIONS: Mapping[str, Mapping[str, int]] = {
    name: dict(zip(("smile", "brow", "head", "speech"), levels, strict=True))
    for name, levels in {
        "still": (0, 0, 0, 0),
        "amused": (2, 0, 1, 0),
        "surprised": (0, 1, 1, 0),
        "talking": (0, 0, 1, 1),
        "restless": (0, 0, 2, 0),
        "excited": (2, 1, 2, 1),
    }.items()
}
"""Class -> level of each attribute of `captions.CLIP_WORDS`; blinks are free."""


def is_expression(name: str, motion: Motion) -> bool:
    """Say whether a motion shows a class."""
    levels = clip_levels(motion)
    return all(levels[attribute] == level for attribute, level in EXPRESSIONS[name].items())


def draw_expression(name: str, index: int) -> tuple[NDArray[np.uint8], str]:
    """Draw a clip of a class: its number decides the person, the camera and the motion.

    Returns
    -------
    frames
        uint8 (32, 128, 128, 3), 6.25 a second.
    caption
        What they show, in the words that the encoder was trained on.
    """
    if name not in EXPRESSIONS:
        raise SettingsError(f"expression {name!r}; allowed: {', '.join(EXPRESSIONS)}.")
    rng = np.random.default_rng([SEED, list(EXPRESSIONS).index(name), index])
    duration_s = N_FRAMES * EVERY_NTH / FPS
    for _ in range(MOST_TRIES):
        motion = animate(random_behaviour(rng), duration_s, rng)[::EVERY_NTH]
        if is_expression(name, motion):
            break
    drawn = film(random_identity(rng), random_camera(rng), motion, SIZE_PX, rng)
    return np.stack(list(drawn)), caption(CLIP_WORDS, clip_levels(motion))


def write_expressions(folder: Path, n: int) -> Path:
    """Write `n` clips of each class as folders of frames, and their manifest; give its path."""
    lines = ["video,caption,label,participant"]
    for name in EXPRESSIONS:
        for index in range(n):
            frames, words = draw_expression(name, index)
            clip = f"{name}-{index:03d}"
            write_frames(folder / clip, frames)
            lines.append(f'{clip},"{words}",{name},{clip}')
    manifest = folder / "manifest.csv"
    write_bytes(manifest, "".join(f"{line}\n" for line in lines).encode())
    return manifest
