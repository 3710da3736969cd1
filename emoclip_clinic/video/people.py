"""Tracks of faces become people: who was seen when, and where."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emoclip_clinic.video.looks import Look, difference
from emoclip_clinic.video.tracks import Sighting, Track, apart

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
    """In the order in which they begin; no two are in one frame."""

    @cached_property
    def sightings(self) -> tuple[Sighting, ...]:
        """In order of time."""
        return tuple(sorted(one for track in self.tracks for one in track.sightings))

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Sampled frames in which the face was found, ascending."""
        return tuple(one.position for one in self.sightings)

    def spread(self, n: int) -> tuple[Sighting, ...]:
        """Pick at most n sightings, evenly spread over all."""
        places = np.linspace(0, len(self.sightings) - 1, min(len(self.sightings), n))
        return tuple(self.sightings[round(place)] for place in places)


class _Group:
    """Tracks that are one person, as far as is known."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.positions: set[int] = set()
        self.total: Look = np.zeros(())

    def add(self, track: Track) -> None:
        self.tracks.append(track)
        self.positions.update(one.position for one in track.sightings)
        self.total = self.total + track.total

    def is_in_view_with(self, track: Track) -> bool:
        return any(one.position in self.positions for one in track.sightings)

    def differs(self, track: Track) -> float:
        """How different a track is: in its look, and in place and size at the moment between."""
        mean, own = self.total / len(self.positions), track.total / len(track.sightings)
        unlike = difference(mean, own)
        if unlike >= ALIKE:
            # wherever it is
            return unlike
        _, before, after = min(
            (_closest(one, end) for one in self.tracks for end in (track.first, track.last)),
            key=lambda pair: pair[0],
        )
        moved = min(1.0, apart(before, after) / FAR)
        resized = min(1.0, abs(np.log2(after.box.area / before.box.area)) / 2)
        return float(unlike + MOVED_WEIGHT * (moved + resized))


def _closest(track: Track, end: Sighting) -> tuple[int, Sighting, Sighting]:
    """Pair a sighting with the one of a track that is nearest in time; first the time between."""
    place = bisect_left(track.sightings, end.position, key=lambda one: one.position)
    near = track.sightings[max(0, place - 1) : place + 1]
    one = min(near, key=lambda sighting: abs(sighting.position - end.position))
    return abs(one.position - end.position), one, end


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
        who = _recognised(track, groups)
        if who is None:
            who = _Group()
            groups.append(who)
        who.add(track)
    for one in groups:
        one.tracks.sort(key=_begin)
    ordered = sorted(groups, key=lambda one: (-len(one.positions), *_begin(one.tracks[0])))
    return tuple(Person(number, tuple(one.tracks)) for number, one in enumerate(ordered, start=1))


def _recognised(track: Track, groups: list[_Group]) -> _Group | None:
    """Give the person that a track is clearly one of."""
    free = [one for one in groups if not one.is_in_view_with(track)]
    ranked = sorted((one.differs(track), n) for n, one in enumerate(free))
    near = [(unlike, free[n]) for unlike, n in ranked if unlike < ALIKE]
    if not near:
        return None
    least, best = near[0]
    # two who were in view together are two people
    rivals = [one for unlike, one in near[1:] if unlike - least < CLEAR]
    return None if any(one.positions & best.positions for one in rivals) else best


def _begin(track: Track) -> tuple[int, float, float]:
    return track.first.position, track.first.x, track.first.y
