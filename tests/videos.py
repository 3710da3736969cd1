"""Videos with a known truth for tests: each frame carries its number as black and white blocks."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

__all__ = [
    "frame_number", "numbered_frames", "wipe_frames", "write_audio", "write_matrix", "write_video",
]  # fmt: skip

Frame = npt.NDArray[np.uint8]

TICKS_PER_SECOND = 90_000
AUDIO_RATE_HZ = 16_000
BITS = 10
# clockwise turn -> the a, b, c, d of a movie's display matrix
MATRICES = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def numbered_frames(n: int, height: int = 96, width: int = 128) -> list[Frame]:
    """Frames (height, width, 3) on a coloured gradient, their number in a top row of 10 blocks."""
    rows, columns = np.mgrid[0:height, 0:width]
    gradient = np.stack(
        [255 * columns // width, 255 * rows // height, np.full_like(rows, 96)], axis=-1
    ).astype(np.uint8)
    frames = []
    for number in range(n):
        frame = gradient.copy()
        for bit in range(BITS):
            left, right = bit * width // BITS, (bit + 1) * width // BITS
            frame[: height // 4, left:right] = 255 * (number >> (BITS - 1 - bit) & 1)
        frames.append(frame)
    return frames


def frame_number(frame: Frame) -> int:
    """Read the number that `numbered_frames` drew, whatever compression did to it."""
    height, width = frame.shape[:2]
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    bits = ["1" if frame[height // 8, centre].mean() > 127 else "0" for centre in centres]
    return int("".join(bits), 2)


def write_video(
    path: Path,
    frames: Iterable[Frame],
    fps: float = 25.0,
    pts: Sequence[float] | None = None,
    codec: str = "libx264",
    rotation: int = 0,
    audio: bool = False,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write RGB frames (height, width, 3) as a video; the container follows from the suffix.

    `pts` are the frames' times in seconds (default: n / fps). `rotation` (mp4 and mov only) is the
    turn in degrees, clockwise, that a player makes to show the picture upright, as telephones
    write it. `audio` adds a second of sound. libx264 uses B-frames unless `options` say otherwise.
    """
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / rate if pts is None else Fraction(1, TICKS_PER_SECOND)
    with av.open(str(path), "w", container_options=container_options) as container:
        stream = None
        for number, pixels in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = pix_fmt
                stream.options = options or {}
                stream.codec_context.time_base = tick
                sound = container.add_stream("aac", rate=AUDIO_RATE_HZ) if audio else None
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = tick
            frame.pts = number if pts is None else round(pts[number] * TICKS_PER_SECOND)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())
            if sound is not None:
                _mux_silence(container, sound)
    if rotation:
        write_matrix(path, MATRICES[rotation])
    return path


def write_audio(path: Path) -> Path:
    """Write a second of silence: a file with sound and no picture."""
    with av.open(str(path), "w") as container:
        _mux_silence(container, container.add_stream("aac", rate=AUDIO_RATE_HZ))
    return path


def wipe_frames(path: Path, which: range) -> None:
    """Overwrite stored frames with zeros: exactly these cannot be decoded any more."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in which:
        start, size = places[number]
        content[start : start + size] = bytes(size)
    path.write_bytes(content)


def _mux_silence(
    container: av.container.OutputContainer, stream: av.audio.stream.AudioStream
) -> None:
    frame = av.AudioFrame.from_ndarray(
        np.zeros((1, AUDIO_RATE_HZ), np.float32), format="fltp", layout="mono"
    )
    frame.rate = AUDIO_RATE_HZ
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a, b, c, d into an mp4's header: (x, y) is shown at (a x + c y, b x + d y)."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    # after the name: version and flags 4, times and ids 20 (version 1: 32), reserved 8,
    # layer to volume 8, and the matrix of nine fixed-point numbers
    place = header + 4 + 4 + (32 if content[header + 4] else 20) + 8 + 8
    a, b, c, d = (65536 * value for value in matrix)
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
