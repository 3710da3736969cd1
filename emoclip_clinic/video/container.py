"""Open a video file and decode it whatever is wrong with it: what probe and reader share."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emoclip_clinic.errors import AGAIN, DecoderError, RecordingError
from emoclip_clinic.video.memory import refuse_if_short

__all__ = ["Tally", "decode_frames", "films", "open_video", "packets"]

# only containers that hold recordings: a playlist that calls itself .mp4 must not open other files
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,asf,flv,ogg"
SIGNATURES = {"mp4 or mov": (4, b"ftyp"), "matroska": (0, b"\x1a\x45\xdf\xa3"), "avi": (8, b"AVI ")}


def _nobody_waits() -> None: ...


pulse: Callable[[], None] = _nobody_waits
"""Called for each packet: a process that decodes for another says by it that it goes on."""


@dataclass
class Tally:
    """What `decode_frames` met on its way, beside the frames it gave."""

    n_hidden: int = 0
    """Packets before the start that the file names (edit list): decoded, never shown."""
    damage_s: list[float] = field(default_factory=list)
    """Where a packet could not be read or decoded, in the stream's own seconds."""


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and choose the video stream that a player shows; no cover picture.

    Of several it is the one marked as the default, else the largest, else the first.

    Raises
    ------
    RecordingError
        The file is missing, empty, unreadable, not a video, or has sound only.
    """
    _check_file(path)
    try:
        container = av.open(
            # an absolute path is never taken for an address, whatever colons or dashes it has
            str(path.absolute()),
            metadata_errors="replace",
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"},
        )
    except av.error.FFmpegError as error:
        refuse_if_short()
        raise RecordingError(_why_not(path)) from error
    with container:
        streams = films(container)
        if not streams:
            sound = " (audio only)" if container.streams.audio else ""
            raise RecordingError(f"no video stream{sound}")
        stream = max(streams, key=_prominence)
        if stream.codec_context is None:
            raise RecordingError("no decoder for its codec")
        # threads by frame: which frames of a damaged file decode would depend on the cores
        stream.thread_type = "SLICE"
        yield container, stream


def films(container: InputContainer) -> list[VideoStream]:
    """List the video streams but those of a cover picture."""
    covers = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & covers]


def _prominence(stream: VideoStream) -> tuple[bool, int]:
    is_default = bool(stream.disposition & av.stream.Disposition.default)
    known = stream.codec_context is not None
    return is_default, stream.width * stream.height if known else 0


def _check_file(path: Path) -> None:
    # a named pipe would keep its reader waiting for ever
    if path.exists() and not path.is_file():
        raise RecordingError("not a regular file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise RecordingError(f"the file cannot be opened: {error.strerror}") from error
    if empty:
        raise RecordingError("empty file (zero bytes)")


def _check_there(path: Path) -> None:
    """Tell the end of a file from that of its drive, which FFmpeg does not always tell."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            file.read(1)
    except OSError as error:
        raise DecoderError(
            f"the file cannot be read any more: {error.strerror}; {AGAIN}"
        ) from error


def _why_not(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    for name, (start, mark) in SIGNATURES.items():
        if head[start : start + len(mark)] == mark:
            return f"truncated: its index is missing or damaged ({name})"
    return "not a video file"


def packets(
    container: InputContainer, stream: VideoStream, tally: Tally
) -> Iterator[Packet[VideoStream]]:
    """Read the stream's packets, in stored order, as far as the file can be read."""
    place_s = 0.0
    source = container.demux(stream)
    while True:
        try:
            packet = next(source)
        except (StopIteration, IndexError):
            # PyAV's own flushing trips over streams that appear late in an MPEG-TS
            break
        except av.error.FFmpegError:
            refuse_if_short(stream.width, stream.height)
            tally.damage_s.append(place_s)
            break
        pulse()
        # an empty packet is a dropped frame or PyAV's flushing
        if packet.size:
            place_s = place_s if packet.pts is None else float(packet.pts * packet.time_base)
            tally.n_hidden += packet.is_discard
            yield packet
    _check_there(Path(container.name))


def decode_frames(
    container: InputContainer, stream: VideoStream, tally: Tally | None = None
) -> Iterator[VideoFrame]:
    """Decode every frame that can be decoded, in display order; `tally` counts the rest."""
    tally = Tally() if tally is None else tally
    place_s = 0.0
    # nothing, as the last packet, gives the frames that the decoder still holds
    for packet in itertools.chain(packets(container, stream, tally), [None]):
        if packet is not None and packet.pts is not None:
            place_s = float(packet.pts * packet.time_base)
        try:
            frames = stream.decode(packet)
        except av.error.FFmpegError:
            refuse_if_short(stream.width, stream.height)
            tally.damage_s.append(place_s)
        else:
            yield from frames
