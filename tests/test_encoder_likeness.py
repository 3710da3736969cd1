"""Whom a photo shows: the person, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emoclip_clinic.encoder.likeness import Recogniser, by_look, choose_like
from emoclip_clinic.encoder.participant import find_people
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.faces import Box
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.sface import SAME_PERSON
from tests.two_people import SIDE_PX, Halves, drawn, side_by_side

Frame = npt.NDArray[np.uint8]

N = 12
ONE, OTHER = drawn(0, N), drawn(1, N)
BOTH = side_by_side(ONE, OTHER)


def who(frame: Frame, box: Box) -> int:
    """Tell by the wall behind them whom a box shows: it is each one's own."""
    left = round(box.x - 0.25 * SIDE_PX)
    walls = np.stack([ONE[0][0, 0], OTHER[0][0, 0]]).astype(float)
    return int(np.abs(walls - frame[0, left]).sum(axis=1).argmin())


def knowing(cosine_of_others: float) -> Recogniser:
    """Make what knows everybody, as SFace does: one's cosine is 1, another's as given."""
    own = np.eye(2)
    away = np.array([cosine_of_others, np.sqrt(1 - cosine_of_others**2)])
    return Recogniser(lambda frame, box: own[0] if not who(frame, box) else away, SAME_PERSON, 0.05)


def chosen(
    film: Sequence[Frame], photo: Frame, folder: Path, *recognisers: Recogniser
) -> tuple[Person, tuple[Person, ...]]:
    path = folder / "photo.png"
    path.write_bytes(cv2.imencode(".png", photo[..., ::-1])[1].tobytes())

    def read(positions: Sequence[int]) -> Iterator[Frame]:
        return (film[position] for position in positions)

    people = find_people(enumerate(film), Halves(), EncodingProtocol(), len(film))
    return choose_like(people, path, read, Halves(), recognisers), people


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("make", [by_look, lambda: knowing(0.2)])
def test_of_two_it_is_the_one_in_the_photo(
    tmp_path: Path, side: int, make: Callable[[], Recogniser]
) -> None:
    """With a threshold and without."""
    person, people = chosen(BOTH, (ONE, OTHER)[side][0], tmp_path, make())
    assert len(people) == 2
    at = person.sightings[0]
    assert who(BOTH[at.position], at.box) == side


def test_where_only_somebody_else_is_in_view_it_is_nobody(tmp_path: Path) -> None:
    """For what knows people; one that only compares those in view takes the one there is."""
    with pytest.raises(RecordingError, match="nobody in view looks like the photo"):
        chosen(OTHER, ONE[0], tmp_path, knowing(0.2))
    person, people = chosen(OTHER, ONE[0], tmp_path, by_look())
    assert people == (person,)


def test_what_is_not_clear_is_nobody(tmp_path: Path) -> None:
    """Two who look alike, and two recognisers who do not agree."""
    with pytest.raises(RecordingError, match="two people in view look equally like"):
        chosen(BOTH, ONE[0], tmp_path, knowing(0.97))
    turned = Recogniser(lambda frame, box: np.eye(2)[_taken(frame, box)], -1.0, 0.0)
    with pytest.raises(RecordingError, match="does not tell clearly who it is"):
        chosen(BOTH, ONE[0], tmp_path, knowing(0.2), turned)


def _taken(frame: Frame, box: Box) -> int:
    # the photo, which is one square, is taken for the other person's
    return 1 if frame.shape[1] == SIDE_PX else who(frame, box)
