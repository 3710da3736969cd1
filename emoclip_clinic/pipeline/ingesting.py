"""ingest: what is in a folder of recordings, and what of it can be used."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import __version__, files
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.recordings import (
    Recording,
    exclusion_table,
    exclusions,
    mark_duplicates,
    read_recordings,
    recording_table,
    write_recordings,
)
from emoclip_clinic.scan import Found, Scan, scan
from emoclip_clinic.study import Study
from emoclip_clinic.video.examine import QUALITY_COLUMNS, examine

__all__ = ["ingest"]

NAMED = 5
GONE = "the file is no longer there"


def ingest(
    study: Study,
    folder: Path,
    *,
    pattern: str | None = None,
    decode: bool = True,
    progress: Progress = quiet,
) -> StageResult:
    """Probe, hash and check every recording below `folder`.

    What was probed before, by content, is not probed again. Recordings of other folders that the
    study already lists stay; one that has gone from `folder` stays as a row with that reason.

    Parameters
    ----------
    study, folder
        Where the tables go, and where the recordings are.
    pattern
        Where the ids stand in a path, see `scan`; study.toml's if it is not given.
    decode
        Decode every frame, to count those that do.
    progress
        Told of every recording hashed and probed.

    Raises
    ------
    RecordingError
        `folder` is no folder or holds no recording.
    """
    pattern = pattern or study.settings.encode.pattern or None
    seen = scan(folder, pattern)
    hashes = {}
    for done, found in enumerate(seen.found):
        progress("hashing", done, len(seen.found))
        hashes[found.recording] = study.sha256(found.path)
    progress("hashing", len(seen.found), len(seen.found))
    stamp = study.stamp(
        "ingest",
        [],
        {"pattern": pattern, "decode": decode, "folder": study.relative(folder)},
        **{study.relative(found.path): hashes[found.recording] for found in seen.found},
    )
    fresh = study.is_fresh(stamp)
    if not fresh:
        rows, quality = [], []
        for done, found in enumerate(seen.found):
            progress("probing", done, len(seen.found))
            row, measures = _examine(study, found, hashes[found.recording], decode)
            rows.append(row)
            quality.append(measures)
        progress("probing", len(seen.found), len(seen.found))
        table, others = _with_the_others(study, folder, recording_table(rows))
        measured = pd.concat([*quality, others], ignore_index=True)
        files.write_csv(study.quality_csv, measured)
        write_recordings(study.recordings_csv, mark_duplicates(table))
        study.record(stamp, [study.recordings_csv, study.quality_csv])
    return _result(study, seen, folder, fresh)


def _examine(
    study: Study, found: Found, sha256: str, decode: bool
) -> tuple[Recording, pd.DataFrame]:
    """Examine a recording, or take what was found when its content was examined before."""
    cache = study.path / "cache" / "probes" / f"{sha256}{'' if decode else '-quick'}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(cache.read_text(encoding="utf-8"))
        if known["version"] == __version__:
            quality = pd.DataFrame(known["quality"], columns=list(QUALITY_COLUMNS))
            row = replace(
                Recording(**known["recording"]),
                recording=found.recording,
                participant=found.participant,
                session=found.session,
                path=study.relative(found.path),
            )
            return row, quality.assign(recording=found.recording)
    row, quality = examine(found, study.relative(found.path), sha256, decode)
    rows: list[list[Any]] = quality.to_numpy().tolist()
    content = {"version": __version__, "recording": asdict(row), "quality": rows}
    files.write_json(cache, content)
    return row, quality


def _with_the_others(
    study: Study, folder: Path, new: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the rows of other folders, and those of files that have gone from this one."""
    nothing = pd.DataFrame(columns=list(QUALITY_COLUMNS))
    if not study.recordings_csv.is_file():
        return new, nothing
    old = read_recordings(study.recordings_csv)
    here = folder.resolve()
    inside = old["path"].map(lambda path: (study.path / path).resolve().is_relative_to(here))
    # a file that was renamed is there under its new name
    gone = inside & ~old["path"].isin(new["path"]) & ~old["sha256"].isin(new["sha256"])
    old.loc[gone, ["status", "reason"]] = ["excluded", GONE]
    kept = old[(~inside | gone) & ~old["recording"].isin(new["recording"])]
    quality = pd.read_csv(study.quality_csv, dtype={"recording": str, "note": str})
    return (
        pd.concat([new, kept], ignore_index=True),
        quality[quality["recording"].isin(kept["recording"])],
    )


def _result(study: Study, seen: Scan, folder: Path, fresh: bool) -> StageResult:
    table = read_recordings(study.recordings_csv)
    left_out = [*exclusions(table), *seen.exclusions]
    n_usable = int((table["status"] == "usable").sum())
    return StageResult(
        stage="ingest",
        message="up to date."
        if fresh
        else f"{len(table)} recordings, {n_usable} usable, of "
        f"{table['participant'].nunique()} participants.",
        written=(study.recordings_csv, study.quality_csv),
        exclusions=exclusion_table(left_out),
        notes=_notes(seen.left_alone, folder),
        summary={"n_recordings": len(table), "n_usable": n_usable},
        fresh=fresh,
        next_command=f"emoclip-clinic encode {folder}",
    )


def _notes(left_alone: list[Path], folder: Path) -> tuple[str, ...]:
    if not left_alone:
        return ()
    names = [path.relative_to(folder).as_posix() for path in left_alone]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (f"not recordings, left alone: {', '.join(names[:NAMED])}{more}",)
