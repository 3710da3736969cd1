"""A frame as a player shows it: its pixels square, its top up, its range the ordinary one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emoclip_clinic.video.tones import HLG, PQ, ordinary

__all__ = [
    "MAX_ASPECT", "grey", "is_hdr", "is_mirrored", "rotation_deg", "shown_size", "upright",
]  # fmt: skip

Frame = npt.NDArray[np.uint8]

MAX_ASPECT = 4
"""No camera has pixels so wide or so high: a damaged header says so, and is not followed."""
LUMA = np.array([0.299, 0.587, 0.114])
"""What red, green and blue count in a grey level."""


def upright(frame: VideoFrame, stream: VideoStream) -> Frame:
    """Give a frame's pixels as shown: uint8 (height, width, 3), RGB."""
    pixels = _pixels(frame, stream, *shown_size(frame, stream))
    if is_mirrored(frame):
        pixels = pixels[:, ::-1]
    quarters = rotation_deg(frame, stream) // 90
    return np.ascontiguousarray(np.rot90(pixels, -quarters), np.uint8)


def grey(frame: VideoFrame, stream: VideoStream, width: int, height: int) -> Frame:
    """Give a frame's grey levels in another size, not turned: uint8 (height, width)."""
    if is_hdr(stream):
        return np.asarray(np.rint(_pixels(frame, stream, width, height) @ LUMA), np.uint8)
    return np.asarray(frame.reformat(width, height, "gray").to_ndarray(), np.uint8)


def _pixels(frame: VideoFrame, stream: VideoStream, width: int, height: int) -> Frame:
    if is_hdr(stream):
        fine = np.asarray(frame.reformat(width, height, "rgb48le").to_ndarray(), np.uint16)
        return ordinary(fine, stream.codec_context.color_trc)
    if (width, height) != (frame.width, frame.height):
        frame = frame.reformat(width, height, "rgb24")
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Give width and height with square pixels, before any turn; neither side becomes smaller."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        aspect = 1
    return round(frame.width * max(aspect, 1)), round(frame.height / min(aspect, 1))


def rotation_deg(frame: VideoFrame, stream: VideoStream) -> int:
    """Give the clockwise turn that shows the picture upright: 0, 90, 180 or 270.

    From the display matrix; else from the `rotate` tag that older files have. Other angles are
    rounded to a quarter turn. A picture that is mirrored as well is mirrored first.
    """
    _, _, c, d = _matrix(frame)
    degrees = math.degrees(math.atan2(-c, d))
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    tag = tags.get("rotate", "")
    if degrees == 0 and tag.lstrip("-").isdecimal():
        degrees = float(tag)
    return round(degrees / 90) * 90 % 360


def is_mirrored(frame: VideoFrame) -> bool:
    """Whether the display matrix exchanges left and right, as some front cameras do."""
    a, b, c, d = _matrix(frame)
    return a * d < b * c


def _matrix(frame: VideoFrame) -> tuple[int, ...]:
    """Give a, b, c, d: a stored pixel (x, y) is shown at (a x + c y, b x + d y)."""
    # PyAV declares it as another thing
    stored = cast(Mapping[Type, SideData], frame.side_data).get(Type.DISPLAYMATRIX)
    if stored is None:
        return 1, 0, 0, 1
    return tuple(np.frombuffer(bytes(stored), np.int32)[[0, 1, 3, 4]].tolist())


def is_hdr(stream: VideoStream) -> bool:
    """Whether the picture has a high dynamic range, as newer phones film."""
    return stream.codec_context.color_trc in (PQ, HLG)
