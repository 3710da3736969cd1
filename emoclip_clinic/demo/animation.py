"""How a drawn face moves: a behaviour (five strengths) becomes a motion (curves over time)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FPS", "Behaviour", "Curve", "Motion", "animate", "random_behaviour", "random_stills"]

FPS = 25  # of every curve here

# seconds: a spontaneous smile builds up and fades slowly, a blink is over at once
SMILE_LENGTH_S = (1.6, 3.2)
BROW_LENGTH_S = (0.7, 1.5)
BLINK_LENGTH_S = (0.28, 0.44)
EVENTS_PER_S = 0.28  # smiles, and as many raised brows

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Behaviour:
    """How strongly a face moves; every strength but the blinks is between 0 and 1."""

    smile: float
    """Height of the smiles; below 0.1 there is none to be seen."""
    brow: float
    """Height of the brows' raises."""
    blinks_per_min: float
    head: float
    """Reach of the head's turns and nods."""
    speech: float
    """How much the mouth opens in talking."""


@dataclass(frozen=True)
class Motion:
    """Curves of shape (frames,) at 25 frames a second."""

    smile: Curve
    """0 none to 1 broad."""
    brow: Curve
    """0 at rest to 1 raised."""
    eyes: Curve
    """0 shut to 1 open."""
    mouth: Curve
    """0 shut to 1 wide open."""
    yaw: Curve
    """Radians; positive turns to the image's right."""
    pitch: Curve
    """Radians; positive nods down."""
    roll: Curve
    """Radians; positive leans clockwise."""

    def __len__(self) -> int:
        return len(self.smile)

    def __getitem__(self, frames: slice) -> Motion:
        return Motion(*(curve[frames] for curve in vars(self).values()))


def random_behaviour(rng: np.random.Generator) -> Behaviour:
    """Draw the strengths independently; each may also be absent."""
    smile, brow, head, speech = rng.uniform(0, 1, 4) * (rng.random(4) > 0.15)
    blinks = rng.uniform(0, 50)
    return Behaviour(smile=smile, brow=brow, blinks_per_min=blinks, head=head, speech=speech)


def random_stills(n: int, rng: np.random.Generator) -> Motion:
    """Draw frames that have nothing to do with one another, each expression in many of them."""

    def some() -> Curve:
        return rng.uniform(0, 1, n) * (rng.random(n) < 0.67)

    yaw, pitch, roll = rng.normal(0, [[0.10], [0.07], [0.05]], (3, n))
    return Motion(
        smile=some(),
        brow=some(),
        eyes=np.where(rng.random(n) < 0.33, 0.0, 1.0),
        mouth=some(),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
    )


def animate(behaviour: Behaviour, duration_s: float, rng: np.random.Generator) -> Motion:
    """Let a face with this behaviour move for a while, from a random moment on."""
    times_s = np.arange(round(duration_s * FPS)) / FPS
    smiles = _bumps(times_s, EVENTS_PER_S, SMILE_LENGTH_S, rng)
    raises = _bumps(times_s, EVENTS_PER_S, BROW_LENGTH_S, rng)
    blinks = _bumps(times_s, behaviour.blinks_per_min / 60, BLINK_LENGTH_S, rng)
    reach = 0.02 + 0.33 * behaviour.head
    return Motion(
        smile=behaviour.smile * (0.25 + 0.75 * smiles),
        brow=behaviour.brow * raises,
        # three times the bump, cut at 1: the lid stays shut for half of the blink
        eyes=1 - np.minimum(1, 3 * blinks),
        mouth=behaviour.speech * _speech(times_s, rng),
        yaw=reach * _wander(times_s, 0.35, rng),
        pitch=0.7 * reach * _wander(times_s, 0.5, rng),
        roll=0.5 * reach * _wander(times_s, 0.3, rng),
    )


def _bumps(
    times_s: Curve, rate_hz: float, length_s: tuple[float, float], rng: np.random.Generator
) -> Curve:
    """Place raised cosines, 0 to 1, one after another: each somewhere in its slot of 1 / rate."""
    curve = np.zeros_like(times_s)
    if rate_hz <= 0:
        return curve
    start_s = -rng.uniform(0, 1 / rate_hz)
    while start_s < len(times_s) / FPS:
        length = rng.uniform(*length_s)
        free_s = max(0.0, 1 / rate_hz - length)
        phase = (times_s - start_s - rng.uniform(0, free_s)) / length
        height = rng.uniform(0.75, 1)
        inside = (phase > 0) & (phase < 1)
        curve[inside] += height * np.sin(np.pi * phase[inside]) ** 2
        start_s += 1 / rate_hz
    return np.minimum(curve, 1)


def _speech(times_s: Curve, rng: np.random.Generator) -> Curve:
    """Syllables at 3 to 5 a second, in phrases with pauses."""
    syllable = rng.uniform(3, 5) * times_s + 0.4 * _wander(times_s, 0.8, rng)
    phrase = np.clip(0.6 + 1.2 * _wander(times_s, 0.4, rng), 0, 1)
    return phrase * (0.5 - 0.5 * np.cos(2 * np.pi * syllable + rng.uniform(0, 2 * np.pi)))


def _wander(times_s: Curve, rate_hz: float, rng: np.random.Generator) -> Curve:
    """Slow smooth movement about 0 with a standard deviation near 0.7: three unequal waves."""
    rates = rate_hz * rng.uniform([0.4, 0.8, 1.3], [0.8, 1.3, 2.0])
    phases = rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * rates * times_s[:, None] + phases)
    mixed: Curve = waves @ np.array([0.8, 0.5, 0.3])
    return mixed
