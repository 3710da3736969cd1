"""Which of the people in a recording is the participant, by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.participant_rule import ParticipantRule, Region
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.tracks import Sighting

__all__ = ["Chosen", "choose", "lead", "runner_up"]

PASSING = 0.1
"""Who is in view for less than this share of the time of who is in view longest sits nowhere."""
SAME_PLACE = 0.05
"""Of the picture's width: whose places are nearer than this, neither is left or right."""
MOSTLY = 2.0
"""Who is in the region is there this many times as often as anybody else."""


class Chosen(NamedTuple):
    """Who was chosen as the participant."""

    people: tuple[Person, ...]
    """Several where a reviewer says that the same person was taken for several."""
    lead: float = float("nan")
    """As `lead` gives it, where a rule has chosen."""


def choose(people: Sequence[Person], rule: ParticipantRule) -> Person:
    """Choose the participant.

    Parameters
    ----------
    people
        Everyone seen in the recording, at least one.
    rule
        largest: whose face covers most of the picture, summed over all sampled frames; longest: who
        is in view in most of them; left, right: who sits there in the first half of the recording;
        region: whose face is in it, in the first half of the recording. Who changes places later
        is followed.

    Raises
    ------
    RecordingError
        The rule does not tell who it is; the message is the reason for leaving the recording out.
    """
    if rule.kind == "largest":
        # of equal ones, who is in view longer
        return max(people, key=_covered)
    if rule.kind == "longest":
        return people[0]
    if rule.kind == "region":
        return _in_region(people, rule)
    return _at_the_side(people, rule)


def lead(people: Sequence[Person], rule: ParticipantRule) -> float:
    """By how much a rule prefers the person whom it chooses to the next one.

    Returns
    -------
        largest, longest: by which share the next one's face covers less of the picture, or is in
        view in fewer frames; left, right: how far apart the two sit, in widths of the picture. NaN
        where there is nobody else, and for a region, which refuses what is not clear.
    """
    ranked = _ranked(people, rule)
    if len(ranked) < 2:
        return float("nan")
    (_, best), (_, second) = ranked[:2]
    return abs(second - best) if rule.kind in ("left", "right") else 1 - second / best


def runner_up(people: Sequence[Person], rule: ParticipantRule) -> Person | None:
    """Give the person over whom `lead` tells the lead; None where there is nobody."""
    ranked = _ranked(people, rule)
    return ranked[1][0] if len(ranked) > 1 else None


def _ranked(people: Sequence[Person], rule: ParticipantRule) -> list[tuple[Person, float]]:
    """Order people as a rule prefers them, with what it goes by; nobody for a region."""
    if rule.kind == "region":
        return []
    if rule.kind in ("left", "right"):
        measures = _places(people)
    else:
        measure = _covered if rule.kind == "largest" else _seen
        measures = {one: measure(one) for one in people}
    return sorted(measures.items(), key=lambda pair: pair[1], reverse=rule.kind != "left")


def _seen(person: Person) -> float:
    return len(person.positions)


def _covered(person: Person) -> float:
    return sum(one.share for one in person.sightings)


def _first_half(people: Sequence[Person], person: Person) -> list[Sighting]:
    """Sightings in the first half of the time in which anybody is in view; all, if none are."""
    start = min(one.positions[0] for one in people)
    middle = (start + max(one.positions[-1] for one in people)) / 2
    return [one for one in person.sightings if one.position <= middle] or [*person.sightings]


def _at_the_side(people: Sequence[Person], rule: ParticipantRule) -> Person:
    if lead(people, rule) < SAME_PLACE:
        raise RecordingError(f"two people sit equally far {rule.kind}: choose one in the review")
    return _ranked(people, rule)[0][0]


def _places(people: Sequence[Person]) -> dict[Person, float]:
    """Tell where everybody sits who is not only passing, as a fraction of the picture's width."""
    staying = [one for one in people if _seen(one) >= PASSING * _seen(people[0])]
    return {one: _median_x(_first_half(people, one)) for one in staying}


def _median_x(sightings: list[Sighting]) -> float:
    return float(np.median([one.x for one in sightings]))


def _in_region(people: Sequence[Person], rule: ParticipantRule) -> Person:
    counts = {one.number: _n_inside(_first_half(people, one), rule.region) for one in people}
    ranked = sorted(people, key=lambda one: -counts[one.number])
    if not counts[ranked[0].number]:
        raise RecordingError("nobody's face is in the region that the participant sits in")
    if len(ranked) > 1 and counts[ranked[0].number] < MOSTLY * counts[ranked[1].number]:
        raise RecordingError("two people's faces are in the region that the participant sits in")
    return ranked[0]


def _n_inside(sightings: list[Sighting], region: Region | None) -> int:
    return sum(region is not None and region.holds(one.x, one.y) for one in sightings)
