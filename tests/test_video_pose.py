"""Which way a head leans and turns: known points, and real faces turned by known angles."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emoclip_clinic.video.faces import Box, FaceFinder, Haar, WholeFrame, largest, load_face_finder
from emoclip_clinic.video.pose import Pose, pose, pose_of
from emoclip_clinic.video.reader import read_frames

Frame = npt.NDArray[np.uint8]


@pytest.mark.parametrize("angle", [-170, -40, 0, 25, 90])
def test_roll_is_the_angle_between_the_eyes(angle: int) -> None:
    """Positive where the right-hand eye is lower, wherever the nose is."""
    across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    found = pose_of((80, 80, 80 + 40 * across, 80 + 40 * down, 100, 100))
    assert found.roll_deg == pytest.approx(angle)


def test_yaw_is_the_nose_in_eye_distances() -> None:
    """0 in the middle, 0.5 below an eye, the same when the head leans, however low the nose."""
    assert pose_of((60, 60, 100, 60, 80, 85)).yaw == pytest.approx(0)
    assert pose_of((60, 60, 100, 60, 100, 85)).yaw == pytest.approx(0.5)
    assert pose_of((60, 60, 100, 60, 70, 85)).yaw == pytest.approx(-0.25)
    assert pose_of((60, 60, 60, 100, 40, 100)).yaw == pytest.approx(0.5)


def test_without_points_nothing_is_known() -> None:
    """Of other finders than YuNet, and of two eyes in one place."""
    frame = np.zeros((60, 60, 3), np.uint8)
    for finder in (WholeFrame(), Haar()):
        assert all(map(math.isnan, pose(finder, frame, Box(0, 0, 60, 60, 1))))
    assert all(map(math.isnan, pose_of((3.0,) * 10)))


def yunet(shared: Path) -> FaceFinder:
    return load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")


def real_face(shared: Path, name: str = "single_face.mp4") -> Frame:
    return next(read_frames(shared / "videos" / name, [10]))


def seen(finder: FaceFinder, frame: Frame) -> Box:
    box = largest(finder.find(frame))
    assert box is not None
    return box


def posed(finder: FaceFinder, frame: Frame) -> Pose:
    return pose(finder, frame, seen(finder, frame))


@pytest.mark.parametrize(
    "name", ["single_face.mp4", "WolfgangLanger_Pexels.mp4", "face_noface.mov"]
)
def test_a_real_face_leans_the_way_its_picture_is_turned(shared: Path, name: str) -> None:
    """The more it is turned about the face, the more it leans; by a third to four thirds of it."""
    finder, frame = yunet(shared), real_face(shared, name)
    box = seen(finder, frame)
    upright = posed(finder, frame).roll_deg
    centre = (box.x + box.w / 2, box.y + box.h / 2)
    angles, found = (-25, -12, 12, 25), []
    for angle in angles:
        # OpenCV's positive angle is anti-clockwise
        turn = cv2.getRotationMatrix2D(centre, -angle, 1)
        turned = cv2.warpAffine(frame, turn, frame.shape[1::-1], borderValue=(90, 90, 90))
        found.append(posed(finder, turned).roll_deg - upright)
    assert found == sorted(found)
    for angle, roll in zip(angles, found, strict=True):
        assert 1 / 3 < roll / angle < 4 / 3


def test_a_mirrored_real_face_turns_to_the_other_side(shared: Path) -> None:
    """Roll and yaw change their signs."""
    finder, frame = yunet(shared), real_face(shared)
    one, other = posed(finder, frame), posed(finder, np.ascontiguousarray(frame[:, ::-1]))
    assert other.roll_deg == pytest.approx(-one.roll_deg, abs=3)
    assert other.yaw == pytest.approx(-one.yaw, abs=0.08)


def test_landmarks_lie_in_the_frames_own_pixels(shared: Path) -> None:
    """Where the frame is shrunk for the detector, its points are scaled back into the box."""
    box = seen(yunet(shared), real_face(shared))
    x, y = np.reshape(box.landmarks, (5, 2)).T
    assert ((box.x < x) & (x < box.x + box.w)).all()
    assert ((box.y < y) & (y < box.y + box.h)).all()
    # eyes above nose above mouth
    assert max(y[:2]) < y[2] < min(y[3:])
    assert x[0] < x[1]
    assert x[3] < x[4]
