"""Tracks of faces become people: who was seen when, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emoclip_clinic.video.looks import Look, difference
from emoclip_clinic.video.tracks import Track, apart

__all__ = ["Person", "group"]

ALIKE = 0.25
"""Tracks less different than this can be one person: the tracks of one differ by up to 0.15, the
people of a photo of similar ones by 0.26 and more."""
MOVED_WEIGHT = 0.05
"""What another place, and another size, count against two tracks, beside their looks: between two
people who look alike the place decides."""
FAR = 2.0
"""Another place altogether, in sizes of the face."""
CLEAR = 0.03
"""Where a track could be either of two people, it is the one that it is nearer to by this."""


@dataclass(frozen=True, eq=False)
class Person:
    """Someone who was seen in a recording."""

    number: int
    """From 1 on, in the order of how long they are in view."""
    tracks: tuple[Track, ...]
    """In order of time; no two overlap."""

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Sampled frames in which the face was found, ascending."""
        return tuple(one.position for track in self.tracks for one in track.sightings)


class _Group:
    """Tracks that are one person, as far as is known."""

    def __init__(self, track: Track) -> None:
        self.tracks = [track]
        self.total: Look = track.total
        self.n = len(track.sightings)

    def add(self, track: Track) -> None:
        self.tracks.append(track)
        self.total = self.total + track.total
        self.n += len(track.sightings)

    def overlaps(self, tracks: Sequence[Track]) -> bool:
        return any(
            one.first.position <= other.last.position and other.first.position <= one.last.position
            for one in self.tracks
            for other in tracks
        )

    def differs(self, track: Track) -> float:
        """How different a track is: in its look, and in place and size at the moment between."""
        unlike = difference(self.total / self.n, track.total / len(track.sightings))
        pairs = [
            (one.last, track.first)
            if one.last.position < track.first.position
            else (track.last, one.first)
            for one in self.tracks
        ]
        before, after = min(pairs, key=lambda pair: pair[1].position - pair[0].position)
        moved = min(1.0, apart(before, after) / FAR)
        resized = min(1.0, abs(np.log2(after.box.area / before.box.area)) / 2)
        return float(unlike + MOVED_WEIGHT * (moved + resized))


def group(tracks: Sequence[Track]) -> tuple[Person, ...]:
    """Find the people that tracks belong to.

    The longest track is the first person. Each further track, the longest first, is the person that
    it is most like, among those who are not in view meanwhile; or another one, where it is like
    none of them, or as much like one as like another who was seen together with that one.

    Returns
    -------
    tuple of Person
        In the order of how long they are in view; of equal ones, who was seen first, from the
        left.
    """
    groups: list[_Group] = []
    for track in sorted(tracks, key=lambda one: (-len(one.sightings), *_begin(one))):
        free = [one for one in groups if not one.overlaps([track])]
        ranked = sorted(((one.differs(track), n) for n, one in enumerate(free)))
        near = [(unlike, free[n]) for unlike, n in ranked if unlike < ALIKE]
        if near and not any(
            unlike - near[0][0] < CLEAR and other.overlaps(near[0][1].tracks)
            for unlike, other in near[1:]
        ):
            near[0][1].add(track)
        else:
            groups.append(_Group(track))
    for one in groups:
        one.tracks.sort(key=_begin)
    ordered = sorted(groups, key=lambda one: (-one.n, *_begin(one.tracks[0])))
    return tuple(Person(number, tuple(one.tracks)) for number, one in enumerate(ordered, start=1))


def _begin(track: Track) -> tuple[int, float, float]:
    return track.first.position, track.first.x, track.first.y
