from __future__ import annotations

import numpy as np
import pytest

from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.video.choosing import choose, lead, runner_up
from emoclip_clinic.video.faces import Box
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.tracks import Sighting, Track

WIDTH, HEIGHT = 400, 100


def person(number: int, n_frames: int, middle: float, side_px: float) -> Person:
    """Make somebody who is in view from the beginning on, at a fraction of the picture's width."""
    box = Box(middle * WIDTH - side_px / 2, 20, side_px, side_px, 1.0)
    sightings = [Sighting(position, box, WIDTH, HEIGHT) for position in range(n_frames)]
    return Person(number, (Track(sightings, np.zeros(()), np.zeros(())),))


@pytest.mark.parametrize(
    ("rule", "chosen", "after", "expected"),
    [
        # 100 frames of 20 x 20 px beside 80 of 25 x 25 px: 40 000 and 50 000 px in all
        ("largest", 2, 1, 0.2),
        ("longest", 1, 2, 0.2),
        ("left", 1, 2, 0.6),
        ("right", 2, 1, 0.6),
    ],
)
def test_lead_is_by_how_much_the_next_one_is_behind(
    rule: str, chosen: int, after: int, expected: float
) -> None:
    """In the measure of the rule; who passes by for a moment is behind everybody."""
    people = (person(1, 100, 0.2, 20), person(2, 80, 0.8, 25), person(3, 4, 0.5, 20))
    assert choose(people, parse_rule(rule)).number == chosen
    assert lead(people, parse_rule(rule)) == pytest.approx(expected)
    second = runner_up(people, parse_rule(rule))
    assert second is not None
    assert second.number == after


@pytest.mark.parametrize("rule", ["largest", "longest", "left", "right", "region 0,0,1,1"])
def test_who_is_alone_leads_nobody(rule: str) -> None:
    """There is nothing to compare; nor in a region, which refuses what is not clear."""
    alone = (person(1, 9, 0.2, 20),)
    assert np.isnan(lead(alone, parse_rule(rule)))
    assert runner_up(alone, parse_rule(rule)) is None
    two = (person(1, 9, 0.2, 20), person(2, 9, 0.8, 20))
    assert np.isnan(lead(two, parse_rule("region 0,0,0.5,1")))
