"""What a drawn face does, in words: the captions that the demonstration's encoder learns from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emoclip_clinic.demo.animation import Curve, Motion

__all__ = ["CLIP_WORDS", "STILL_WORDS", "caption", "clip_levels", "still_levels"]

Words = Mapping[str, tuple[str, ...]]
Levels = Mapping[str, int]

# attribute -> its levels, from least to most; every caption names one level of each
CLIP_WORDS: Words = {
    "smile": ("no smile", "slight smile", "broad smile"),
    "brow": ("still brows", "raised brows"),
    "blinks": ("no blinks", "few blinks", "many blinks"),
    "head": ("still head", "calm head", "lively head"),
    "speech": ("closed mouth", "talking mouth"),
}
STILL_WORDS: Words = {
    "smile": ("no smile", "slight smile", "broad smile"),
    "brow": ("still brows", "raised brows"),
    "eyes": ("open eyes", "shut eyes"),
    "mouth": ("closed mouth", "open mouth"),
    "yaw": ("left", "straight", "right"),
}


def caption(words: Words, levels: Levels) -> str:
    """Compose a caption: "no smile, still brows, few blinks, still head, closed mouth"."""
    return ", ".join(words[attribute][level] for attribute, level in levels.items())


def clip_levels(motion: Motion) -> Levels:
    """Level of each attribute of CLIP_WORDS that a clip shows."""
    turning = float(np.hypot(motion.yaw.std(), motion.pitch.std()))
    return {
        "smile": _level(motion.smile.max(), 0.15, 0.55),
        "brow": _level(motion.brow.max(), 0.3),
        "blinks": _level(_blinks(motion.eyes), 1, 3),
        "head": _level(turning, 0.05, 0.15),
        "speech": _level(motion.mouth.mean(), 0.08),
    }


def still_levels(motion: Motion, frame: int) -> Levels:
    """Level of each attribute of STILL_WORDS that one frame shows."""
    return {
        "smile": _level(motion.smile[frame], 0.15, 0.55),
        "brow": _level(motion.brow[frame], 0.3),
        "eyes": _level(1 - motion.eyes[frame], 0.5),
        "mouth": _level(motion.mouth[frame], 0.3),
        "yaw": _level(motion.yaw[frame], -0.05, 0.05),
    }


def _level(value: float, *limits: float) -> int:
    return sum(bool(value >= limit) for limit in limits)


def _blinks(eyes: Curve) -> int:
    shut = eyes < 0.5
    return int(shut[0]) + int(np.count_nonzero(shut[1:] & ~shut[:-1]))
