"""Which of the people in a recording a photo shows.

SFace tells people apart where its weights are installed. An encoder's image tower was not made for
that: expressions may count more in it than who it is. So it must agree with the look of the face,
and where the two do not, nobody is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.encoder.participant import Read
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.faces import Box, FaceFinder, crop_square
from emoclip_clinic.video.looks import look
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.sface import SAME_PERSON, SFace

__all__ = ["Recogniser", "by_look", "choose_like", "image_tower", "sface"]

Frame = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

MARGIN = 0.2
FACES_COMPARED = 9
"""Of each person, spread over the recording."""
LEAST_SHARE = 0.05
"""Who is in view for less than this share of the time of who is in view longest is not compared."""


@dataclass(frozen=True)
class Recogniser:
    """How faces are compared."""

    embed: Callable[[Frame, Box], Vector | None]
    """Gives a vector of length 1 for the face in a box; None where it is not clear."""
    least: float
    """Cosine from which on a face can be the photo's."""
    lead: float
    """By how much the photo's must be above everybody else's."""


def sface(recogniser: SFace) -> Recogniser:
    """Compare by SFace, which was made to tell people apart."""
    return Recogniser(recogniser.embed, SAME_PERSON, 0.05)


def image_tower(encoder: VideoEncoder) -> Recogniser:
    """Compare by the encoder's image tower: it has no threshold, it finds who is most alike."""

    def embed(frame: Frame, box: Box) -> Vector:
        crop = crop_square(frame, box, MARGIN, encoder.image_size)
        with torch.inference_mode():
            vector = encoder.encode_frames(encoder.preprocess(crop[None]))[0]
        return _unit(vector.cpu().numpy().astype(np.float64))

    return Recogniser(embed, -1.0, 0.02)


def by_look() -> Recogniser:
    """Compare by colours in even light, and edges: again, it finds who is most alike."""
    return Recogniser(lambda frame, box: _unit(np.sqrt(look(frame, box)[1])), -1.0, 0.0)


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def choose_like(
    people: Sequence[Person],
    photo: Path,
    read: Read,
    finder: FaceFinder,
    recognisers: Sequence[Recogniser],
) -> Person:
    """Choose the person that a photo shows.

    Parameters
    ----------
    people
        Everyone seen in the recording, in the order of how long they are in view.
    photo
        A picture with one face.
    read
        Reads frames of the recording.
    finder
        Finds the face in the photo.
    recognisers
        Compare faces, and must agree.

    Raises
    ------
    RecordingError
        The photo cannot be read or has not one face, nobody looks like it, two people do, or
        recognisers do not agree.
    """
    frame, box = _photo(photo, finder)
    longest = len(people[0].positions)
    known = [one for one in people if len(one.positions) >= LEAST_SHARE * longest]
    found = [_most_alike(known, frame, box, read, one) for one in recognisers]
    if any(one is not found[0] for one in found):
        raise RecordingError(
            "the photo of the participant does not tell clearly who it is; with the weights sface "
            "it may"
        )
    return found[0]


def _most_alike(
    people: Sequence[Person], photo: Frame, box: Box, read: Read, recogniser: Recogniser
) -> Person:
    wanted = recogniser.embed(photo, box)
    if wanted is None:
        raise RecordingError("the face in the photo of the participant is not clear")
    likeness = _likeness(people, wanted, read, recogniser)
    ranked = sorted(people, key=lambda one: -likeness[one.number])
    best = likeness[ranked[0].number]
    if not best >= recogniser.least:
        raise RecordingError("nobody in view looks like the photo of the participant")
    if len(ranked) > 1 and best - likeness[ranked[1].number] < recogniser.lead:
        raise RecordingError("two people in view look equally like the photo of the participant")
    return ranked[0]


def _photo(path: Path, finder: FaceFinder) -> tuple[Frame, Box]:
    """Read a photo, and find the face in it."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise RecordingError("the photo of the participant cannot be read") from error
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if picture is None:
        raise RecordingError("the photo of the participant is no picture that can be read")
    frame = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    boxes = finder.find(frame)
    if not boxes:
        raise RecordingError("no face is found in the photo of the participant: give another")
    if len(boxes) > 1:
        raise RecordingError(
            f"{len(boxes)} faces are found in the photo of the participant: give one with one face"
        )
    return frame, boxes[0]


def _likeness(
    people: Sequence[Person], wanted: Vector, read: Read, recogniser: Recogniser
) -> dict[int, float]:
    """Median cosine of each person's faces with the photo; -inf where none is clear."""
    compared = {
        one.number: {seen.position: seen.box for seen in one.spread(FACES_COMPARED)}
        for one in people
    }
    positions = sorted({position for boxes in compared.values() for position in boxes})
    cosines: dict[int, list[float]] = {number: [] for number in compared}
    for position, frame in zip(positions, read(positions), strict=True):
        for number, boxes in compared.items():
            vector = recogniser.embed(frame, boxes[position]) if position in boxes else None
            if vector is not None:
                cosines[number].append(float(vector @ wanted))
    return {n: float(np.median(found)) if found else -np.inf for n, found in cosines.items()}
