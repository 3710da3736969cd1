"""Read chosen frames of a video, in order, upright, in constant memory.

Two libraries can read them: decord, and PyAV, which is always there and knows every container. Both
give the same pixels, to the last bit on every file measured: FFmpeg's fast conversion from YUV to
RGB with the file's own matrix (BT.601 where it names none) and range, chroma repeated rather than
interpolated. decord is only used for a file of 8 bits that it shows to read alike: the same number
of frames, at the same times, the same first frame. It counts the hidden frames of an edit list,
repeats frames that do not decode, and converts 10 bits otherwise. While its frames are used it
decodes on, up to the end of the file if the user is slow: it reads short recordings only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# before decord, whose own copy of zlib would make OpenCV read no PNG any more in this process
import cv2  # noqa: F401
import numpy as np
import numpy.typing as npt

from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.video.container import decode_frames, films, open_video
from emoclip_clinic.video.fields import whole
from emoclip_clinic.video.picture import is_hdr, placing, upright
from emoclip_clinic.video.probe import timestamps

try:
    import decord
except ImportError:
    # there is no wheel for some machines; PyAV reads everything that decord does
    decord = None
else:
    # what it cannot read is said by the error that it raises
    decord.logging.set_level(decord.logging.QUIET)

__all__ = ["BACKENDS", "read_frames"]

Frame = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

BACKENDS = ("auto", "decord", "pyav")
CHUNK_BYTES = 32 << 20
"""At most so much is read at once by decord, however large the frames are."""
CHUNK_FRAMES = 16
AHEAD_BYTES = 512 << 20
"""A recording whose frames take more than this is too long for decord."""
SAME_TIME_S = 5e-3
"""decord's times are float32: a millisecond after three hours."""
SAME_LEVEL = 2
"""Grey levels that rounding may put between two builds of FFmpeg."""

log = logging.getLogger(__name__)


class _UnfitError(Exception):
    """decord cannot read this file, or not as it is."""


def read_frames(
    path: Path,
    indices: Sequence[int] | npt.NDArray[np.int64],
    *,
    backend: str = "auto",
    times_s: FloatArray | None = None,
) -> Iterator[Frame]:
    """Read frames one by one.

    Parameters
    ----------
    path
        The video file.
    indices
        Which frames, counted from 0 over the frames that decode, in display order; increasing.
    backend
        "pyav", "decord" (an error where it is missing or unfit), or "auto": decord where it is
        there and fit, else PyAV.
    times_s
        What `timestamps` gave for the file; if it is not given, decord's check decodes the file
        once more.

    Yields
    ------
    numpy.ndarray
        uint8 (height, width, 3), RGB, as displayed: its pixels square, after rotation.

    Raises
    ------
    RecordingError
        The file cannot be read, or has fewer frames.
    SettingsError
        The backend is unknown, or the indices do not increase.
    """
    wanted = np.asarray(indices, dtype=np.int64)
    if (np.diff(wanted, prepend=-1) <= 0).any():
        raise SettingsError("frames are read forwards only: the indices must increase from 0 on")
    if backend not in BACKENDS:
        raise SettingsError(f"reader {backend!r} is unknown; allowed: {', '.join(BACKENDS)}")
    if backend == "pyav" or len(wanted) == 0:
        return _read_pyav(path, wanted)
    return _read_either(path, wanted, times_s, backend == "decord")


def _read_either(
    path: Path, wanted: npt.NDArray[np.int64], times_s: FloatArray | None, only: bool
) -> Iterator[Frame]:
    n_done = 0
    try:
        for frame in _read_decord(path, wanted, times_s):
            yield frame
            n_done += 1
    except _UnfitError as error:
        if only:
            raise RecordingError(f"decord does not read it: {error}") from error
        log.info("PyAV reads on from frame %d of those wanted: %s", n_done, error)
    if n_done < len(wanted):
        # not above, where the error would keep decord's reader alive
        yield from _read_pyav(path, wanted[n_done:])


def _read_pyav(path: Path, wanted: npt.NDArray[np.int64]) -> Iterator[Frame]:
    with open_video(path) as (container, stream):
        frames = enumerate(whole(decode_frames(container, stream), stream))
        n_frames, placed = 0, None
        for index in wanted:
            for n_frames, frame in frames:  # noqa: B007 # counts on over the loops
                if n_frames == index:
                    break
            else:
                raise RecordingError(f"frame {index} is wanted, but the last is {n_frames}")
            placed = placed or placing(frame, stream)
            yield upright(frame, stream, placed)


def _read_decord(
    path: Path, wanted: npt.NDArray[np.int64], times_s: FloatArray | None
) -> Iterator[Frame]:
    if decord is None:
        raise _UnfitError("decord is not installed")
    times_s = timestamps(path) if times_s is None else times_s
    if wanted[-1] >= len(times_s):
        raise RecordingError(f"frame {wanted[-1]} is wanted, but the last is {len(times_s) - 1}")
    try:
        truth = _first_frame(path, len(times_s))
        reader = decord.VideoReader(str(path.absolute()), num_threads=1)
        first = reader[0].asnumpy()
        _check_fit(reader, first, truth, times_s)
        n_chunk = min(CHUNK_FRAMES, max(1, CHUNK_BYTES // first.nbytes))
        for start in range(0, len(wanted), n_chunk):
            yield from reader.get_batch(wanted[start : start + n_chunk]).asnumpy()
    # decord raises its own error, or RuntimeError where the file does not open
    except (decord.DECORDError, RuntimeError) as error:
        raise _UnfitError(str(error).splitlines()[0]) from error


def _first_frame(path: Path, n_frames: int) -> Frame:
    """Read the first frame, and refuse what shows that decord must not even open the file."""
    with open_video(path) as (container, stream):
        frame = next(decode_frames(container, stream))
        placed = placing(frame, stream)
        first = upright(frame, stream, placed)
        n_streams = len(films(container))
    if placed.mirrored:
        raise _UnfitError("it turns a picture, but does not mirror it")
    if frame.format.components[0].bits > 8 or is_hdr(stream):
        raise _UnfitError("it converts more than 8 bits, and a high dynamic range, otherwise")
    if n_streams > 1:
        raise _UnfitError("it may choose another one of its pictures")
    if n_frames * first.nbytes > AHEAD_BYTES:
        raise _UnfitError("it would decode ahead of what is used, up to the whole recording")
    _check_key_frames(path)
    return first


def _check_key_frames(path: Path) -> None:
    """Refuse two fields in a frame, and a change of size: video calls adapt to the connection."""
    with open_video(path) as (container, stream):
        stream.codec_context.skip_frame = "NONKEY"
        sizes = set()
        for frame in decode_frames(container, stream):
            sizes.add((frame.width, frame.height))
            if frame.interlaced_frame:
                raise _UnfitError("it does not make whole pictures of fields")
    if len(sizes) > 1:
        raise _UnfitError("it gives every frame the size of the first")


def _check_fit(reader: Any, first: Frame, truth: Frame, times_s: FloatArray) -> None:
    if len(reader) != len(times_s):
        raise _UnfitError(f"it counts {len(reader)} frames, {len(times_s)} decode")
    shown_s = reader.get_frame_timestamp(np.arange(len(reader)))[:, 0]
    if np.abs(shown_s - shown_s[0] - times_s).max() > SAME_TIME_S:
        raise _UnfitError("it gives the frames other times")
    if truth.shape != first.shape:
        raise _UnfitError("it gives frames of another shape")
    if np.abs(truth.astype(np.int16) - first).max() > SAME_LEVEL:
        raise _UnfitError("it gives other pixels")
