"""A recording as the review shows it: who was seen in it, when, where, and some of their faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from emoclip_clinic.encoder.participant import find_people
from emoclip_clinic.errors import RecordingError
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.recording_encoder import Planned, RecordingEncoder
from emoclip_clinic.report.review_page import (
    FaceShown,
    PersonShown,
    RecordingShown,
)
from emoclip_clinic.reviews import Review
from emoclip_clinic.segments import CLOCK_S
from emoclip_clinic.video.choosing import choose, lead, runner_up
from emoclip_clinic.video.faces import crop_square
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.tracks import Sighting

__all__ = ["shown_on_page"]

Times = npt.NDArray[np.float64]

PICTURES = 10
"""Of each person, spread over the recording."""
PICTURE_PX, PICTURE_MARGIN, JPEG_QUALITY = 112, 0.3, 80
PASSING_S = 1.0
"""Who is in view for less is counted and not shown, unless nobody is for longer."""
MOST_SHOWN = 12
"""People of a recording."""
CHANGED = (
    "What review.csv chose here no longer counts: people are found in another way now (recording, "
    "protocol, turns or face finder are others). Choose again; or write this page again, where its "
    "options were not those of 'encode'."
)


def shown_on_page(
    worker: RecordingEncoder, row: dict[Any, Any], warnings: list[str], progress: Progress
) -> RecordingShown:
    """Find who is in view in a recording, and cut out some of their faces."""
    planned = worker.planned(row)
    every = range(len(planned.cut.frames))
    people = find_people(
        enumerate(planned.read(every)),
        worker.finder,
        worker.encoding.protocol,
        len(every),
        lambda done, total: progress("frames", done, total),
    )
    found = worker.found(row, planned.cut)
    decided = worker.encoding.choices.reviews.get(row["recording"], Review())
    fits = decided.found in ("", found)
    chosen = decided.people if fits else ()
    ruled, note = _ruled(worker, people)
    stop_s = max(float(row["duration_s"]), float(planned.times_s[-1]))
    shown = _people(people, planned, stop_s, ruled, chosen)
    return RecordingShown(
        recording=row["recording"],
        found=found,
        duration_s=stop_s,
        aspect=_aspect(people),
        people=shown,
        n_passing=len(people) - len(shown),
        stretches=decided.stretches,
        # where somebody has chosen, the rule does not
        notes=(*warnings, *(() if chosen else note), *([] if fits else [CHANGED])),
    )


def _aspect(people: tuple[Person, ...]) -> float:
    """Width of the picture over its height; where nobody is seen, nothing is drawn of it."""
    if not people:
        return 1.0
    first = people[0].sightings[0]
    return first.width / first.height


def _people(
    people: tuple[Person, ...],
    planned: Planned,
    stop_s: float,
    ruled: Person | None,
    chosen: tuple[int, ...],
) -> tuple[PersonShown, ...]:
    """Show those who are in view for a while, and whoever was chosen."""
    ends_s = _ends(planned, stop_s)
    spans = {one.number: tuple(_spans(one, planned.times_s, ends_s)) for one in people}
    staying = [
        one for one in people if sum(stop - start for start, stop in spans[one.number]) >= PASSING_S
    ]
    named = [one for one in people if one is ruled or one.number in chosen]
    shown = sorted({*(staying or people)[:MOST_SHOWN], *named}, key=lambda one: one.number)
    pictures = _pictures(shown, planned)
    return tuple(
        PersonShown(
            number=one.number,
            faces=tuple(pictures[one.number]),
            spans=spans[one.number],
            chosen=one.number in chosen,
            by_rule=one is ruled,
        )
        for one in shown
    )


def _ruled(
    worker: RecordingEncoder, people: tuple[Person, ...]
) -> tuple[Person | None, tuple[str, ...]]:
    """Tell who the rule chooses, and how surely, or why nobody; only `encode` looks at photos."""
    rule = worker.encoding.choices.rule
    if not people or rule.kind == "photo":
        return None, ()
    try:
        ruled = choose(people, rule)
    except RecordingError as error:
        return None, (f"The rule '{rule.text}' chooses nobody: {error}.",)
    second = runner_up(people, rule)
    if second is None or lead(people, rule) >= worker.encoding.protocol.warn.min_participant_lead:
        return ruled, ()
    note = (
        f"The rule '{rule.text}' chose person {ruled.number} narrowly over person {second.number}: "
        "look who the participant is."
    )
    return ruled, (note,)


def _ends(planned: Planned, stop_s: float) -> Times:
    """Tell when each frame gives way to the next one that is read, or its turn ends, s."""
    ends_s = np.append(planned.times_s[1:], stop_s)
    for segment in planned.cut.segments:
        if segment.positions:
            last = max(segment.positions)
            ends_s[last] = min(ends_s[last], segment.stop_s)
    return ends_s


def _spans(person: Person, times_s: Times, ends_s: Times) -> Iterator[tuple[float, float]]:
    """Give the stretches in which somebody's face is found, s; a pause between turns ends one."""
    positions = np.array(person.positions)
    pauses_s = times_s[positions[1:]] - ends_s[positions[:-1]]
    breaks = (np.diff(positions) > 1) | (pauses_s > CLOCK_S)
    for part in np.split(positions, np.flatnonzero(breaks) + 1):
        yield float(times_s[part[0]]), float(ends_s[part[-1]])


def _pictures(people: list[Person], planned: Planned) -> dict[int, list[FaceShown]]:
    """Cut out some faces of each person."""
    wanted: dict[int, list[tuple[int, Sighting]]] = {}
    for one in people:
        for sighting in one.spread(PICTURES):
            wanted.setdefault(sighting.position, []).append((one.number, sighting))
    pictures: dict[int, list[FaceShown]] = {one.number: [] for one in people}
    positions = sorted(wanted)
    for position, frame in zip(positions, planned.read(positions), strict=True):
        for who, sighting in wanted[position]:
            jpeg = _jpeg(crop_square(frame, sighting.box, PICTURE_MARGIN, PICTURE_PX))
            time_s = float(planned.times_s[position])
            pictures[who].append(FaceShown(time_s, jpeg, _place(sighting)))
    return pictures


def _jpeg(crop: npt.NDArray[np.uint8]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)
    return jpeg.tobytes()


def _place(one: Sighting) -> tuple[float, float, float, float]:
    """Give left and upper edge, width and height of a face as fractions of the picture's."""
    box, width, height = one.box, one.width, one.height
    return box.x / width, box.y / height, box.w / width, box.h / height
