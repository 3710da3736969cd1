"""The participant's face in each sampled frame, and what is known of its quality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic.encoder.looks import Looks
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.flags import MEASURED_COLUMNS
from emoclip_clinic.video.faces import Box, FaceFinder, crop_square, largest

__all__ = [
    "FACE", "OTHER_FACE", "UNREAD", "Crop", "FaceLog", "Place", "Seen", "Watch", "face_crops",
    "largest_face",
]  # fmt: skip

Frame = npt.NDArray[np.uint8]

UNREAD, NO_FACE, FACE, OTHER_FACE = 0, 1, 2, 3


class Seen(NamedTuple):
    """The faces of a frame."""

    boxes: list[Box]
    """All of them."""
    own: Box | None
    """The participant's."""
    track: int = 0
    """Its track: over a gap between two tracks the face's place is not interpolated."""


Watch = Callable[[int, Frame], Seen]
"""Called as (position in the plan, frame): who is seen there."""


def largest_face(finder: FaceFinder) -> Watch:
    """Take the largest face of each frame, whoever that is."""

    def watch(position: int, frame: Frame) -> Seen:
        boxes = finder.find(frame)
        return Seen(boxes, largest(boxes))

    return watch


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
    finder
        With it, it is measured how well the face is seen, which takes time.
    """

    def __init__(
        self,
        n_samples: int,
        times_s: npt.ArrayLike = (),
        finder: FaceFinder | None = None,
    ) -> None:
        self._finder = finder
        self.seen = np.full(n_samples, UNREAD, dtype=np.int8)
        """UNREAD, NO_FACE, FACE (the participant's) or OTHER_FACE (others' only), by position."""
        self.looks = Looks(n_samples, times_s)
        """How well the face was seen."""
        self._several = 0

    def note(self, position: int, frame: Frame, seen: Seen) -> None:
        """Note a frame's faces."""
        others = OTHER_FACE if seen.boxes else NO_FACE
        self.seen[position] = others if seen.own is None else FACE
        self._several += len(seen.boxes) > 1
        if self._finder is not None:
            self.looks.note(position, frame, seen.own, self._finder)

    def table(self, recording: str, lead: float) -> pd.DataFrame:
        """Quality of the recording, tidy: MEASURED_COLUMNS; a value is missing where not known.

        Parameters
        ----------
        recording
            Its id.
        lead
            By how much a rule preferred the participant to somebody else.
        """
        read, faces = int((self.seen != UNREAD).sum()), int((self.seen == FACE).sum())
        rows = [
            ("face_fraction", _ratio(faces, read), "fraction"),
            ("several_faces", _ratio(self._several, read), "fraction"),
            ("participant_lead", lead, "fraction"),
            *self.looks.rows(),
        ]
        return pd.DataFrame([(recording, *row, "") for row in rows], columns=list(MEASURED_COLUMNS))


def _ratio(total: float, n: int) -> float:
    return total / n if n else float("nan")


def face_crops(
    frames: Iterable[tuple[int, Frame]],
    watch: Watch,
    protocol: EncodingProtocol,
    size: int,
    log: FaceLog,
    *,
    whole: bool = False,
) -> Iterator[Crop]:
    """Cut the participant's face out of each frame, in order; frames without it give nothing.

    Over a gap of up to `bridge_frames` frames the face's place is interpolated between the
    detections on both sides; only the frames of such a gap are kept in memory.

    Parameters
    ----------
    frames
        Position in the plan, ascending, and pixels, uint8 (height, width, 3) RGB.
    watch
        Tells whose faces are in a frame.
    protocol
        `bridge_frames` and `face_margin` are used.
    size
        Height and width of a crop, px.
    log
        Notes what was seen.
    whole
        Whether frames are face crops already.
    """
    before: tuple[int, Box, int] | None = None
    gap: list[tuple[int, Frame]] = []

    def cut(frame: Frame, box: Box, place: Place) -> Crop:
        pixels = frame if whole else crop_square(frame, box, protocol.face_margin, size)
        return Crop(place, pixels)

    for position, frame in frames:
        seen = watch(position, frame)
        log.note(position, frame, seen)
        box = seen.own
        if before is not None and position - before[0] - 1 > protocol.bridge_frames:
            # too far from the last detection, whatever comes
            before, gap = None, []
        if box is None:
            gap += [(position, frame)] * (before is not None)
            continue
        if before is not None and before[2] == seen.track:
            for missed, unseen in gap:
                place = Place(missed, before[0], position)
                yield cut(unseen, _between(before[1], box, place), place)
        yield cut(frame, box, Place(position, position, position))
        before, gap = (position, box, seen.track), []


def _between(one: Box, other: Box, place: Place) -> Box:
    share = (place.position - place.before) / (place.after - place.before)
    # as any other place writes it: a crop's edge on half a pixel is rounded by the last bit
    x, y, w, h = (
        (1 - share) * getattr(one, side) + share * getattr(other, side) for side in "xywh"
    )
    return Box(x, y, w, h, 0.0)
