"""review: a page with everybody who was seen, on which a person says who the participant is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic import files
from emoclip_clinic import weights as store
from emoclip_clinic.encoder.participant import find_people
from emoclip_clinic.errors import RecordingError, StudyError
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.choosing import plain_choices, read_choices
from emoclip_clinic.pipeline.copying import refuse_shared_copy
from emoclip_clinic.pipeline.encoding import encode_stage
from emoclip_clinic.pipeline.recording_encoder import Encoding, Planned, RecordingEncoder
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.pipeline.spoken import TurnFiles, turn_choice, with_turns
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table, read_recordings
from emoclip_clinic.report.numbers import number, percent
from emoclip_clinic.report.review_page import (
    FaceShown,
    PersonShown,
    RecordingShown,
    review_page,
)
from emoclip_clinic.report.texts import read_texts
from emoclip_clinic.reviews import Review
from emoclip_clinic.segments import CLOCK_S, read_protocol
from emoclip_clinic.study import Study
from emoclip_clinic.video.choosing import choose, lead, runner_up
from emoclip_clinic.video.decoder import Limits
from emoclip_clinic.video.faces import crop_square
from emoclip_clinic.video.people import Person
from emoclip_clinic.video.tracks import Sighting

__all__ = ["clean_review", "review"]

Times = npt.NDArray[np.float64]

PAGE = "review.html"
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
DECIDED_HERE = "participant_lead"
"""A measure of quality.csv of which the page itself knows how it is now."""


@alone
def review(
    study: Study,
    *,
    faces: str | None = None,
    protocol: str | None = None,
    participant: str | None = None,
    turns: str | None = None,
    speaker: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    weights: Path | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Write the page with everybody who is in view in the study's recordings.

    It goes into a folder that only its owner may open, and stays there until `clean_review`.

    Parameters
    ----------
    study
        The study; its recordings have been ingested.
    faces, protocol, participant, turns, speaker, sections
        As for `encode`, which must be run with the same ones.
    weights
        Folder of weights.
    progress
        Told of recordings and of the frames of the one in work.

    Raises
    ------
    StudyError
        There is no recording, the study is a shared copy, or review.csv is wrong.
    SettingsError
        The rule is none, or turns are asked for and not named.
    TurnsError
        Turns are asked for, and no recording has any.
    """
    refuse_shared_copy(study, "review")
    given = files.given(
        encoder=_last_encoder(study),
        faces=faces,
        protocol=protocol,
        participant=participant,
        turns=turns,
        speaker=speaker,
        section=sections,
        weights=weights,
    )
    recordings = files.shell_word(study.path / study.settings.study.recordings)
    command = f"emoclip-clinic encode {recordings}{given}"
    worker = _worker(study, faces, protocol, participant, weights)
    table = read_recordings(study.recordings_csv)
    usable = table[table["status"] == "usable"]
    choice = turn_choice(study.settings.encode, turns, speaker, sections)
    # people are looked for where encode looks
    rows = with_turns(usable, TurnFiles.of(study, choice, usable) if choice else None)
    warnings = _warnings(study)
    shown, lost = [], []
    for done, row in enumerate(rows, start=1):
        try:
            shown.append(_shown(worker, row, warnings.get(row["recording"], []), progress))
        except RecordingError as error:
            lost.append(Exclusion("review", "recording", row["recording"], str(error)))
        progress("recordings", done, len(rows))
    page = study.review_dir / PAGE
    files.make_folder(page.parent)
    # also where the study is a group's
    page.parent.chmod(0o700)
    typed = command + files.study_option(study.path)
    files.write_bytes(page, review_page(shown, worker.encoding.choices.rule, typed).encode())
    page.chmod(0o600)
    several = sum(len(one.people) > 1 for one in shown)
    return StageResult(
        stage="review",
        message=f"{counted(len(shown), 'recording')}, {several} with several people. Open the "
        "page in a browser; it shows faces: 'review --clean' removes it.",
        written=(page,),
        exclusions=exclusion_table(lost),
        summary={"n_recordings": len(shown)},
        next_command=command,
    )


def _last_encoder(study: Study) -> str | None:
    """Name the encoder that the study was last encoded with, where study.toml names another."""
    encoded = study.provenance_json("encode").parent.glob(f"{encode_stage('*')}.json")
    last = max(encoded, key=lambda path: path.stat().st_mtime_ns, default=None)
    if last is None or last.stem == encode_stage(encoder_label(study.settings.encode.encoder)):
        return None
    return str((study.provenance(last.stem) or {}).get("encoder")) or None


@alone
def clean_review(study: Study) -> StageResult:
    """Remove the page and its folder; review.csv stays."""
    there = study.review_dir.is_dir()
    if there:
        shutil.rmtree(study.review_dir)
    return StageResult("review", "the page was removed." if there else "there is no page.")


def _worker(
    study: Study,
    faces: str | None,
    protocol: str | None,
    participant: str | None,
    weights: Path | None,
) -> RecordingEncoder:
    settings = study.settings.encode
    faces = faces or settings.faces
    if faces == "none":
        raise StudyError(
            "the recordings are face crops (faces = 'none'): there is nobody to choose from."
        )
    if not study.recordings_csv.is_file():
        raise StudyError("there are no recordings yet. Run 'emoclip-clinic ingest FOLDER' first.")
    if faces == "yunet":
        store.path("yunet", weights)
    plain = plain_choices(participant or settings.participant, faces, weights)
    how = Encoding(
        encoder="",
        faces=faces,
        protocol=read_protocol(protocol or settings.protocol, study.path),
        weights=weights,
        label="",
        encoder_sha256="",
        choices=read_choices(study, plain, faces, read_recordings(study.recordings_csv)),
        limits=Limits(settings.decoder_memory_mb, settings.decoder_wait_s),
    )
    return RecordingEncoder(study.path.absolute(), how, "cpu")


def _shown(
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


def _warnings(study: Study) -> dict[str, list[str]]:
    """Give each recording's warnings, of the file and, once it was encoded, of the face."""
    own = study.features_dir("*")
    encoded = sorted(own.parent.glob(f"{own.name}/{study.quality_csv.name}"))
    found: dict[str, list[str]] = {}
    for path, when in [(study.quality_csv, ""), *((one, ", when encoded") for one in encoded)]:
        if path.is_file():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            rows = table[table["flag"].eq("warn") & table["measure"].ne(DECIDED_HERE)]
            for row in rows.to_dict("records"):
                found.setdefault(row["recording"], []).append(_sentence(row, when))
    # of several encoders, most say the same
    return {name: list(dict.fromkeys(sentences)) for name, sentences in found.items()}


def _sentence(row: dict[Any, Any], when: str) -> str:
    """Say what warns, by how much and why."""
    name, unit = read_texts().word("measures", row["measure"]), row["unit"]
    head = f"{name[:1].upper()}{name[1:]}{when}"
    if not row["value"]:
        return f"{head}: {row['note']}"
    value = float(row["value"])
    # "0-1" says what a value can be
    words = number(value) if unit[:1].isdigit() else f"{number(value)} {unit}".rstrip()
    return f"{head}: {percent(value) if unit == 'fraction' else words} ({row['note']})"
