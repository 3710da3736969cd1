"""Boxes around faces, and the square cut out of a frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import EncoderError, SettingsError
from emoclip_clinic.video.faces import Box, Haar, crop_square, largest, load_face_finder


def coordinates(height: int, width: int) -> np.ndarray:
    """Draw a frame whose red is the row, green the column and blue 7."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, np.full_like(rows, 7)], axis=-1).astype(np.uint8)


def drawn_face(height: int, width: int, x: int, y: int, size: int) -> np.ndarray:
    """Draw a grey face on a dark ground, `size` high: head, eyes under brows, nose, mouth."""
    frame = np.full((height, width, 3), 60, np.uint8)
    centre = (x, y)

    def oval(dx: float, dy: float, rx: float, ry: float, level: int) -> None:
        place = (int(centre[0] + dx * size), int(centre[1] + dy * size))
        cv2.ellipse(frame, place, (int(rx * size), int(ry * size)), 0, 0, 360, [level] * 3, -1)

    oval(0, 0, 0.4, 0.5, 190)
    for side in (-1, 1):
        oval(side * 0.17, -0.14, 0.11, 0.025, 50)
        oval(side * 0.17, -0.06, 0.09, 0.045, 80)
    oval(0, 0.08, 0.04, 0.1, 215)
    oval(0, 0.17, 0.07, 0.02, 110)
    oval(0, 0.28, 0.15, 0.035, 80)
    return cv2.GaussianBlur(frame, (0, 0), size / 60)


def test_a_square_inside_the_frame_is_cut_exactly() -> None:
    """Without margin and at its own size the crop is the box."""
    crop = crop_square(coordinates(100, 120), Box(30, 20, 40, 40, 1), 0, 40)
    assert np.array_equal(crop, coordinates(100, 120)[20:60, 30:70])


def test_the_longer_side_and_the_margin_make_the_square() -> None:
    """A box of 20 x 40 with a margin of 25 % gives a square of 60 around the same centre."""
    crop = crop_square(coordinates(100, 120), Box(50, 30, 20, 40, 1), 0.25, 60)
    assert np.array_equal(crop, coordinates(100, 120)[20:80, 30:90])


def test_beyond_the_frame_its_edge_is_repeated() -> None:
    """A face at the border keeps its scale and centre."""
    crop = crop_square(coordinates(100, 120), Box(-20, 70, 50, 50, 1), 0, 50)
    assert (crop[:, :20, 1] == 0).all()
    assert crop[0, 20:, 1].tolist() == list(range(30))
    assert (crop[30:, :, 0] == 99).all()


def test_a_box_outside_the_frame_is_the_nearest_edge() -> None:
    """Nothing fails where a detector guesses beyond the picture."""
    crop = crop_square(coordinates(100, 120), Box(500, 500, 10, 10, 1), 0.2, 8)
    assert (crop == [99, 119, 7]).all()


def test_shrinking_averages() -> None:
    """A fine checkerboard becomes its mean: no pattern is made that was not there."""
    board = np.indices((64, 64)).sum(axis=0) % 2 * 200
    frame = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    assert (crop_square(frame, Box(0, 0, 64, 64, 1), 0, 16) == 100).all()


@given(
    box=st.builds(
        Box,
        x=st.floats(-50, 150),
        y=st.floats(-50, 150),
        w=st.floats(0, 200),
        h=st.floats(0, 200),
        score=st.just(1.0),
    ),
    margin=st.floats(0, 1),
    size=st.integers(1, 64),
)
def test_any_box_gives_a_square(box: Box, margin: float, size: int) -> None:
    """The crop has the size asked for, and only colours of the frame."""
    crop = crop_square(coordinates(40, 60), box, margin, size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    assert crop[..., 0].max() <= 39
    assert crop[..., 1].max() <= 59


def test_the_largest_face() -> None:
    """The area counts; of equal ones the first; of none none."""
    small, large, equal = Box(0, 0, 5, 5, 0.9), Box(0, 0, 9, 4, 0.5), Box(1, 1, 4, 9, 0.8)
    assert largest([small, large, equal]) is large
    assert largest([]) is None


def test_the_whole_frame_is_a_face() -> None:
    """For recordings that are crops already."""
    finder = load_face_finder("none")
    assert finder.find(np.zeros((40, 60, 3), np.uint8)) == [Box(0, 0, 60, 40, 1)]


@pytest.mark.parametrize(("scale", "x", "y"), [(1, 110, 120), (4, 700, 480)])
def test_haar_finds_a_drawn_face(scale: int, x: int, y: int) -> None:
    """The box lies around the face, in the frame's own pixels whatever the frame's size."""
    frame = drawn_face(240 * scale, 320 * scale, x, y, 140 * scale)
    box = largest(Haar().find(frame))
    assert box is not None
    assert box.x + box.w / 2 == pytest.approx(x, abs=15 * scale)
    assert box.y + box.h / 2 == pytest.approx(y, abs=15 * scale)
    assert box.w == pytest.approx(115 * scale, abs=35 * scale)


def test_haar_finds_nothing_in_noise() -> None:
    """No face, no box."""
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert Haar().find(noise) == []


def test_unknown_finders_are_refused() -> None:
    """The message has the allowed words."""
    with pytest.raises(SettingsError, match="allowed: yunet, haar, none"):
        load_face_finder("mediapipe")


def test_weights_that_are_missing_or_damaged_are_said(tmp_path: Path) -> None:
    """The message has the command that brings them."""
    with pytest.raises(EncoderError, match="weights fetch yunet"):
        load_face_finder("yunet")
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"no network at all")
    with pytest.raises(EncoderError, match="damaged"):
        load_face_finder("yunet", path)
