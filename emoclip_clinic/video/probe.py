"""What is really in a video file: not what its header promises, but what decodes, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.clock import is_set_back, on_one_clock
from emoclip_clinic.video.container import Tally, decode_frames, films, open_video, packets
from emoclip_clinic.video.picture import Placing, grey, is_hdr, placing, shown_size

__all__ = ["Probe", "is_variable_rate", "probe", "timestamps"]

FloatArray = npt.NDArray[np.float64]

MIN_DECODED_SHARE = 0.5
"""A file of which less decodes is excluded."""
DEFAULT_RATE_HZ = 25.0
"""For files that name neither times nor a rate."""
JITTER_SHARE, JITTER_S = 0.1, 1.5e-3
"""Intervals this near the median are equal: a tenth, or what Matroska's milliseconds round."""
VARIABLE_SHARE = 0.01
"""Above this share of unequal intervals the rate is variable; below it, frames were dropped."""
GLANCE_EVERY_S = 1.0
GLANCE_WIDTH = 320


@dataclass(frozen=True, eq=False)
class Probe:
    """Facts of one video file."""

    container: str
    """FFmpeg's name for the family: "mov" (MP4 too), "matroska" (WebM too), "avi", "mpegts"."""
    codec: str
    width: int
    """As displayed: in square pixels, after rotation."""
    height: int
    rotation_deg: int
    """Clockwise turn from the stored to the displayed picture: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether left and right are exchanged before that turn."""
    pixel_aspect: float
    """Width of a stored pixel over its height; 1 is square."""
    has_audio: bool
    n_streams: int
    """Video streams; of several, the one marked as the default or the largest is read."""
    hdr: bool
    """Whether it has a high dynamic range (PQ or HLG)."""
    start_s: float
    """The first frame that decodes, after the start of the file as a player counts it."""
    duration_s: float
    """From the first frame to the last, and one median interval more."""
    n_frames_header: int | None
    """Frames that the container promises, where it says so."""
    n_frames_hidden: int
    """Promised frames that lie before the start that the file names (edit list)."""
    n_frames_decoded: int | None
    """None if only the first frame was decoded."""
    fps_mean: float
    usual_rate_hz: float
    """One over the median interval: a pause does not lower it."""
    variable_rate: bool
    times_s: FloatArray
    """(n_frames,) presentation times after the first frame's, which is 0, on one clock."""
    timed: bool
    """Whether the times are the file's own; else they are counted at the nominal rate."""
    n_disordered: int
    """Frames that the file does not present later than the frame before them, without those at
    which its clock was set back."""
    set_back_s: tuple[float, ...]
    """Times at which the file's clock was set back; from there on time is counted on."""
    damage_s: tuple[float, ...]
    """Times of the packets that cannot be read or decoded; the first corrupt place comes first."""
    interlaced_share: float
    brightness: float
    """Mean grey level, 0 to 255, of a frame a second: their median."""
    sharpness: float
    """Variance of the Laplacian, at 320 pixels wide, of a frame a second: their median."""


def probe(path: Path, decode: bool = True) -> Probe:
    """Look into a video file.

    Parameters
    ----------
    path
        The file.
    decode
        Decode every frame: the only way to know how many there are. Otherwise only the first
        frame is decoded, and the times are those that the container lists.

    Raises
    ------
    RecordingError
        The file cannot be used; the message is a short reason without names.
    """
    with open_video(path) as (container, stream):
        header = _read_header(container, stream)
        walk = _walk(container, stream, whole=decode)
    own_s = np.array(walk.times_s) if decode else _listed(path)
    if own_s is None:
        return probe(path)
    if not walk.times_s or not own_s.size:
        raise RecordingError("no frame decodes")
    timed = not np.isnan(own_s).any()
    if not timed:
        own_s = np.arange(len(own_s)) / header.rate_hz
    times_s, set_back_s = on_one_clock(own_s)
    interval_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    duration_s = float(times_s[-1]) + (interval_s or 1 / header.rate_hz)
    fps_mean = len(times_s) / duration_s
    if decode:
        _refuse_remnant(header, walk.tally.n_hidden, len(times_s), duration_s)
    turned = walk.placed.rotation_deg in (90, 270)
    return Probe(
        container=header.container,
        codec=header.codec,
        width=walk.height if turned else walk.width,
        height=walk.width if turned else walk.height,
        rotation_deg=walk.placed.rotation_deg,
        mirrored=walk.placed.mirrored,
        pixel_aspect=header.pixel_aspect,
        has_audio=header.has_audio,
        n_streams=header.n_streams,
        hdr=header.hdr,
        start_s=max(0.0, float(own_s[0]) - header.start_s) if timed else 0.0,
        duration_s=duration_s,
        n_frames_header=header.n_frames or None,
        n_frames_hidden=walk.tally.n_hidden,
        n_frames_decoded=len(times_s) if decode else None,
        fps_mean=fps_mean,
        usual_rate_hz=1 / interval_s if interval_s else fps_mean,
        variable_rate=is_variable_rate(times_s),
        times_s=times_s,
        timed=timed,
        n_disordered=max(0, int((np.diff(own_s) <= 0).sum()) - len(set_back_s)),
        set_back_s=set_back_s,
        damage_s=tuple(place - float(own_s[0]) for place in walk.tally.damage_s),
        interlaced_share=walk.n_interlaced / len(walk.times_s),
        brightness=float(np.median(walk.brightness)),
        sharpness=float(np.median(walk.sharpness)),
    )


def timestamps(path: Path, n_frames: int | None = None) -> FloatArray:
    """Presentation times of the frames that decode.

    Parameters
    ----------
    path
        The video file.
    n_frames
        How many frames decode, if that is known (recordings.csv): where the container lists as
        many times, these are taken without decoding.

    Returns
    -------
    numpy.ndarray
        float64 (n_frames,), seconds after the first frame, in display order.

    Raises
    ------
    RecordingError
        As `probe`.
    """
    if n_frames is not None:
        listed = _listed(path)
        if listed is not None and len(listed) == n_frames and (np.diff(listed) > 0).all():
            times_s: FloatArray = listed - listed[0]
            return times_s
    return probe(path).times_s


def is_variable_rate(times_s: FloatArray) -> bool:
    """Say whether more than 1 % of the intervals differ from the median by more than 10 %.

    Differences up to 1.5 ms do not count: Matroska rounds times to milliseconds. A few long
    intervals are dropped frames, not a variable rate.
    """
    steps = np.diff(times_s)
    if len(steps) == 0:
        return False
    median = np.median(steps)
    unequal = np.abs(steps - median) > max(JITTER_SHARE * median, JITTER_S)
    return bool(unequal.mean() > VARIABLE_SHARE)


def _listed(path: Path) -> FloatArray | None:
    """Presentation times of the packets that are shown, sorted; NaN where one has none.

    None where the clock was set back: in which order frames are shown then, decoding tells.
    """
    with open_video(path) as (container, stream):
        times = [
            np.nan if packet.pts is None else float(packet.pts * packet.time_base)
            for packet in packets(container, stream, Tally())
            if not packet.is_discard
        ]
    own_s = np.array(times, dtype=np.float64)
    return None if is_set_back(own_s) else np.sort(own_s)


@dataclass(frozen=True)
class _Header:
    """What the container says of itself."""

    container: str
    codec: str
    pixel_aspect: float
    has_audio: bool
    n_streams: int
    hdr: bool
    rate_hz: float
    n_frames: int
    start_s: float
    duration_s: float


def _read_header(container: InputContainer, stream: VideoStream) -> _Header:
    return _Header(
        container=container.format.name.split(",")[0],
        codec=stream.codec_context.codec.canonical_name,
        pixel_aspect=float(stream.sample_aspect_ratio or 1),
        has_audio=bool(container.streams.audio),
        n_streams=len(films(container)),
        hdr=is_hdr(stream),
        rate_hz=float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE_HZ),
        # AVI counts the ticks of its clock, those of dropped frames too
        n_frames=stream.frames if container.format.name != "avi" else 0,
        start_s=(container.start_time or 0) / av.time_base,
        duration_s=(container.duration or 0) / av.time_base,
    )


def _refuse_remnant(header: _Header, n_hidden: int, n: int, duration_s: float) -> None:
    """Exclude a file of which less than half decodes: of its frames, or else of its duration."""
    n_promised = header.n_frames - n_hidden
    if n_promised > 0 and n < MIN_DECODED_SHARE * n_promised:
        raise RecordingError(
            f"truncated: less than half of its frames decode ({n} of {n_promised})"
        )
    if header.n_frames == 0 and duration_s < MIN_DECODED_SHARE * header.duration_s:
        found = f"{duration_s:.1f} of {header.duration_s:.1f} s"
        raise RecordingError(f"truncated: less than half of its duration decodes ({found})")


@dataclass
class _Walk:
    """What is gathered frame by frame; its size grows with the frames' times only."""

    tally: Tally = field(default_factory=Tally)
    times_s: list[float] = field(default_factory=list)
    width: int = 0
    height: int = 0
    placed: Placing = field(default_factory=lambda: Placing(False, 0))
    n_interlaced: int = 0
    brightness: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)


def _walk(container: InputContainer, stream: VideoStream, whole: bool) -> _Walk:
    walk = _Walk()
    clock = stream.time_base or Fraction(1)
    next_glance_s = -np.inf
    for frame in decode_frames(container, stream, walk.tally):
        if not walk.times_s:
            walk.width, walk.height = shown_size(frame, stream)
            walk.placed = placing(frame, stream)
        # the clock is the stream's: frames that leave the decoder last do not know it
        time_s = np.nan if frame.pts is None else float(frame.pts * clock)
        # a frame without a time is looked at too
        if not time_s < next_glance_s:
            brightness, sharpness = _glance(frame, stream)
            walk.brightness.append(brightness)
            walk.sharpness.append(sharpness)
            next_glance_s = time_s + GLANCE_EVERY_S
        walk.times_s.append(time_s)
        walk.n_interlaced += frame.interlaced_frame
        if not whole:
            break
    return walk


def _glance(frame: VideoFrame, stream: VideoStream) -> tuple[float, float]:
    """Brightness and sharpness of a frame: mean, and variance of the Laplacian, of its grey."""
    width = GLANCE_WIDTH
    # the Laplacian needs three pixels each way
    height = max(3, round(frame.height * width / frame.width))
    levels = grey(frame, stream, width, height).astype(np.float64)
    inner = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float(levels.mean()), float((around - 4 * inner).var())
