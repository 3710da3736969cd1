"""A frame as a player shows it: its pixels square, its top up, its range the ordinary one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emoclip_clinic.video.tones import HLG, PQ, ordinary

__all__ = [
    "MAX_ASPECT", "Placing", "grey", "is_hdr", "placing", "shown_size", "upright",
]  # fmt: skip

Frame = npt.NDArray[np.uint8]

MAX_ASPECT = 4
"""No camera has pixels so wide or so high: a damaged header says so, and is not followed."""
LUMA = np.array([0.299, 0.587, 0.114])
"""What red, green and blue count in a grey level."""


class Placing(NamedTuple):
    """How a stored picture is placed to be seen: mirrored, where it is, and then turned."""

    mirrored: bool
    """Whether left and right are exchanged, as some front cameras do."""
    rotation_deg: int
    """Clockwise: 0, 90, 180 or 270."""


def upright(frame: VideoFrame, stream: VideoStream, placing: Placing) -> Frame:
    """Give a frame's pixels as shown: uint8 (height, width, 3), RGB."""
    pixels = _pixels(frame, stream, *shown_size(frame, stream))
    if placing.mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, -(placing.rotation_deg // 90)), np.uint8)


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


def placing(frame: VideoFrame, stream: VideoStream) -> Placing:
    """Say how the frames of a stream are placed, by one of them.

    From the display matrix; else from the `rotate` tag that older files have. Other angles are
    rounded to a quarter turn. To be asked once: a frame that was asked is freed late by Python.
    """
    a, b, c, d = _matrix(frame)
    degrees = math.degrees(math.atan2(-c, d))
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    tag = tags.get("rotate", "")
    if degrees == 0 and tag.lstrip("-").isdecimal():
        degrees = float(tag)
    return Placing(a * d < b * c, round(degrees / 90) * 90 % 360)


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
