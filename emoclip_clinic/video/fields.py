"""Camcorders film the even and the odd rows of a picture at two moments: whole pictures of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import NamedTuple

import av
import av.error
import av.filter
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

__all__ = ["whole"]

FILTER = ("bwdif", "mode=send_frame")
"""Keeps the rows of the first field; those of the other are taken over where nothing moves, and
interpolated where something does. It sees the frame before and the one after."""


def whole(frames: Iterable[VideoFrame], stream: VideoStream) -> Iterator[VideoFrame]:
    """Make each frame that consists of two fields show one moment; others stay as they are.

    Parameters
    ----------
    frames
        All frames of the stream, from the first on: what becomes of one depends on its neighbours.

    Yields
    ------
    VideoFrame
        As many, in the same order; where they were changed, their times are not kept.
    """
    for form, alike in groupby(frames, _form):
        yield from _read(alike, form, stream)


class _Form(NamedTuple):
    """What is the same in all frames that one filter takes."""

    interlaced: bool
    width: int
    height: int
    pix_fmt: str


def _form(frame: VideoFrame) -> _Form:
    return _Form(frame.interlaced_frame, frame.width, frame.height, frame.format.name)


def _read(frames: Iterator[VideoFrame], form: _Form, stream: VideoStream) -> Iterator[VideoFrame]:
    if not form.interlaced:
        yield from frames
        return
    graph = av.filter.Graph()
    pix_fmt = av.VideoFormat(form.pix_fmt, form.width, form.height)
    source = graph.add_buffer(
        width=form.width, height=form.height, format=pix_fmt, time_base=stream.time_base
    )
    graph.link_nodes(source, graph.add(*FILTER), graph.add("buffersink")).configure()
    # nothing, as the last frame, gives the one that waits for its neighbour
    for frame in chain(frames, [None]):
        graph.vpush(frame)
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield graph.vpull()
