"""The participant's windows, on recordings in which everybody's solo recording is known."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.encoder.encode import encode_recording
from emoclip_clinic.encoder.participant import encode_participant
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.flags import WarningLimits, flagged
from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.segments import plan
from emoclip_clinic.video.choosing import Chosen, choose, lead
from emoclip_clinic.video.faces import FaceFinder, load_face_finder
from emoclip_clinic.video.people import Person
from tests.test_encoder_encode import BATCHED, ENCODER
from tests.two_people import Halves, drawn, side_by_side

Frame = npt.NDArray[np.uint8]

# half a window is left over at no end: each frame belongs to one window
PROTOCOL = EncodingProtocol(
    rate_hz=6.25, window_frames=8, stride_frames=8, bridge_frames=2, face_margin=0.1
)


class Film:
    """Frames that may be read again, and how often they were."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.n_read = 0

    def __call__(self, positions: Sequence[int]) -> Iterator[Frame]:
        """Read frames at positions."""
        for position in positions:
            self.n_read += 1
            yield self.frames[position]


def encoded(
    film: Film, rule: str = "largest", finder: FaceFinder | None = None
) -> RecordingFeatures:
    return encode_participant(
        film,
        plan(np.arange(len(film.frames)) / 6.25, PROTOCOL),
        BATCHED,
        finder or Halves(),
        PROTOCOL,
        lambda people: Chosen((choose(people, parse_rule(rule)),), lead(people, parse_rule(rule))),
        recording="a",
    )


def as_before(frames: Sequence[Frame], finder: FaceFinder | None = None) -> RecordingFeatures:
    """Encode the largest face of each frame, whoever that is."""
    cut = plan(np.arange(len(frames)) / 6.25, PROTOCOL)
    return encode_recording(
        enumerate(frames), cut, BATCHED, finder or Halves(), PROTOCOL, recording="a"
    )


def assert_equal(one: RecordingFeatures, other: RecordingFeatures) -> None:
    assert one.vectors.tobytes() == other.vectors.tobytes()
    assert one.segments.equals(other.segments)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (2, 3), (4, 5)])
@pytest.mark.parametrize("swaps", [(), (16,), (5, 11, 19)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_windows_are_those_of_the_solo_recording(
    one: int, other: int, swaps: tuple[int, ...], side: str
) -> None:
    """Two people side by side who change places: the same bytes as filmed alone."""
    solo = {"left": drawn(one, 32), "right": drawn(other, 32)}
    made = encoded(Film(side_by_side(solo["left"], solo["right"], swaps)), side)
    assert len(made.vectors) == 4
    assert_equal(made, as_before(solo[side]))


@given(st.lists(st.booleans(), min_size=8, max_size=24))
@settings(max_examples=15)
def test_one_face_gives_the_same_bytes_in_one_pass(seen: list[bool]) -> None:
    """Whenever the only face is found, all is as it was without a choice."""
    frames = [frame.copy() for frame in drawn(1, 40)[: len(seen)]]
    for frame, there in zip(frames, seen, strict=True):
        frame[0, 0] = 0 if not there else 255
    film = Film(frames)
    made, before = encoded(film), as_before(frames)
    assert_equal(made, before)
    assert made.quality.equals(before.quality)
    assert film.n_read == len(frames)


def test_a_lone_face_outside_the_region_is_not_the_participant() -> None:
    """The rule holds for one person, too."""
    film = Film(drawn(1, 16))
    assert_equal(encoded(film, "region 0,0,1,1"), as_before(film.frames))
    with pytest.raises(RecordingError, match="nobody's face is in the region"):
        encoded(film, "region 0,0,0.2,0.2")


def test_windows_without_the_participant_say_so() -> None:
    """Where only the other one is in view, nothing is encoded, and the reason says why."""
    one, other = drawn(2, 32), drawn(3, 32)
    frames = [frame.copy() for frame in side_by_side(one, other)]
    for frame in frames[16:24]:
        frame[0, 0] = 0
    for frame in frames[24:]:
        frame[0, 0] = frame[0, 96] = 0
    made = encoded(Film(frames), "left")
    assert made.segments["reason"].tolist() == [
        "", "", "only other people's faces", "no face found",
    ]  # fmt: skip
    np.testing.assert_allclose(made.vectors, as_before(one).vectors[:2], atol=1e-5)


def test_a_crop_is_not_interpolated_from_one_place_to_another() -> None:
    """Between two seats there is nobody: what was not seen while they changed is left out."""
    one, other = drawn(4, 16), drawn(5, 16)
    frames = [frame.copy() for frame in side_by_side(one, other, [11])]
    for frame in frames[10:12]:
        frame[0, 0] = frame[0, 96] = 0
    alone = [frame.copy() for frame in one]
    for frame in alone[10:12]:
        frame[0, 0] = 0
    made = encoded(Film(frames), "left")
    # filmed alone, the place stays, and two frames are bridged
    crops = ENCODER.preprocess(np.stack([_crop(frame) for frame in (*one[8:10], *one[12:16])]))
    expected = ENCODER.encode_video(crops[None])[0].numpy()
    np.testing.assert_allclose(made.vectors[1], expected, atol=1e-5)
    assert np.abs(made.vectors[1] - as_before(alone).vectors[1]).max() > 1e-4


def _crop(frame: Frame) -> Frame:
    from emoclip_clinic.video.faces import crop_square

    return crop_square(frame, Halves().find(frame)[0], PROTOCOL.face_margin, ENCODER.image_size)


@pytest.mark.parametrize("swap", [0, 60])
def test_memory_does_not_grow_with_length(swap: int) -> None:
    """With two people, too, a few frames are alive at once, in both passes."""

    def most_alive(n: int) -> int:
        one, other = drawn(6, 30), drawn(7, 30)
        alive: set[int] = set()
        most = 0

        def read(positions: Sequence[int]) -> Iterator[Frame]:
            nonlocal most
            for number in positions:
                pair = [one[number % 30], other[number % 30]]
                frame = np.concatenate(pair[::-1] if number < swap else pair, axis=1)
                alive.add(number)
                weakref.finalize(frame, alive.discard, number)
                yield frame
                del frame
                most = max(most, len(alive))

        film = Film([one[0]] * n)
        film.__class__ = type("Reading", (Film,), {"__call__": lambda _, p: read(p)})
        encoded(film, "longest")
        gc.collect()
        return most

    assert most_alive(120) == most_alive(48) <= PROTOCOL.bridge_frames + 4


def test_two_chosen_people_are_one_participant() -> None:
    """A reviewer may say that one person was taken for two; not of two in view at once."""
    first, second = drawn(3, 16), drawn(4, 16)
    film = Film(first[:8] + second[8:])
    cut = plan(np.arange(16) / 6.25, PROTOCOL)

    def made(film: Film, *numbers: int) -> RecordingFeatures:
        def chosen(people: tuple[Person, ...]) -> Chosen:
            return Chosen(tuple(people[number - 1] for number in numbers))

        return encode_participant(film, cut, BATCHED, Halves(), PROTOCOL, chosen, recording="a")

    assert_equal(made(film, 1, 2), as_before(film.frames))
    assert made(film, 1).segments["status"].tolist() == ["used", "excluded"]
    with pytest.raises(RecordingError, match="in view at once"):
        made(Film(side_by_side(first, second)), 1, 2)


def test_real_people_who_change_places(shared: Path) -> None:
    """A man beside another, found by YuNet: nearly the vectors of his solo recording."""
    finder = load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")
    clips = []
    for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4"):
        with av.open(str(shared / "videos" / name)) as container:
            clip = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::4]
        clips.append(((clip + clip[::-1]) * 2)[:32])
    both = Film(side_by_side(clips[0], clips[1], [16]))
    solo = [as_before(clip, finder).vectors for clip in clips]
    apart = np.linalg.norm(solo[0] - solo[1], axis=1)
    for rule, own in (("left", 0), ("right", 1), ("largest", 0)):
        made = encoded(both, rule, finder)
        assert made.segments["face_fraction"].tolist() == [1.0] * 4
        # the frame is shrunk more before detection, so that boxes differ by some pixels
        assert (np.linalg.norm(made.vectors - solo[own], axis=1) < 0.5 * apart).all()


@pytest.mark.parametrize(("rule", "lead", "flag"), [("largest", 0.0, "warn"), ("left", 0.5, "ok")])
def test_a_rule_that_all_but_chose_somebody_else_warns(rule: str, lead: float, flag: str) -> None:
    """Two faces of one size, half a picture apart: the larger one is anybody's guess."""
    quality = encoded(Film(side_by_side(drawn(1, 16), drawn(2, 16))), rule).quality
    row = flagged(quality, WarningLimits()).set_index("measure").loc["participant_lead"]
    assert (row["value"], row["flag"]) == (pytest.approx(lead), flag)
    alone = flagged(encoded(Film(drawn(1, 16)), rule).quality, WarningLimits())
    alone = alone.set_index("measure").loc["participant_lead"]
    assert np.isnan(alone["value"])
    assert alone["flag"] == "ok"
