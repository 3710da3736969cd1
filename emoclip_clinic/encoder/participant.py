"""The participant's windows: who is in view is found out first, where more than one person is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.crops import Seen, Watch
from emoclip_clinic.encoder.encode import Progress, encode_recording
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.segments import Plan
from emoclip_clinic.video.choosing import Chosen
from emoclip_clinic.video.faces import Box, FaceFinder, WholeFrame, largest
from emoclip_clinic.video.people import Person, group
from emoclip_clinic.video.tracks import Sighting, Tracker

__all__ = ["Choose", "Read", "encode_participant", "find_people"]

Frame = npt.NDArray[np.uint8]

Read = Callable[[Sequence[int]], Iterator[Frame]]
"""Gives the frames at positions in the plan, ascending; may be called again."""
Choose = Callable[[tuple[Person, ...]], Chosen]
"""Gives those of the people (there is at least one) who are the participant."""


class _SecondFaceError(Exception):
    """More than one face is in view: who the participant is must be found out first."""


def encode_participant(
    read: Read,
    plan: Plan,
    batched: BatchedEncoder,
    finder: FaceFinder,
    protocol: EncodingProtocol,
    choose: Choose,
    *,
    recording: str,
    times_s: npt.ArrayLike = (),
    progress: Progress | None = None,
    keep_frames: bool = False,
) -> RecordingFeatures:
    """Encode the windows of a recording's participant.

    The frames are encoded as they are read, as long as there is one face in each. From the first
    frame with several on, faces are only looked for; once it is known who is who, the recording is
    read again and the participant's face is encoded.

    Parameters
    ----------
    read
        Reads frames of the plan.
    choose
        Tells who is the participant.
    plan, batched, finder, protocol, recording, times_s, progress, keep_frames
        As for `encode_recording`. Where frames are face crops already, nobody is looked for.

    Raises
    ------
    RecordingError
        A frame cannot be read, or nobody can tell who the participant is.
    EncoderError
        A vector is not finite, or the encoder failed.
    """

    def encode(
        frames: Iterable[tuple[int, Frame]], watch: Watch | None, lead: float = float("nan")
    ) -> RecordingFeatures:
        return encode_recording(
            frames, plan, batched, finder, protocol,
            recording=recording, times_s=times_s, progress=progress, watch=watch, lead=lead,
            keep_frames=keep_frames,
        )  # fmt: skip

    every = range(len(plan.frames))
    frames = enumerate(read(every))
    if isinstance(finder, WholeFrame):
        return encode(frames, None)
    tracker = Tracker(protocol.bridge_frames)
    try:
        made = encode(frames, _until_second(finder, tracker))
    except _SecondFaceError:
        made = None
        _track(frames, finder, tracker, len(every), progress)
    people = group(tracker.tracks)
    chosen = choose(people) if people else Chosen(())
    if made is not None and len(chosen.people) == len(people):
        return made
    return encode(enumerate(read(every)), _known(people, chosen.people), chosen.lead)


def find_people(
    frames: Iterable[tuple[int, Frame]],
    finder: FaceFinder,
    protocol: EncodingProtocol,
    total: int,
    progress: Progress | None = None,
) -> tuple[Person, ...]:
    """Find who is in view in the `total` frames of a plan, given with their positions."""
    tracker = Tracker(protocol.bridge_frames)
    _track(frames, finder, tracker, total, progress)
    return group(tracker.tracks)


def _track(
    frames: Iterable[tuple[int, Frame]],
    finder: FaceFinder,
    tracker: Tracker,
    total: int,
    progress: Progress | None,
) -> None:
    for position, frame in frames:
        tracker.see(position, frame, finder.find(frame))
        if progress is not None:
            progress(position + 1, total)


def _until_second(finder: FaceFinder, tracker: Tracker) -> Watch:
    """Watch the only face of each frame; stop at the first frame with a second one."""

    def watch(position: int, frame: Frame) -> Seen:
        boxes = finder.find(frame)
        tracker.see(position, frame, boxes)
        if len(boxes) > 1:
            raise _SecondFaceError
        return Seen(boxes, largest(boxes))

    return watch


def _known(people: Sequence[Person], chosen: Sequence[Person]) -> Watch:
    """Watch for the face of those who were chosen, where it was found."""
    boxes: dict[int, list[Box]] = {}
    for _, one in _sightings(people):
        boxes.setdefault(one.position, []).append(one.box)
    own: dict[int, tuple[Box, int]] = {}
    for number, one in _sightings(chosen):
        if one.position in own:
            raise RecordingError(
                "two of the people who were chosen as the participant are in view at once"
            )
        own[one.position] = one.box, number

    def watch(position: int, frame: Frame) -> Seen:
        return Seen(boxes.get(position, []), *own.get(position, (None,)))

    return watch


def _sightings(people: Sequence[Person]) -> Iterator[tuple[int, Sighting]]:
    """Give everything seen of people, with the number of the track that it belongs to."""
    tracks = [track for person in people for track in person.tracks]
    for number, track in enumerate(tracks):
        for one in track.sightings:
            yield number, one
