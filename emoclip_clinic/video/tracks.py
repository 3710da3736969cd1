"""Faces from frame to frame: detections on the sampled grid become tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from emoclip_clinic.video.faces import Box
from emoclip_clinic.video.looks import Look, difference, look

__all__ = ["Sighting", "Track", "Tracker", "apart"]

Frame = npt.NDArray[np.uint8]

REACH = 1.0
"""A face moves by less than so many of its own sizes from one sighting to the next: where it moved
by more, its place in between is not known."""
RESIZED = 2.0
"""It grows and shrinks by less than this factor."""
SAME_FACE = 0.35
"""A face in reach that looks less different than this is the same. Measured on real and drawn
faces: one person's frames differ from their mean by up to 0.17, two people mostly by 0.35 to
0.65."""
PLACE_WEIGHT = 0.1
"""What a place out of reach counts against a face, beside its look: people who change places in one
step are followed by their looks."""
LEARNING = 0.1
"""Weight of a new sighting in a track's look: light and pose may change slowly."""


class Sighting(NamedTuple):
    """A face, detected in a sampled frame."""

    position: int
    """Of the frame, in the plan."""
    box: Box
    """In the frame's pixels."""
    width: int
    """Of the frame, px."""
    height: int

    @property
    def x(self) -> float:
        """Centre, as a fraction of the frame's width."""
        return (self.box.x + self.box.w / 2) / self.width

    @property
    def y(self) -> float:
        """Centre, as a fraction of the frame's height."""
        return (self.box.y + self.box.h / 2) / self.height

    @property
    def share(self) -> float:
        """Share of the frame that the box covers."""
        return self.box.area / (self.width * self.height)


@dataclass(eq=False)
class Track:
    """One face over consecutive samples, with short gaps."""

    sightings: list[Sighting]
    """In order of time, one a frame."""
    current: Look
    """How it looks now."""
    total: Look = field(repr=False)
    """Sum of the looks of all sightings."""

    @property
    def first(self) -> Sighting:
        """Where it begins."""
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        """Where it ends."""
        return self.sightings[-1]

    def add(self, sighting: Sighting, seen: Look) -> None:
        """Go on with a sighting."""
        self.sightings.append(sighting)
        self.current = (1 - LEARNING) * self.current + LEARNING * seen
        self.total = self.total + seen

    def absorb(self, other: Track) -> None:
        """Take over the sightings of a track that lies in a gap of this one."""
        self.sightings = sorted(self.sightings + other.sightings)
        self.total = self.total + other.total


class Tracker:
    """Links the faces of each frame with those of the frames before.

    In each frame, the pairs of a track and a face are taken in the order of how different they
    look, and how far apart they are. A pair that is out of reach, or looks too different, ends the
    track and begins another: who it is is decided later, with all tracks at hand.

    Parameters
    ----------
    bridge_frames
        Over at most so many sampled frames without the face a track goes on.
    """

    def __init__(self, bridge_frames: int) -> None:
        self.tracks: list[Track] = []
        """In the order in which they begin."""
        self._bridge_frames = bridge_frames
        self._open: list[Track] = []

    def see(self, position: int, frame: Frame, boxes: Sequence[Box]) -> None:
        """Take the faces of the next frame, uint8 (height, width, 3) RGB."""
        height, width = frame.shape[:2]
        # two hours hold 90,000 sightings of two people: what is not needed any more is not kept
        bare = [replace(box, landmarks=()) for box in boxes]
        faces = [Sighting(position, box, width, height) for box in bare]
        looks = [look(frame, box) for box in boxes]
        self._open = [t for t in self._open if self._n_missed(t, position) <= self._bridge_frames]
        begun = []
        for number, track in self._paired(faces, looks):
            if track is None:
                begun.append(Track([faces[number]], looks[number], looks[number]))
            else:
                self._absorb_hidden(track, faces[number])
                track.add(faces[number], looks[number])
        self.tracks += begun
        self._open += begun

    @staticmethod
    def _n_missed(track: Track, position: int) -> int:
        return position - track.last.position - 1

    def _paired(self, faces: list[Sighting], looks: list[Look]) -> list[tuple[int, Track | None]]:
        """Give each face the track that it continues, or None."""
        pairs = sorted(
            (unlike + PLACE_WEIGHT * min(1.0, away), unlike, away, number, place)
            for number, face in enumerate(faces)
            for place, track in enumerate(self._open)
            for unlike, away in [(difference(looks[number], track.current), _away(track, face))]
        )
        of: dict[int, Track | None] = {}
        taken: set[int] = set()
        for _, unlike, away, number, place in pairs:
            if number not in of and place not in taken:
                of[number] = self._open[place] if away < 1 and unlike < SAME_FACE else None
                taken.add(place)
        return [(number, of.get(number)) for number in range(len(faces))]

    def _absorb_hidden(self, track: Track, face: Sighting) -> None:
        """Take what was seen alone in the face's place meanwhile for the same face, half hidden."""
        start, stop = track.last.position, face.position
        meanwhile = [one for one in self._open if one.last.position > start]
        if len(meanwhile) != 1:
            return
        (other,) = meanwhile
        inside = start < other.first.position and other.last.position < stop
        if inside and all(apart(one, track.last) < REACH / 2 for one in other.sightings):
            track.absorb(other)
            self.tracks.remove(other)
            self._open.remove(other)


def apart(one: Sighting, other: Sighting) -> float:
    """Distance of two faces' centres, in sizes of the larger one."""
    size = max(one.box.w, one.box.h, other.box.w, other.box.h)
    across = one.box.x + one.box.w / 2 - other.box.x - other.box.w / 2
    down = one.box.y + one.box.h / 2 - other.box.y - other.box.h / 2
    return float(np.hypot(across, down)) / size


def _away(track: Track, face: Sighting) -> float:
    """How far a face is from a track: from 1 on it is out of reach."""
    grown = face.box.area / track.last.box.area
    if not 1 / RESIZED**2 < grown < RESIZED**2:
        return 1.0
    return apart(face, track.last) / REACH
