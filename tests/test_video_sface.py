"""SFace: what can be said without its weights, which are not shipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emoclip_clinic import weights
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.pipeline.choosing import plain_choices
from emoclip_clinic.video.faces import Box, YuNet, crop_square, largest
from emoclip_clinic.video.sface import SFace


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    """The message has the command that helps."""
    path = tmp_path / "face_recognition_sface_2021dec.onnx"
    path.write_bytes(b"not weights")
    with pytest.raises(EncoderError, match="weights verify sface"):
        SFace(path, path)


def test_weights_that_were_not_verified_are_not_used(shared: Path, tmp_path: Path) -> None:
    """A file of that name and another content does not compare faces."""
    for name in ("sface", "yunet"):
        shutil.copy(
            shared / "weights" / "face_detection_yunet_2023mar.onnx",
            tmp_path / weights.find(name).filename,
        )
    assert weights.verify("sface", tmp_path).state == "damaged"
    assert plain_choices("photo.jpg", "yunet", tmp_path).recogniser == "image tower"


def flatten_onnx() -> bytes:
    """Write a network that gives its input, (1, 3, 112, 112), as one row: protocol buffers."""

    def number(field: int, value: int) -> bytes:
        return bytes([field << 3, value])

    def part(field: int, *content: bytes) -> bytes:
        inside = b"".join(content)
        # lengths are written in sevens of bits; none here needs three
        low, high = len(inside) & 127, len(inside) >> 7
        return bytes([field << 3 | 2, *([low | 128, high] if high else [low])]) + inside

    def tensor(field: int, name: bytes, *sides: int) -> bytes:
        shape = part(2, *(part(1, number(1, side)) for side in sides))
        return part(field, part(1, name), part(2, part(1, number(1, 1), shape)))

    node = part(1, part(1, b"x"), part(2, b"y"), part(4, b"Flatten"))
    graph = part(7, node, part(2, b"g"), tensor(11, b"x", 1, 3, 112, 112), tensor(12, b"y"))
    return number(1, 7) + part(8, number(2, 13)) + graph


def test_a_face_is_aligned_before_it_is_compared(shared: Path, tmp_path: Path) -> None:
    """With pixels for features, a picture that is turned gives nearly the same ones."""
    detector = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    model = tmp_path / "flatten.onnx"
    model.write_bytes(flatten_onnx())
    recogniser, finder = SFace(model, detector), YuNet(detector)
    with av.open(str(shared / "videos" / "single_face.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    height, width = frame.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -12, 1)
    turned = np.asarray(
        cv2.warpAffine(frame, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    vectors, plain = [], []
    for picture in (frame, turned):
        box = largest(finder.find(picture))
        assert box is not None
        vector = recogniser.embed(picture, box)
        assert vector is not None
        # 37,632 numbers, added up as float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
        vectors.append(vector)
        plain.append(crop_square(picture, box, 0, 112).ravel())
    assert np.corrcoef(vectors)[0, 1] > 0.9 > np.corrcoef(plain)[0, 1]
    assert recogniser.embed(frame, Box(0, 0, 40, 40, 1.0)) is None
