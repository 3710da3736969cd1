"""Find the faces in a frame, and cut out the square that an encoder sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.errors import EncoderError, SettingsError

__all__ = [
    "KINDS",
    "Box",
    "FaceFinder",
    "Haar",
    "WholeFrame",
    "YuNet",
    "crop_square",
    "largest",
    "load_face_finder",
]

Frame = npt.NDArray[np.uint8]

KINDS = ("yunet", "haar", "none")
DETECTION_PIXELS = 320
"""Faces are looked for in the frame at this long side: an interview's face is large in it."""
YUNET_MIN_SCORE = 0.6
YUNET_MAX_OVERLAP = 0.3
HAAR_STEP = 1.1
HAAR_NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class Box:
    """A face in a frame, in the frame's pixels; it may reach beyond the frame."""

    x: float
    """Left edge."""
    y: float
    """Upper edge."""
    w: float
    h: float
    score: float
    """The detector's own confidence: 0 to 1 for YuNet, unbounded for Haar, 1 for whole frames."""
    landmarks: tuple[float, ...] = ()
    """x and y of the eye on the picture's left, the other eye, the tip of the nose, and the corners
    of the mouth in the same order; empty where the detector gives none."""

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.w * self.h


class FaceFinder(Protocol):
    """Finds the faces in a frame: the same frame always gives the same boxes."""

    def find(self, frame: Frame) -> list[Box]:
        """Boxes of the faces in an RGB frame, uint8 (height, width, 3), in the detector's order."""
        ...


class YuNet:
    """YuNet, a small neural detector (Wu et al. 2023, doi:10.1007/s11633-023-1423-y).

    Parameters
    ----------
    model_path
        `face_detection_yunet_2023mar.onnx` of the OpenCV Zoo.
    """

    def __init__(self, model_path: Path) -> None:
        if not model_path.is_file():
            raise EncoderError(
                "the weights of the face detector are missing. Run 'emoclip-clinic weights fetch "
                "yunet', or choose --faces haar, which needs none."
            )
        size = (DETECTION_PIXELS, DETECTION_PIXELS)
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(model_path), "", size, YUNET_MIN_SCORE, YUNET_MAX_OVERLAP
            )
        except cv2.error as error:
            raise EncoderError(
                "the weights of the face detector are damaged. Run 'emoclip-clinic weights verify "
                "yunet', then fetch or import them again."
            ) from error

    def find(self, frame: Frame) -> list[Box]:
        """Find faces from about 5 % of the frame's long side on."""
        small, scale = _shrink(frame)
        self._detector.setInputSize((small.shape[1], small.shape[0]))
        # OpenCV's channels are blue first; a row is x, y, w, h, ten landmark coordinates, score
        _, rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        return [_scaled(row[:4], row[14], scale, row[4:14]) for row in rows]


class Haar:
    """OpenCV's own cascade of Haar features (Viola and Jones 2001), for upright frontal faces."""

    def __init__(self) -> None:
        if not hasattr(cv2, "CascadeClassifier"):
            raise EncoderError(
                f"OpenCV {cv2.__version__} has no Haar cascades any more. Install "
                "opencv-python-headless below 5, or choose --faces yunet."
            )
        folder = Path(cv2.__file__).parent / "data"
        self._cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))

    def find(self, frame: Frame) -> list[Box]:
        """Find faces from about 6 % of the frame's long side on."""
        small, scale = _shrink(frame)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        boxes, _, scores = self._cascade.detectMultiScale3(
            grey, HAAR_STEP, HAAR_NEIGHBOURS, outputRejectLevels=True
        )
        return [_scaled(box, score, scale) for box, score in zip(boxes, scores, strict=True)]


class WholeFrame:
    """For recordings that are face crops already: the whole frame is the face."""

    def find(self, frame: Frame) -> list[Box]:
        """Give one box: the frame."""
        height, width = frame.shape[:2]
        return [Box(0.0, 0.0, float(width), float(height), 1.0)]


def load_face_finder(kind: str, model_path: Path | None = None) -> FaceFinder:
    """Make the face finder that a setting names.

    Parameters
    ----------
    kind
        "yunet", "haar" or "none".
    model_path
        Weights of "yunet".

    Raises
    ------
    EncoderError
        The weights are missing or damaged.
    SettingsError
        There is no such kind.
    """
    if kind == "yunet":
        return YuNet(model_path or Path())
    if kind == "haar":
        return Haar()
    if kind == "none":
        return WholeFrame()
    raise SettingsError(f"faces = {kind!r} is unknown; allowed: {', '.join(KINDS)}")


def _shrink(frame: Frame) -> tuple[Frame, float]:
    """Shrink a frame to a long side of 320 pixels; give it and frame pixels per pixel of it."""
    height, width = frame.shape[:2]
    scale = max(height, width) / DETECTION_PIXELS
    if scale <= 1:
        return frame, 1.0
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    return _resized(frame, size, cv2.INTER_AREA), scale


def _resized(frame: Frame, size: tuple[int, int], interpolation: int) -> Frame:
    return np.asarray(cv2.resize(frame, size, interpolation=interpolation), dtype=np.uint8)


def _scaled(box: Any, score: Any, scale: float, landmarks: Any = ()) -> Box:
    x, y, w, h = (float(value) * scale for value in box)
    return Box(x, y, w, h, float(score), tuple(float(value) * scale for value in landmarks))


def largest(boxes: Sequence[Box]) -> Box | None:
    """Give the box of the largest area (of equal ones the first), or None if there is none."""
    return max(boxes, key=lambda box: box.area, default=None)


def crop_square(frame: Frame, box: Box, margin: float, size: int) -> Frame:
    """Cut a square around a face and scale it.

    Parameters
    ----------
    frame
        uint8 (height, width, 3).
    box
        The face.
    margin
        What is added on each side, as a share of the box's longer side: the square's side is
        max(w, h) * (1 + 2 * margin), its centre is the box's.
    size
        Side of the result, pixels.

    Returns
    -------
    numpy.ndarray
        uint8 (size, size, 3). Beyond the frame its edge is repeated. Shrunk by area averages,
        enlarged by linear interpolation.
    """
    side = max(1, round(max(box.w, box.h) * (1 + 2 * margin)))
    left = round(box.x + box.w / 2 - side / 2)
    top = round(box.y + box.h / 2 - side / 2)
    rows = np.clip(np.arange(top, top + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frame.shape[1] - 1)
    square = frame[rows][:, columns]
    return _resized(square, (size, size), cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
