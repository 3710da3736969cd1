"""How a face looks: known sizes, blur and light."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emoclip_clinic.video.faces import Box
from emoclip_clinic.video.look import look

Frame = npt.NDArray[np.uint8]

WHOLE = Box(0, 0, 160, 160, 1)


def texture() -> Frame:
    """Draw smooth noise with edges of several sizes."""
    rng = np.random.default_rng(4)
    grey = sum(
        cv2.resize(rng.uniform(0, 60, (n, n)), (160, 160), interpolation=cv2.INTER_NEAREST)
        for n in (8, 20, 40)
    )
    return np.repeat(np.clip(grey + 30, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_size_is_that_of_the_box() -> None:
    """In the frame's pixels, whatever is in it, and beyond the frame too."""
    assert look(texture(), Box(10, 20, 90, 40, 1)).size_px == pytest.approx(60)
    assert look(texture(), Box(-80, 0, 160, 160, 1)).size_px == pytest.approx(160)


def test_more_blur_is_less_sharp() -> None:
    """By every step of the blur; and a face of one grey has no sharpness at all."""
    blurred = [cv2.GaussianBlur(texture(), (0, 0), sigma) for sigma in (0.5, 1, 2, 4, 8)]
    found = [look(texture(), WHOLE).sharpness, *(look(one, WHOLE).sharpness for one in blurred)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 10 * found[-1]
    assert look(np.full((160, 160, 3), 90, np.uint8), WHOLE).sharpness == 0


def test_sharpness_compares_between_resolutions() -> None:
    """A recording at twice the pixels shows the same face as sharp."""
    large = cv2.resize(texture(), (640, 640), interpolation=cv2.INTER_NEAREST)
    larger = cv2.resize(texture(), (1280, 1280), interpolation=cv2.INTER_NEAREST)
    one, other = (look(each, Box(0, 0, *each.shape[:2], 1)).sharpness for each in (large, larger))
    assert other == pytest.approx(one, rel=0.05)


def test_brightness_is_the_mean_grey() -> None:
    """Of the face alone; a darkened copy is darker by its factor."""
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[:, 100:] = 204
    assert look(frame, Box(100, 0, 100, 100, 1)).brightness == pytest.approx(0.8)
    light = look(texture(), WHOLE).brightness
    dark = look((texture() * 0.4).astype(np.uint8), WHOLE).brightness
    assert dark == pytest.approx(0.4 * light, abs=0.01)


def test_clipped_pixels_are_counted() -> None:
    """A quarter black and a quarter white: half of the face."""
    frame = np.full((112, 112, 3), 128, np.uint8)
    frame[:28], frame[84:] = 0, 255
    found = look(frame, Box(0, 0, 112, 112, 1))
    assert found.clipped == pytest.approx(0.5)


def test_what_lies_outside_the_frame_is_missing() -> None:
    """Nothing of it is known but the size; of a face at the edge, what is inside is looked at."""
    outside = look(texture(), Box(500, 500, 20, 20, 1))
    assert outside.size_px == 20
    assert all(math.isnan(value) for value in outside[1:])
    frame = np.full((100, 100, 3), 51, np.uint8)
    assert look(frame, Box(-50, 40, 100, 100, 1)).brightness == pytest.approx(0.2)
