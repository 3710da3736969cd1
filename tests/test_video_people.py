from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.video.faces import Box, FaceFinder, load_face_finder
from emoclip_clinic.video.looks import difference, look
from emoclip_clinic.video.people import Person, group
from emoclip_clinic.video.tracks import Tracker
from tests.two_people import SIDE_PX, Halves, drawn, side_by_side

Frame = npt.NDArray[np.uint8]

BRIDGE_FRAMES = 3
FACE = Halves().find(np.ones((SIDE_PX, SIDE_PX, 3), np.uint8))[0]


def people_in(frames: list[Frame], finder: FaceFinder | None = None) -> tuple[Person, ...]:
    """Find the people in frames."""
    finder, tracker = finder or Halves(), Tracker(BRIDGE_FRAMES)
    for position, frame in enumerate(frames):
        tracker.see(position, frame, finder.find(frame))
    return group(tracker.tracks)


def halves_of(person: Person) -> list[str]:
    """Tell on which side a person is, sighting by sighting."""
    return ["left" if one.x < 0.5 else "right" for one in person.sightings]


def truth(n: int, swaps: list[int], first: str) -> list[str]:
    """Tell on which side someone is in each frame who begins on side `first`."""
    sides = ["left", "right"] if first == "left" else ["right", "left"]
    return [sides[sum(number >= swap for swap in swaps) % 2] for number in range(n)]


def hidden(frame: Frame) -> Frame:
    """Give a frame in which no face is found."""
    copy = frame.copy()
    copy[0, 0] = 0
    return copy


@given(
    pair=st.tuples(st.integers(0, 9), st.integers(10, 19)),
    swaps=st.lists(st.integers(2, 22), max_size=3, unique=True),
)
@settings(max_examples=25)
def test_people_who_change_places_in_one_step_stay_themselves(
    pair: tuple[int, int], swaps: list[int]
) -> None:
    """Whoever they are and however often they do it: two people, each on the known side."""
    one, other = (drawn(seed, 24) for seed in pair)
    people = people_in(side_by_side(one, other, sorted(swaps)))
    assert len(people) == 2
    sides = sorted(halves_of(person) for person in people)
    assert sides == sorted(truth(24, swaps, first) for first in ("left", "right"))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("light", [(0.6, 0.6, 0.6), (1.2, 1.0, 0.8), (0.8, 0.8, 1.1)])
def test_a_lamp_makes_nobody_another(seed: int, light: tuple[float, float, float]) -> None:
    """Light that changes from one frame to the next, in brightness or colour, is no new person."""
    frames = drawn(seed, 24)
    lit = [np.clip(frame * light, 0, 255).astype(np.uint8) for frame in frames[12:]]
    people = people_in(frames[:12] + lit)
    assert [len(person.positions) for person in people] == [24]


def test_who_leaves_and_comes_back_is_one_person() -> None:
    """After an absence that no track bridges."""
    frames = drawn(3, 24)
    away = [hidden(frame) for frame in frames[8:16]]
    (person,) = people_in(frames[:8] + away + frames[16:])
    assert len(person.tracks) == 2
    assert person.positions == (*range(8), *range(16, 24))


def test_who_takes_the_chair_after_another_is_another_person() -> None:
    """Same place, same size, never together in view: the look decides."""
    people = people_in(drawn(3, 24)[:14] + drawn(4, 24)[14:])
    assert [person.positions for person in people] == [tuple(range(14)), tuple(range(14, 24))]
    assert [person.number for person in people] == [1, 2]


def test_a_face_half_hidden_for_a_moment_stays_itself() -> None:
    """A hand before the face for less than a bridge makes no new person."""
    frames = [frame.copy() for frame in drawn(5, 24)]
    for frame in frames[10:12]:
        frame[SIDE_PX // 2 :, SIDE_PX // 4 : -SIDE_PX // 4] = (200, 30, 30)
    (person,) = people_in(frames)
    assert person.positions == tuple(range(24))


@given(st.permutations(range(4)))
@settings(max_examples=24)
def test_the_order_of_a_frames_faces_does_not_matter(order: list[int]) -> None:
    """Four people, given in any order, are numbered alike."""
    frames = side_by_side(
        side_by_side(drawn(0, 6), drawn(1, 6)), side_by_side(drawn(2, 6), drawn(3, 6))
    )

    class Shuffled(Halves):
        def find(self, frame: Frame) -> list[Box]:
            boxes = super().find(frame)
            return [boxes[number] for number in order]

    found = people_in(frames, Shuffled())
    assert [round(4 * one.tracks[0].first.x - 0.5) for one in found] == [0, 1, 2, 3]


def test_someone_who_could_be_either_of_two_is_neither() -> None:
    """Of two people of one look who were seen together, nobody can tell who comes back."""
    frames = drawn(6, 24)
    both = side_by_side(frames, frames)
    nobody = [hidden(frame) for frame in frames[10:16]]
    between = [np.concatenate([one, one], axis=1) for one in nobody]
    for frame in between:
        frame[0, SIDE_PX] = 0
    middle = [np.roll(both[0], SIDE_PX // 2, axis=1)] * 8

    class Middle(Halves):
        def find(self, frame: Frame) -> list[Box]:
            boxes = super().find(frame)
            if (frame == middle[0]).all():
                return [Box(FACE.x + SIDE_PX / 2, FACE.y, FACE.w, FACE.h, 1.0)]
            return boxes

    people = people_in(both[:10] + between + middle, Middle())
    assert [len(person.positions) for person in people] == [10, 10, 8]


@given(st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=30)
def test_difference_is_a_measure(one: int, other: int) -> None:
    """0 for equal looks, the same both ways, never above 1."""
    looks = [look(drawn(seed, 1)[0], FACE) for seed in (one, other)]
    assert difference(looks[0], looks[0]) == pytest.approx(0, abs=1e-6)
    assert difference(*looks) == difference(*looks[::-1])
    assert 0 <= difference(*looks) <= 1


def test_a_look_does_not_depend_on_the_size_of_the_picture() -> None:
    """The same picture at three times the size looks the same; another person does not."""
    frame = drawn(7, 1)[0]
    large = np.asarray(cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    box = Box(3 * FACE.x, 3 * FACE.y, 3 * FACE.w, 3 * FACE.h, 1.0)
    same = difference(look(frame, FACE), look(large, box))
    assert same < 0.1 < difference(look(frame, FACE), look(drawn(8, 1)[0], FACE))


def test_a_face_at_the_edge_has_a_look() -> None:
    """Where most of a region is out of view, what remains is compared."""
    frame = drawn(9, 1)[0]
    for box in (Box(-70, 10, 80, 80, 1), Box(10, 80, 40, 60, 1), Box(500, 500, 20, 20, 1)):
        assert np.isfinite(look(frame, box)).all()
        assert difference(look(frame, box), look(frame, FACE)) <= 1


def test_real_people_who_change_places(shared: Path) -> None:
    """Two men filmed elsewhere, beside each other, found by YuNet."""
    finder = load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")
    clips = []
    for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4"):
        with av.open(str(shared / "videos" / name)) as container:
            clip = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::4]
        clips.append((clip + clip[::-1]) * 2)
    people = people_in(side_by_side(clips[0][:40], clips[1][:40], [20]), finder)
    assert [halves_of(person) for person in people] == [
        truth(40, [20], "left"), truth(40, [20], "right"),
    ]  # fmt: skip
