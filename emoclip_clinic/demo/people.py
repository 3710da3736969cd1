"""Who is drawn, and through what camera: everything that stays the same while a face moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Camera", "Colour", "Identity", "mix", "random_camera", "random_identity"]

Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""

SKINS: tuple[Colour, ...] = (
    (250, 222, 200), (240, 200, 170), (226, 178, 142), (204, 152, 112),
    (172, 120, 84), (140, 94, 64), (106, 70, 48), (78, 52, 38),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (24, 20, 20), (52, 36, 26), (92, 62, 38), (150, 108, 60), (206, 170, 104), (150, 66, 34),
    (168, 166, 164),
)  # fmt: skip
IRISES: tuple[Colour, ...] = ((70, 46, 28), (96, 70, 40), (70, 100, 70), (80, 120, 160))
HAIRCUTS = ("bald", "short", "long", "curly", "fringe")


@dataclass(frozen=True)
class Identity:
    """What stays the same while a face moves; lengths in face units."""

    skin: Colour
    hair: Colour
    iris: Colour
    background: Colour
    clothes: Colour
    haircut: str
    glasses: bool
    beard: bool
    face_width: float
    jaw: float
    """0 a pointed chin to 1 a square one."""
    eye_distance: float
    eye_size: float
    nose_length: float
    mouth_width: float
    brow_height: float
    brow_thickness: float


@dataclass(frozen=True)
class Camera:
    """Framing, light and sensor of one recording."""

    scale: float
    """Half the head's height, as a fraction of the frame."""
    x: float
    y: float
    """Where the face's origin is, as fractions of the frame."""
    light: float
    side_light: float
    """Relative difference between the left and the right edge."""
    warmth: float
    noise_sd: float
    """Grey levels of 255."""
    blur_px: float


def random_identity(rng: np.random.Generator) -> Identity:
    """Draw a person; no trait depends on another, save that brows and beard have hair's colour."""
    tone = rng.uniform(0, len(SKINS) - 1)
    return Identity(
        skin=mix(SKINS[int(tone)], SKINS[int(tone) + 1], tone % 1),
        hair=_jitter(HAIRS[rng.integers(len(HAIRS))], 8, rng),
        iris=IRISES[rng.integers(len(IRISES))],
        background=_jitter((150, 155, 160), 60, rng),
        clothes=_jitter((110, 110, 120), 90, rng),
        haircut=HAIRCUTS[rng.integers(len(HAIRCUTS))],
        glasses=bool(rng.random() < 0.3),
        beard=bool(rng.random() < 0.2),
        face_width=rng.uniform(0.70, 0.82),
        jaw=rng.uniform(0.1, 0.9),
        eye_distance=rng.uniform(0.31, 0.36),
        eye_size=rng.uniform(0.15, 0.18),
        nose_length=rng.uniform(0.26, 0.36),
        mouth_width=rng.uniform(0.27, 0.33),
        brow_height=rng.uniform(0.19, 0.24),
        brow_thickness=rng.uniform(0.035, 0.07),
    )


def random_camera(rng: np.random.Generator) -> Camera:
    """Draw a recording's framing, light and sensor."""
    return Camera(
        scale=rng.uniform(0.42, 0.46),
        x=rng.uniform(0.47, 0.53),
        y=rng.uniform(0.48, 0.52),
        light=rng.uniform(0.75, 1.1),
        side_light=rng.uniform(-0.35, 0.35),
        warmth=rng.uniform(-0.08, 0.08),
        noise_sd=rng.uniform(1.5, 5),
        blur_px=rng.uniform(0.3, 0.7),
    )


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Give a colour between two: `share` of the other, the rest of the one."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(one, other, strict=True))
    return red, green, blue


def _jitter(colour: Colour, spread: float, rng: np.random.Generator) -> Colour:
    levels = np.clip(np.array(colour) + rng.uniform(-spread, spread, 3), 0, 255)
    red, green, blue = levels.tolist()
    return red, green, blue
