"""Open a study, or make the one that a command needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emoclip_clinic import files, ratings, scales
from emoclip_clinic.encoder import ENCODERS, checkpoint_path
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.errors import RecordingError, StudyError
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.spoken import turn_choice
from emoclip_clinic.scan import scan
from emoclip_clinic.settings import EncodeSettings, Settings, StudySettings, check_settings
from emoclip_clinic.study import SETTINGS_FILE, Study

__all__ = ["init", "open_or_create"]


def open_or_create(
    path: Path,
    *,
    recordings: Path,
    seed: int | None = None,
    encoder: str | None = None,
    faces: str | None = None,
    protocol: str | None = None,
    participant: str | None = None,
    pattern: str | None = None,
    turns: str | None = None,
    speaker: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    precision: str | None = None,
    frames: bool | None = None,
) -> Study:
    """Open the study in `path`; where there is none, make one for the folder `recordings`.

    What is given is written into a new study.toml; a study that exists is left as it is.

    Raises
    ------
    ClinicError
        There is no study yet, and what is given cannot be used: `recordings` is no folder or holds
        no recording, the pattern matches none, encoder, face finder or protocol are unknown.
        Nothing is made then.
    """
    if (path / SETTINGS_FILE).is_file():
        return Study(path, seed=seed)
    if not recordings.is_dir():
        raise RecordingError(
            f"{recordings} is not a folder. Give the folder that holds the recordings."
        )
    scan(recordings, pattern)
    if encoder not in (None, *ENCODERS):
        encoder = _as_seen_from(path, checkpoint_path(encoder))
    given: dict[str, Any] = {
        "encoder": encoder, "faces": faces, "protocol": protocol, "participant": participant,
        "pattern": pattern, "turns": turns, "speaker": tuple(speaker or ()),
        "sections": tuple(sections or ()), "precision": precision, "frames": frames,
    }  # fmt: skip
    settings = Settings(
        study=StudySettings(recordings=_as_seen_from(path, recordings)),
        encode=replace(EncodeSettings(), **{key: value for key, value in given.items() if value}),
    )
    if seed is not None:
        settings = replace(settings, study=replace(settings.study, seed=seed))
    check_settings(settings, "the options")
    read_protocol(settings.encode.protocol, path)
    turn_choice(settings.encode)
    return Study.create(path, settings)


def _as_seen_from(study: Path, folder: Path) -> str:
    try:
        return folder.resolve().relative_to(study.resolve()).as_posix()
    except ValueError:
        return folder.resolve().as_posix()


def init(
    folder: Path,
    scale_ids: list[str],
    *,
    title: str = StudySettings.title,
    seed: int | None = None,
) -> StageResult:
    """Make a new study: study.toml, an empty interviews/ and a rating sheet for each scale.

    Raises
    ------
    StudyError
        The folder is a study already.
    ScaleError
        A scale is unknown.
    """
    if (folder / SETTINGS_FILE).exists():
        raise StudyError(f"{folder} is a study already; its {SETTINGS_FILE} was left as it is.")
    known = [scales.load_scale(scale_id) for scale_id in scale_ids]
    sheets = {f"ratings/{scale.id}.csv": ratings.template(scale) for scale in known}
    settings = Settings(
        study=StudySettings(title=title, scales=tuple(scale_ids)),
    )
    if seed is not None:
        settings = replace(settings, study=replace(settings.study, seed=seed))
    study = Study.create(folder, settings)
    for name, sheet in sheets.items():
        files.write_csv(folder / name, sheet)
    files.make_folder(folder / settings.study.recordings)
    return StageResult(
        stage="init",
        message=f"a new study in {folder}: put the recordings into interviews/, "
        f"the raters fill in {', '.join(sheets)}.",
        written=(study.path / SETTINGS_FILE, *(folder / name for name in sheets)),
        next_command="emoclip-clinic encode "
        f"{files.shell_word(folder / settings.study.recordings)}{files.study_option(folder)}",
    )
