"""ingest: what is in a folder of recordings, and what of it can be used."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic import __version__, files
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.errors import DecoderError, RecordingError, StudyError
from emoclip_clinic.flags import MEASURED_COLUMNS, QUALITY_COLUMNS, WarningLimits, flagged, warned
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.sources import lies_in
from emoclip_clinic.recordings import (
    AGAIN,
    Recording,
    exclusion_table,
    exclusions,
    mark_duplicates,
    read_recordings,
    recording_table,
    write_recordings,
)
from emoclip_clinic.scan import Found, Scan, named_apart, scan
from emoclip_clinic.study import Study
from emoclip_clinic.video import isolated
from emoclip_clinic.video.decoder import Limits
from emoclip_clinic.video.examine import examine, left_out

__all__ = ["ingest"]

NAMED = 5
NOTHING = files.sha256_bytes(b"")
CHANGED = "the file changed or went away while it was examined"
GONE = "the file is no longer there"


@alone
def ingest(
    study: Study,
    folder: Path,
    *,
    pattern: str | None = None,
    decode: bool = True,
    warn: WarningLimits | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Probe, hash and check every recording below `folder`.

    What was probed before, by content, is not probed again. Recordings of other folders that the
    study already lists stay, under their ids; one that has gone from `folder` stays as a row with
    that reason, unless its content is found in another place: then it was moved.

    Parameters
    ----------
    study, folder
        Where the tables go, and where the recordings are.
    pattern
        Where the ids stand in a path, see `scan`; study.toml's if it is not given.
    decode
        Decode every frame, to count those that do.
    warn
        Beyond which a measure warns; that of the encoding protocol in study.toml if it is not
        given.
    progress
        Told of every recording hashed and probed.

    Raises
    ------
    RecordingError
        `folder` is no folder or holds no recording.
    """
    given = files.given(pattern=pattern)
    pattern = pattern or study.settings.encode.pattern or None
    warn = warn or read_protocol(study.settings.encode.protocol, study.path).warn
    seen = scan(folder, pattern)
    contents = {}
    for done, found in enumerate(seen.found):
        progress("hashing", done, len(seen.found))
        contents[study.relative(found.path)] = _content(study, found.path)
    progress("hashing", len(seen.found), len(seen.found))
    place = study.relative(folder)
    settings = {"pattern": pattern, "decode": decode, "folder": place, "warn": asdict(warn)}
    stamp = study.stamp("ingest", [], settings, **contents)
    fresh = study.is_fresh(stamp)
    if not fresh:
        unknown = _write_tables(study, folder, seen, contents, decode, warn, progress)
        stamp = replace(stamp, inputs={**stamp.inputs, **unknown})
        study.record(stamp, [study.recordings_csv, study.quality_csv])
    return _result(study, seen, folder, given, fresh)


def _content(study: Study, path: Path) -> str:
    """SHA-256 of a recording; of nothing where it cannot be read: `examine` says why."""
    with contextlib.suppress(StudyError):
        return study.sha256(path)
    return NOTHING


def _write_tables(
    study: Study,
    folder: Path,
    seen: Scan,
    contents: Mapping[str, str],
    decode: bool,
    warn: WarningLimits,
    progress: Progress,
) -> dict[str, str]:
    """Examine what was found; write it and what is known of other folders, in order of the ids.

    Gives path and reason of what another run may find more of.
    """
    others = _others(study, folder, contents)
    gone = others["reason"] == GONE
    named = named_apart(seen.found, others.loc[~gone, "recording"])
    rows, measures, unknown = [], [], {}
    for done, found in enumerate(named):
        progress("probing", done, len(named))
        sha256 = contents[study.relative(found.path)]
        try:
            row, measured = _examine(study, found, sha256, decode)
        except DecoderError as error:
            row, measured = left_out(found, study.relative(found.path), sha256, str(error))
            unknown[row.path] = row.reason
        rows.append(row)
        measures.append(measured)
    progress("probing", len(named), len(named))
    new = recording_table(rows)
    # one that has gone leaves its id to the one that came in its place
    others = others[~others["recording"].isin(new["recording"])]
    quality = pd.concat([*measures, _quality_of(study, others)], ignore_index=True)
    table = pd.concat([new, others]).sort_values("recording", ignore_index=True)
    table["duration_s"] = table["duration_s"].round(files.TIME_DIGITS)
    decided = flagged(quality, warn).sort_values("recording", kind="stable")
    files.write_csv(study.quality_csv, decided)
    write_recordings(study.recordings_csv, mark_duplicates(table))
    return unknown


def _examine(
    study: Study, found: Found, sha256: str, decode: bool
) -> tuple[Recording, pd.DataFrame]:
    """Examine a recording, or take what was found when its content was examined before.

    Raises
    ------
    DecoderError
        Another run may find something else.
    """
    settings = study.settings.encode
    limits = Limits(settings.decoder_memory_mb, settings.decoder_wait_s)
    look = partial(isolated.probe, limits=limits)
    if sha256 == NOTHING:
        # what could not be read now may be read another time
        return examine(found, study.relative(found.path), sha256, decode, look)
    cache = study.path / "cache" / "probes" / f"{sha256}{'' if decode else '-quick'}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(cache.read_text(encoding="utf-8"))
        if known["version"] == __version__:
            quality = pd.DataFrame(known["quality"], columns=list(MEASURED_COLUMNS))
            row = replace(
                Recording(**known["recording"]),
                recording=found.recording,
                participant=found.participant,
                session=found.session,
                path=study.relative(found.path),
            )
            return row, quality.assign(recording=found.recording)
    row, quality = examine(found, study.relative(found.path), sha256, decode, look)
    if _content(study, found.path) != sha256:
        raise DecoderError(CHANGED)
    rows: list[list[Any]] = quality.to_numpy().tolist()
    content = {"version": __version__, "recording": asdict(row), "quality": rows}
    files.write_json(cache, content)
    return row, quality


def _others(study: Study, folder: Path, contents: Mapping[str, str]) -> pd.DataFrame:
    """Rows of other folders that were ingested, and of files that have gone from this one."""
    if not study.recordings_csv.is_file():
        return recording_table([])
    old = read_recordings(study.recordings_csv)
    inside = lies_in(study, old, folder)
    there = np.array([(study.path / path).is_file() for path in old["path"]], bool)
    moved = ~there & old["sha256"].isin(contents.values())
    old.loc[inside & ~there, ["status", "reason"]] = ["excluded", GONE]
    # what lies here and was not found does not match the pattern any more
    kept: pd.DataFrame = old[~(old["path"].isin(contents) | moved | (inside & there))]
    return kept


def _quality_of(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of quality.csv of the recordings of `table`."""
    if table.empty:
        return pd.DataFrame(columns=list(QUALITY_COLUMNS))
    try:
        every = pd.read_csv(study.quality_csv, dtype={"recording": str, "note": str})
        every = every[list(QUALITY_COLUMNS)]
    except (OSError, ValueError, KeyError) as error:
        raise RecordingError(
            f"{study.quality_csv.name} cannot be read: {error}. The same holds for "
            f"{study.recordings_csv.name}: {AGAIN}"
        ) from error
    return every[every["recording"].isin(table["recording"])]


def _result(study: Study, seen: Scan, folder: Path, given: str, fresh: bool) -> StageResult:
    table = read_recordings(study.recordings_csv)
    left_out = [*exclusions(table), *seen.exclusions]
    quality = _quality_of(study, table)
    n_usable = int((table["status"] == "usable").sum())
    return StageResult(
        stage="ingest",
        message="up to date."
        if fresh
        else f"{len(table)} recordings, {n_usable} usable, of "
        f"{table['participant'].nunique()} participants.",
        written=(study.recordings_csv, study.quality_csv, study.provenance_json("ingest")),
        exclusions=exclusion_table(left_out),
        notes=(*_notes(seen.left_alone, folder), *warned(quality, study.quality_csv.name)),
        summary={"n_recordings": len(table), "n_usable": n_usable},
        fresh=fresh,
        next_command=f"emoclip-clinic encode {files.shell_word(folder)}{given}",
    )


def _notes(left_alone: list[Path], folder: Path) -> tuple[str, ...]:
    if not left_alone:
        return ()
    names = [path.relative_to(folder).as_posix() for path in left_alone]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (f"not recordings, left alone: {', '.join(names[:NAMED])}{more}",)
