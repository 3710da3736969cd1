"""Clips as datasets release them: a video, or a folder of frames that are images.

A video is decoded in a process of its own: one that crashes its decoder costs its own row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.isolated import read_frames, timestamps

__all__ = ["count_frames", "list_images", "n_missing", "read_clip", "read_image"]

Frame = npt.NDArray[np.uint8]

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
NUMBER = re.compile(r"(\d+)")


def list_images(folder: Path) -> list[Path]:
    """List a folder's images in the order of the numbers in their names: 2.jpg before 10.jpg.

    Raises
    ------
    RecordingError
        The folder is missing, cannot be read or holds no image.
    """
    try:
        images = [path for path in folder.iterdir() if _is_image(path)]
    except OSError as error:
        raise RecordingError(f"the folder cannot be opened: {error.strerror}") from error
    if not images:
        raise RecordingError("no frame in its folder")
    return sorted(images, key=lambda path: _natural(path.stem))


def _is_image(path: Path) -> bool:
    # what a Macintosh puts beside a file begins with a point
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in NUMBER.split(name)]


def n_missing(images: Sequence[Path]) -> int:
    """Count the gaps: numbers between the first and the last that no image has."""
    numbers = {int(found[-1]) for image in images if (found := NUMBER.findall(image.stem))}
    return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


def count_frames(path: Path) -> int:
    """Count the frames of a clip; a video is decoded for it.

    Raises
    ------
    RecordingError
        It is missing, holds no frame, or is no video.
    DecoderError
        Its decoder crashed, or took too long or too much memory.
    """
    return len(list_images(path)) if path.is_dir() else len(timestamps(path))


def read_clip(path: Path, positions: Sequence[int]) -> list[Frame]:
    """Read frames of a clip.

    Parameters
    ----------
    path
        A video, or a folder of frames.
    positions
        Counted from 0 over the frames that there are, in any order; a frame may occur again.

    Returns
    -------
    list of numpy.ndarray
        uint8 (height, width, 3), RGB, in the order of `positions`; crops may differ in size.

    Raises
    ------
    RecordingError
        A frame does not decode, or there are fewer.
    DecoderError
        As for `count_frames`.
    """
    wanted = sorted(set(positions))
    if path.is_dir():
        images = list_images(path)
        if wanted and wanted[-1] >= len(images):
            raise RecordingError(f"frame {wanted[-1]} is wanted, but the last is {len(images) - 1}")
        read = [read_image(images[position]) for position in wanted]
    else:
        read = list(read_frames(path, wanted))
    by_position = dict(zip(wanted, read, strict=True))
    return [by_position[position] for position in positions]


def read_image(path: Path) -> Frame:
    """Read an image, uint8 (height, width, 3), RGB.

    Raises
    ------
    RecordingError
        It is empty or does not decode.
    """
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise RecordingError(f"frame {path.name} cannot be opened: {error.strerror}") from error
    if not content.size:
        raise RecordingError(f"frame {path.name} is empty (zero bytes)")
    # cv2 decodes bytes whatever letters the path has
    pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)
    if pixels is None:
        raise RecordingError(f"frame {path.name} does not decode")
    return np.ascontiguousarray(pixels[:, :, ::-1], dtype=np.uint8)
