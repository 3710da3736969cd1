"""The participant's face in each sampled frame, and what is known of its quality."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.encoder.looks import Looks
from emoclip_clinic.features import QUALITY_COLUMNS
from emoclip_clinic.segments import EncodingProtocol
from emoclip_clinic.video.faces import Box, FaceFinder, WholeFrame, crop_square, largest

__all__ = ["FACE", "UNREAD", "Crop", "FaceLog", "Place", "face_crops"]

Frame = npt.NDArray[np.uint8]

UNREAD, NO_FACE, FACE = 0, 1, 2
SEVERAL_FRACTION = 0.05
"""With other faces in more frames than this, the largest may not always be the participant's."""


class Place(NamedTuple):
    """Where a crop comes from: a detection, or interpolation between two."""

    position: int
    """Of the frame, in the plan."""
    before: int
    """Position of the detection at or before it."""
    after: int
    """Position of the detection at or after it."""

    def is_within(self, low: int, high: int) -> bool:
        """Whether both detections lie in a window from position `low` to `high`."""
        return low <= self.before and self.after <= high


@dataclass(frozen=True)
class Crop:
    """A square around a face."""

    place: Place
    pixels: Frame
    """uint8 (size, size, 3) RGB; the whole frame where recordings are face crops already."""


class FaceLog:
    """What was seen in each sampled frame.

    Parameters
    ----------
    n_samples
        Number of frames in the plan.
    times_s
        Presentation times of all frames of the recording; empty: not known.
    measured
        Whether it is measured how well the face is seen, which takes time.
    """

    def __init__(
        self, n_samples: int, times_s: npt.ArrayLike = (), *, measured: bool = True
    ) -> None:
        self.measured = measured
        self.seen = np.full(n_samples, UNREAD, dtype=np.int8)
        """UNREAD, NO_FACE or FACE, by position."""
        self.looks = Looks(n_samples, times_s)
        """How well the face was seen."""
        self._several = 0

    def note(self, position: int, boxes: list[Box]) -> Box | None:
        """Note a frame's faces; give the largest."""
        box = largest(boxes)
        self.seen[position] = NO_FACE if box is None else FACE
        self._several += len(boxes) > 1
        return box

    def table(self, recording: str) -> pd.DataFrame:
        """Quality of the recording, tidy: QUALITY_COLUMNS; a value is missing where no face was."""
        read, faces = int((self.seen != UNREAD).sum()), int((self.seen == FACE).sum())
        several = _ratio(self._several, read)
        rows = [
            ("face_fraction", _ratio(faces, read), "fraction", ""),
            ("several_faces", several, "fraction", "other faces" * (several > SEVERAL_FRACTION)),
            *self.looks.rows(),
        ]
        return pd.DataFrame(
            [
                (recording, measure, value, unit, "warn" if note else "ok", note)
                for measure, value, unit, note in rows
            ],
            columns=list(QUALITY_COLUMNS),
        )


def _ratio(total: float, n: int) -> float:
    return total / n if n else float("nan")


def face_crops(
    frames: Iterable[tuple[int, Frame]],
    finder: FaceFinder,
    protocol: EncodingProtocol,
    size: int,
    log: FaceLog,
) -> Iterator[Crop]:
    """Cut the largest face out of each frame, in order; frames without one give nothing.

    Over a gap of up to `bridge_frames` frames the face's place is interpolated between the
    detections on both sides; only the frames of such a gap are kept in memory.

    Parameters
    ----------
    frames
        Position in the plan, ascending, and pixels, uint8 (height, width, 3) RGB.
    finder
        The face detector.
    protocol
        `bridge_frames` and `face_margin` are used.
    size
        Height and width of a crop, px.
    log
        Notes what was seen.
    """
    before: tuple[int, Box] | None = None
    gap: list[tuple[int, Frame]] = []

    def cut(frame: Frame, box: Box, place: Place) -> Crop:
        whole = isinstance(finder, WholeFrame)
        pixels = frame if whole else crop_square(frame, box, protocol.face_margin, size)
        return Crop(place, pixels)

    for position, frame in frames:
        box = log.note(position, finder.find(frame))
        if log.measured:
            log.looks.note(position, frame, box, finder)
        if before is not None and position - before[0] - 1 > protocol.bridge_frames:
            # too far from the last detection, whatever comes
            before, gap = None, []
        if box is None:
            gap += [(position, frame)] * (before is not None)
            continue
        if before is not None:
            for missed, unseen in gap:
                place = Place(missed, before[0], position)
                yield cut(unseen, _between(before[1], box, place), place)
        yield cut(frame, box, Place(position, position, position))
        before, gap = (position, box), []


def _between(one: Box, other: Box, place: Place) -> Box:
    share = (place.position - place.before) / (place.after - place.before)
    # as any other place writes it: a crop's edge on half a pixel is rounded by the last bit
    x, y, w, h = (
        (1 - share) * getattr(one, side) + share * getattr(other, side) for side in "xywh"
    )
    return Box(x, y, w, h, 0.0)
