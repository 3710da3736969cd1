from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emoclip_clinic.demo.animation import (
    FPS,
    Behaviour,
    Motion,
    animate,
    random_behaviour,
    random_stills,
)
from emoclip_clinic.demo.captions import CLIP_WORDS, STILL_WORDS, caption, clip_levels, still_levels
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.people import random_camera, random_identity

SIZE_PX = 128


def pose(**curves: float) -> Motion:
    """One frame of a face at rest, but for what is given."""
    rest = {"smile": 0, "brow": 0, "eyes": 1, "mouth": 0, "yaw": 0, "pitch": 0, "roll": 0}
    return Motion(**{name: np.array([float(v)]) for name, v in {**rest, **curves}.items()})


def frame(motion: Motion, seed: int) -> np.ndarray:
    """One frame without noise, straight in the picture."""
    rng = np.random.default_rng(seed)
    identity, camera = random_identity(rng), random_camera(rng)
    camera = replace(camera, noise_sd=0.0, x=0.5, y=0.5)
    return next(film(identity, camera, motion, SIZE_PX, rng)).astype(int)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("moved", "rows"),
    [
        ({"smile": 1.0}, slice(50, 115)),  # eyes narrow, mouth and cheeks
        ({"mouth": 1.0}, slice(80, 115)),
        ({"eyes": 0.0}, slice(45, 70)),
        ({"brow": 1.0}, slice(10, 60)),
    ],
)
def test_an_expression_changes_its_own_part_of_the_face(
    seed: int, moved: dict[str, float], rows: slice
) -> None:
    """Whoever it is, what moves is seen where it belongs and nowhere else."""
    difference = np.abs(frame(pose(**moved), seed) - frame(pose(), seed)).max(axis=2)
    assert difference[rows].max() > 30
    difference[rows] = 0
    assert difference.max() == 0


def test_turning_moves_the_face_and_leaves_the_body() -> None:
    """A turn to the right shifts the middle of the face to the right; the chest stays."""
    still, turned = frame(pose(), 1), frame(pose(yaw=0.3), 1)
    assert np.abs(turned - still)[-3:, :20].max() == 0
    assert np.abs(turned - still)[40:90, 40:90].mean() > 5


def test_noise_and_light_are_the_cameras() -> None:
    """The sensor's noise has its standard deviation; the side light its gradient."""
    rng = np.random.default_rng(3)
    identity = replace(random_identity(rng), background=(120, 120, 120), haircut="bald")
    camera = replace(random_camera(rng), noise_sd=4.0, light=1.0, side_light=0.3, warmth=0.0)
    frames = np.stack(
        list(film(identity, camera, animate(random_behaviour(rng), 2, rng), 128, rng))
    )
    corner = frames[:, :20, :6].astype(float)
    assert corner.std(axis=0).mean() == pytest.approx(4, rel=0.15)
    ratio = frames[:, :8, -3:].mean() / frames[:, :8, :3].mean()
    assert ratio == pytest.approx(1.15 / 0.85, rel=0.03)


def test_a_seed_draws_the_same_film_again() -> None:
    """Two generators with one seed give equal pixels; people differ from seed to seed."""

    def drawn(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        motion = animate(random_behaviour(rng), 0.4, rng)
        frames = film(random_identity(rng), random_camera(rng), motion, SIZE_PX, rng)
        return np.stack(list(frames)).tobytes()

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(5)}) == 5


@pytest.mark.parametrize("per_min", [0, 12, 40])
def test_blinks_come_as_often_as_asked(per_min: float) -> None:
    """Counted where the eyes shut, over two minutes."""
    behaviour = Behaviour(smile=0, brow=0, blinks_per_min=per_min, head=0, speech=0)
    eyes = animate(behaviour, 120, np.random.default_rng(0)).eyes
    shut = eyes < 0.5
    blinks = np.count_nonzero(shut[1:] & ~shut[:-1])
    assert blinks == pytest.approx(2 * per_min, abs=2)
    assert len(eyes) == 120 * FPS


def test_strengths_bound_what_moves() -> None:
    """A smile is as high as its strength and no higher; strength 0 shows nothing."""
    rng = np.random.default_rng(0)
    behaviour = Behaviour(smile=0.6, brow=0, blinks_per_min=0, head=0.5, speech=0)
    motion = animate(behaviour, 60, rng)
    assert 0.5 < motion.smile.max() <= 0.6
    assert motion.brow.max() == 0 == motion.mouth.max()
    assert np.abs(motion.yaw).max() < 0.4
    assert len(motion[::4]) == len(motion) / 4


def test_captions_say_what_is_seen() -> None:
    """A still face and a lively one, in the words of the vocabulary."""
    still = Behaviour(smile=0, brow=0, blinks_per_min=0, head=0, speech=0)
    lively = Behaviour(smile=1, brow=1, blinks_per_min=40, head=1, speech=1)
    texts = [
        caption(CLIP_WORDS, clip_levels(animate(behaviour, 10, np.random.default_rng(0))))
        for behaviour in (still, lively)
    ]
    assert texts == [
        "no smile, still brows, no blinks, still head, closed mouth",
        "broad smile, raised brows, many blinks, lively head, talking mouth",
    ]
    levels = still_levels(pose(smile=0.3, eyes=0, yaw=0.2), 0)
    assert (
        caption(STILL_WORDS, levels) == "slight smile, still brows, shut eyes, closed mouth, right"
    )


def test_stills_show_every_expression() -> None:
    """Among random stills each level of each attribute occurs."""
    motion = random_stills(400, np.random.default_rng(0))
    for attribute, words in STILL_WORDS.items():
        found = {still_levels(motion, frame)[attribute] for frame in range(400)}
        assert found == set(range(len(words)))
