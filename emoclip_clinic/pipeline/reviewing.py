"""review: a page with everybody who was seen, on which a person says who the participant is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic import weights as store
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.errors import RecordingError, StudyError
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.choosing import plain_choices, read_choices
from emoclip_clinic.pipeline.copying import refuse_shared_copy
from emoclip_clinic.pipeline.encoded import encode_stage
from emoclip_clinic.pipeline.recording_encoder import Encoding, RecordingEncoder
from emoclip_clinic.pipeline.review_people import shown_on_page
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.pipeline.spoken import TurnFiles, turn_choice, with_turns
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table, read_recordings
from emoclip_clinic.report.numbers import number, percent
from emoclip_clinic.report.review_page import (
    review_page,
)
from emoclip_clinic.report.texts import read_texts
from emoclip_clinic.study import Study
from emoclip_clinic.video.decoder import Limits

__all__ = ["clean_review", "review"]

PAGE = "review.html"
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
            shown.append(shown_on_page(worker, row, warnings.get(row["recording"], []), progress))
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
