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
from emoclip_clinic.flags import CLOSE_CALL
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.choosing import plain_choices, read_choices
from emoclip_clinic.pipeline.encoding import encode_stage
from emoclip_clinic.pipeline.recording_encoder import Encoding, Planned, RecordingEncoder
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.pipeline.spoken import TurnFiles, turn_choice, with_turns
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table, read_recordings
from emoclip_clinic.report.review_page import PersonShown, RecordingShown, review_page
from emoclip_clinic.reviews import Review
from emoclip_clinic.segments import CLOCK_S, read_protocol
from emoclip_clinic.study import Study
from emoclip_clinic.video.choosing import choose, lead
from emoclip_clinic.video.decoder import Limits
from emoclip_clinic.video.faces import Box, crop_square
from emoclip_clinic.video.people import Person

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
CHANGED = "what review.csv chose no longer counts: other people are found now"


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
        There is no recording, or review.csv is wrong.
    SettingsError
        The rule is none, or turns are asked for and not named.
    TurnsError
        Turns are asked for, and no recording has any.
    """
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
    shown, lost = [], []
    for done, row in enumerate(rows, start=1):
        try:
            shown.append(_shown(worker, row, _warnings(study, row["recording"]), progress))
        except RecordingError as error:
            lost.append(Exclusion("review", "recording", row["recording"], str(error)))
        progress("recordings", done, len(rows))
    page = study.review_dir / PAGE
    files.make_folder(page.parent)
    # also where the study is a group's
    page.parent.chmod(0o700)
    rule = worker.encoding.choices.rule.text
    typed = command + files.study_option(study.path)
    files.write_bytes(page, review_page(shown, rule, typed).encode())
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
    ruled, note = _ruled(worker, people)
    stop_s = max(float(row["duration_s"]), float(planned.times_s[-1]))
    shown = _people(people, planned, stop_s, ruled, decided.people if fits else ())
    return RecordingShown(
        recording=row["recording"],
        found=found,
        duration_s=stop_s,
        people=shown,
        n_passing=len(people) - len(shown),
        stretches=decided.stretches,
        notes=(*warnings, *note, *([] if fits else [CHANGED])),
    )


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
            pictures=tuple(pictures[one.number]),
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
        close = worker.encoding.protocol.warn.min_participant_lead
        return choose(people, rule), (CLOSE_CALL,) * (lead(people, rule) < close)
    except RecordingError as error:
        return None, (f"the rule chooses nobody: {error}",)


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


def _pictures(people: list[Person], planned: Planned) -> dict[int, list[tuple[float, bytes]]]:
    """Cut out some faces of each person: time, s, and a JPEG."""
    wanted = {one.number: one.spread(PICTURES) for one in people}
    boxes: dict[int, list[tuple[int, Box]]] = {}
    for number, sightings in wanted.items():
        for one in sightings:
            boxes.setdefault(one.position, []).append((number, one.box))
    pictures: dict[int, list[tuple[float, bytes]]] = {number: [] for number in wanted}
    positions = sorted(boxes)
    for position, frame in zip(positions, planned.read(positions), strict=True):
        for number, box in boxes[position]:
            crop = crop_square(frame, box, PICTURE_MARGIN, PICTURE_PX)
            quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), quality)
            pictures[number].append((float(planned.times_s[position]), jpeg.tobytes()))
    return pictures


def _warnings(study: Study, recording: str) -> list[str]:
    """Give the warnings of quality.csv on a recording."""
    if not study.quality_csv.is_file():
        return []
    table = pd.read_csv(study.quality_csv, dtype=str, keep_default_na=False)
    rows = table[(table["recording"] == recording) & (table["flag"] == "warn")]
    return [f"{row.measure}: {row.note}" for row in rows.itertuples()]
