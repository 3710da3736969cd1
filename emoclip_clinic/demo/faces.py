"""Drawn faces: a person, seen by a camera, in motion, becomes pixels.

A face is a list of polygons in face units: the origin between eyes and mouth, x to the image's
right, y down, the chin near y = 1. They lie on a bowl that turns with the head, so that a turn
moves the nose more than the ears, and are filled with anti-aliased edges at sub-pixel positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from emoclip_clinic.demo.animation import Motion
from emoclip_clinic.demo.people import Camera, Colour, Identity, mix

__all__ = ["film"]

Points = NDArray[np.float64]  # (n, 2) in face units

SUBPIXEL_BITS = 4
NOISE_FRAMES = 8  # a bank of camera noise, shifted at random a frame: drawing it anew costs most


class Shape(NamedTuple):
    colour: Colour
    points: Points
    stroke: float = 0.0  # line width in face units; 0 fills the polygon


def film(
    identity: Identity,
    camera: Camera,
    motion: Motion,
    size_px: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.uint8]]:
    """Draw one frame after another, uint8 (size_px, size_px, 3), red first."""
    light = _light(camera, size_px)
    bank = rng.normal(0, camera.noise_sd, (NOISE_FRAMES, size_px, size_px, 3)).astype(np.int16)
    shifts = rng.integers(size_px, size=(len(motion), 2))
    for index, (across, down) in enumerate(shifts):
        sharp = _draw(identity, camera, motion, index, size_px)
        blurred = cv2.GaussianBlur(sharp, (3, 3), camera.blur_px)
        lit = cv2.multiply(blurred, light, dtype=cv2.CV_16S)
        noise = np.roll(bank[index % NOISE_FRAMES], (down, across), axis=(0, 1))
        yield np.clip(lit + noise, 0, 255).astype(np.uint8)


def _light(camera: Camera, size_px: int) -> NDArray[np.float32]:
    across = np.linspace(-0.5, 0.5, size_px)
    gain = camera.light * (1 + camera.side_light * across)
    tint = np.array([1 + camera.warmth, 1, 1 - camera.warmth])
    field = np.broadcast_to(gain[None, :, None] * tint, (size_px, size_px, 3))
    return np.ascontiguousarray(field, dtype=np.float32)


def _draw(
    identity: Identity, camera: Camera, motion: Motion, index: int, size_px: int
) -> NDArray[np.uint8]:
    frame = np.empty((size_px, size_px, 3), dtype=np.uint8)
    frame[:] = identity.background
    smile, brow, eyes, mouth = (
        float(curve[index]) for curve in (motion.smile, motion.brow, motion.eyes, motion.mouth)
    )
    head = [
        *_behind(identity),
        *_eyes(identity, eyes, smile),
        *_brows(identity, brow),
        *_nose(identity),
        *_mouth(identity, smile, mouth),
        *_before(identity),
    ]
    turned = _turn(
        np.concatenate([shape.points for shape in head]),
        float(motion.yaw[index]),
        float(motion.pitch[index]),
        float(motion.roll[index]),
    )
    unit_px = camera.scale * size_px
    origin = np.array([camera.x, camera.y]) * size_px
    for shape in _body(identity):
        _paint(frame, shape, shape.points, unit_px, origin)
    start = 0
    for shape in head:
        stop = start + len(shape.points)
        _paint(frame, shape, turned[start:stop], unit_px, origin)
        start = stop
    return frame


def _turn(points: Points, yaw: float, pitch: float, roll: float) -> Points:
    """Points on a bowl of depth 0.8, after a turn, a nod and a lean."""
    across, down = points.T
    depth = 0.8 * np.sqrt(np.maximum(0, 1 - (across**2 + 0.7 * down**2)))
    across, depth = (
        across * np.cos(yaw) + depth * np.sin(yaw),
        depth * np.cos(yaw) - across * np.sin(yaw),
    )
    down = down * np.cos(pitch) + depth * np.sin(pitch)
    return np.stack(
        [
            across * np.cos(roll) - down * np.sin(roll),
            across * np.sin(roll) + down * np.cos(roll),
        ],
        axis=1,
    )


def _paint(
    frame: NDArray[np.uint8], shape: Shape, points: Points, unit_px: float, origin: Points
) -> None:
    scaled = np.rint((points * unit_px + origin) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    if shape.stroke:
        width = max(1, round(shape.stroke * unit_px))
        cv2.polylines(frame, [scaled], False, shape.colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
    else:
        cv2.fillPoly(frame, [scaled], shape.colour, cv2.LINE_AA, SUBPIXEL_BITS)


@lru_cache
def _body(who: Identity) -> tuple[Shape, ...]:
    neck = np.array([[-0.36, 0.55], [0.36, 0.55], [0.42, 1.3], [-0.42, 1.3]])
    return (
        Shape(mix(who.skin, (0, 0, 0), 0.22), neck),
        Shape(who.clothes, _oval(0, 1.72, 1.35, 0.62)),
    )


@lru_cache
def _behind(who: Identity) -> tuple[Shape, ...]:
    """Hair behind the head, ears, the face's outline, the beard."""
    shapes = []
    if who.haircut == "long":
        fall = np.array([[-0.98, 1.05], [-1, -0.1], [1, -0.1], [0.98, 1.05]])
        shapes += [Shape(who.hair, fall * [who.face_width / 0.78, 1])]
    if who.haircut != "bald":
        shapes += [Shape(who.hair, _oval(0, -0.25, who.face_width * 1.16, 0.92))]
    if who.haircut == "curly":
        for angle in np.linspace(-np.pi, 0, 9):
            x, y = who.face_width * 1.1 * np.cos(angle), 0.85 * np.sin(angle) - 0.2
            shapes += [Shape(who.hair, _oval(x, y, 0.26, 0.26))]
    shade = mix(who.skin, (60, 20, 10), 0.15)
    shapes += [Shape(shade, _oval(side * who.face_width, 0.02, 0.11, 0.2)) for side in (-1, 1)]
    shapes += [Shape(who.skin, _outline(who))]
    if who.beard:
        outline = _outline(who)
        lower = outline[outline[:, 1] > 0.3]
        inner = _oval(0, 0.3, who.face_width * 0.72, 0.3, 0, np.pi)
        shapes += [Shape(mix(who.hair, who.skin, 0.25), np.concatenate([lower, inner[::-1]]))]
    return tuple(shapes)


@lru_cache
def _before(who: Identity) -> tuple[Shape, ...]:
    """Hair over the forehead, and glasses."""
    shapes = []
    if who.haircut != "bald":
        hairline = -0.5 if who.haircut == "fringe" else -0.72
        top = _oval(0, -0.25, who.face_width * 1.1, 0.88, np.pi, 2 * np.pi)
        edge = _oval(0, -0.3, who.face_width * 0.96, abs(hairline + 0.3), 2 * np.pi, np.pi)
        shapes += [Shape(who.hair, np.concatenate([top, edge]))]
    if who.glasses:
        frame: Colour = (40, 36, 40)
        x, y, radius = who.eye_distance, -0.12, who.eye_size * 1.5
        shapes += [Shape(frame, _oval(s * x, y, radius, radius * 0.9), 0.035) for s in (-1, 1)]
        shapes += [Shape(frame, np.array([[radius - x, y], [x - radius, y]]), 0.035)]
        for side in (-1, 1):
            ends = [[side * (x + radius), y], [side * who.face_width, y - 0.04]]
            shapes += [Shape(frame, np.array(ends), 0.03)]
    return tuple(shapes)


def _outline(who: Identity) -> Points:
    angle = np.linspace(0, 2 * np.pi, 60)
    x, y = np.cos(angle), np.sin(angle)
    # below the ears the sides stay wide (a square jaw) or run together (a pointed chin)
    taper = 1 - (0.30 - 0.28 * who.jaw) * np.clip(y, 0, 1) ** 1.5
    return np.stack([who.face_width * x * taper, 1.02 * y], axis=1)


def _eyes(who: Identity, openness: float, smile: float) -> list[Shape]:
    """White, iris and pupil, then skin over what the lids cover: a smile lifts the lower lid."""
    size, y = who.eye_size, -0.12
    height = 0.62 * size
    shade = mix(who.skin, (60, 20, 10), 0.28)
    lash = mix(who.skin, (20, 10, 10), 0.8)
    shapes = []
    for x in (-who.eye_distance, who.eye_distance):
        u = np.linspace(-1, 1, 9)
        arch = 1 - u**2
        upper = np.stack([x + size * u, y + height * arch * (1 - 1.8 * openness)], axis=1)
        lower = np.stack([x + size * u, y + height * arch * (0.8 - 0.4 * smile)], axis=1)
        upper[:, 1] = np.minimum(upper[:, 1], lower[:, 1])
        over = _oval(x, y, size * 1.12, height * 1.5, np.pi, 2 * np.pi)
        under = _oval(x, y, size * 1.12, height * 1.35, np.pi, 0)
        shapes += [
            Shape((244, 242, 240), _oval(x, y, size, height)),
            Shape(who.iris, _oval(x, y - 0.004, 0.07, 0.07)),
            Shape((12, 10, 10), _oval(x, y - 0.004, 0.03, 0.03)),
            Shape(shade, np.concatenate([over, upper[::-1]])),
            Shape(who.skin, np.concatenate([under, lower[::-1]])),
            Shape(lash, upper, 0.03),
        ]
    return shapes


def _brows(who: Identity, raised: float) -> list[Shape]:
    colour = mix(who.hair, (30, 20, 15), 0.4)
    u = np.linspace(-1, 1, 9)
    shapes = []
    for side in (-1, 1):
        x = side * who.eye_distance + 0.19 * u
        # the outer end hangs a little; raising lifts the arch more than the ends
        y = -0.12 - who.brow_height - 0.05 * (1 - u**2) * (1 + raised) + 0.02 * side * u
        y -= 0.16 * raised
        thick = 0.5 * who.brow_thickness * (1.15 - 0.5 * u * side)
        shapes += [Shape(colour, _between(x, y - thick, y + thick))]
    if raised > 0.35:
        crease = mix(who.skin, (60, 20, 10), 0.3 * raised)
        for y_line in (-0.56, -0.63):
            line = np.stack([0.36 * u, y_line - 0.02 * (1 - u**2)], axis=1)
            shapes += [Shape(crease, line, 0.015)]
    return shapes


@lru_cache
def _nose(who: Identity) -> tuple[Shape, ...]:
    dark = mix(who.skin, (60, 20, 10), 0.35)
    light = mix(who.skin, (255, 255, 255), 0.16)
    tip = -0.08 + who.nose_length
    bridge = np.array([[-0.05, -0.1], [0.05, -0.1], [0.07, tip], [-0.07, tip]])
    side = np.array([[0.055, -0.08], [0.1, tip - 0.03], [0.03, tip + 0.04]])
    wings = np.array(
        [[-0.1, tip - 0.01], [-0.05, tip + 0.04], [0.05, tip + 0.04], [0.1, tip - 0.01]]
    )
    return Shape(light, bridge), Shape(dark, side, 0.02), Shape(dark, wings, 0.03)


def _mouth(who: Identity, smile: float, opened: float) -> list[Shape]:
    """Lips about a gap, teeth in it; a smile widens, lifts the corners and folds the cheeks."""
    u = np.linspace(-1, 1, 15)
    arch = 1 - u**2
    half = who.mouth_width * (1 + 0.45 * smile - 0.12 * opened)
    x = half * u
    line = 0.52 - 0.19 * smile * u**2 + 0.06 * smile * arch
    gap = 0.24 * opened + 0.12 * max(0.0, smile - 0.35)
    upper, lower = line - 0.2 * gap * arch, line + 0.8 * gap * arch
    lips = mix(who.skin, (170, 50, 60), 0.5)
    shapes = [
        Shape(lips, _between(x, upper - 0.055 * arch, lower + 0.075 * arch)),
        Shape((58, 16, 20), _between(x, upper, lower + 0.008 * arch)),
    ]
    if gap > 0.03:
        shapes += [Shape((240, 236, 228), _between(x, upper, upper + 0.55 * gap * arch))]
    shapes += [Shape(mix(lips, (20, 0, 0), 0.6), np.stack([x, upper], axis=1), 0.02)]
    if smile > 0.15:
        fold = mix(who.skin, (60, 20, 10), 0.35 * smile)
        for side in (-1, 1):
            bow = side * (half + 0.07 + 0.05 * arch)
            shapes += [Shape(fold, np.stack([bow, 0.34 + 0.16 * u], axis=1), 0.025)]
    return shapes


def _between(x: Points, top: Points, bottom: Points) -> Points:
    return np.stack([np.r_[x, x[::-1]], np.r_[top, bottom[::-1]]], axis=1)


def _oval(
    x: float,
    y: float,
    half_width: float,
    half_height: float,
    start: float = 0,
    stop: float = 2 * np.pi,
) -> Points:
    angle = np.linspace(start, stop, 24)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)
