"""Recordings: the one row a video file has, and the table recordings.csv that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.files import write_csv

__all__ = [
    "AGAIN",
    "COLUMNS",
    "DEFAULT_SESSION",
    "Exclusion",
    "Recording",
    "exclusion_table",
    "exclusions",
    "mark_duplicates",
    "read_recordings",
    "recording_table",
    "write_recordings",
]

DEFAULT_SESSION = "01"
"""The session of a recording whose path names none."""

STATUSES = ("usable", "excluded")
SAME_PERSON = "same content as an earlier recording of this participant"
SAME_CONTENT = "same content under two participant ids"


@dataclass(frozen=True)
class Recording:
    """One video file, as recordings.csv describes it; `None` is an empty cell."""

    recording: str
    """Unique and safe as a file name: "sub-<participant>_ses-<session>", "_run-<n>" or "_<k>"."""
    participant: str
    session: str
    path: str
    sha256: str
    size_bytes: int
    container: str = ""
    codec: str = ""
    width: int | None = None
    """Pixels, as displayed: after rotation."""
    height: int | None = None
    rotation_deg: int | None = None
    """Clockwise turn from the stored to the displayed picture: 0, 90, 180 or 270."""
    duration_s: float | None = None
    """From the first frame's presentation to the end of the last frame's."""
    n_frames_header: int | None = None
    """What the container promises, where it says so."""
    n_frames_decoded: int | None = None
    fps_mean: float | None = None
    variable_rate: bool | None = None
    has_audio: bool | None = None
    status: str = "usable"
    """"usable" or "excluded"."""
    reason: str = ""
    """Why it is excluded, without names or paths."""


AGAIN = (
    "A spreadsheet may have changed the table. To make it again, delete it and run 'emoclip-clinic "
    "ingest FOLDER' for every folder of recordings; nothing is encoded twice."
)
"""What to do with a table that is not as it was written."""
COLUMNS = tuple(field.name for field in fields(Recording))
WHOLE = ("size_bytes", "width", "height", "rotation_deg", "n_frames_header", "n_frames_decoded")
REAL = ("duration_s", "fps_mean")
YES_NO = ("variable_rate", "has_audio")
REQUIRED = ("recording", "participant", "session", "path", "sha256", "size_bytes", "status")


@dataclass(frozen=True)
class Exclusion:
    """Something left out of an analysis, and why: one row of an exclusions table."""

    stage: str
    """The command that left it out."""
    unit: str
    """"recording", "target", "participant" or "rating"."""
    id: str
    reason: str
    """Short and categorical, without names or paths: it ends up in reports."""


def exclusion_table(rows: Iterable[Exclusion]) -> pd.DataFrame:
    """Table of exclusions.

    Returns
    -------
    pandas.DataFrame
        stage, unit, id, reason: text, one row an exclusion, also when there is none.
    """
    columns = [field.name for field in fields(Exclusion)]
    return pd.DataFrame([asdict(row) for row in rows], columns=columns, dtype=str)


def exclusions(table: pd.DataFrame, stage: str = "ingest") -> list[Exclusion]:
    """List the excluded rows of a recordings table."""
    out = table[table["status"] == "excluded"]
    return [
        Exclusion(stage, "recording", name, reason)
        for name, reason in zip(out["recording"], out["reason"], strict=True)
    ]


def recording_table(recordings: Iterable[Recording]) -> pd.DataFrame:
    """Table of recordings.

    Returns
    -------
    pandas.DataFrame
        A row a recording, the columns of `Recording`: text, whole numbers (Int64), real numbers
        (float64) and yes or no (boolean); a cell that is not known is missing.
    """
    table = pd.DataFrame([asdict(recording) for recording in recordings], columns=list(COLUMNS))
    return table.astype({name: _dtype(name) for name in COLUMNS})


def _dtype(column: str) -> str:
    kinds = {"Int64": WHOLE, "float64": REAL, "boolean": YES_NO}
    return next((kind for kind, columns in kinds.items() if column in columns), "str")


def write_recordings(path: Path, table: pd.DataFrame) -> None:
    """Write recordings.csv atomically; yes and no become "true" and "false"."""
    words = {name: table[name].map({True: "true", False: "false"}) for name in YES_NO}
    write_csv(path, table.assign(**words))


def read_recordings(path: Path) -> pd.DataFrame:
    """Read recordings.csv and check every cell.

    Returns
    -------
    pandas.DataFrame
        As `recording_table` makes it: "007" stays "007".

    Raises
    ------
    RecordingError
        A column is missing, a cell is of the wrong kind or an id is there twice; the message
        names the row as a spreadsheet counts it.
    """
    try:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise RecordingError(f"{path.name} cannot be read: {error}. {AGAIN}") from error
    missing = [name for name in COLUMNS if name not in cells.columns]
    if missing:
        raise RecordingError(
            f"{path.name} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}. "
            f"{AGAIN}"
        )
    _check_text(path.name, cells)
    columns = {name: cells[name] for name in COLUMNS}
    for names, needed, parse in (
        (WHOLE, "a whole number", int),
        (REAL, "a number", _finite),
        (YES_NO, "true or false", {"true": True, "false": False}.__getitem__),
    ):
        for name in names:
            columns[name] = _parsed(path.name, cells[name], needed, parse)
    return pd.DataFrame(columns).astype({name: _dtype(name) for name in COLUMNS})


def _check_text(file: str, cells: pd.DataFrame) -> None:
    for name in REQUIRED:
        _refuse(file, cells[name], cells[name].str.strip() == "", "it must not be empty")
    _refuse(file, cells["recording"], cells["recording"].duplicated(), "an id is there once")
    allowed = f"allowed: {', '.join(STATUSES)}"
    _refuse(file, cells["status"], ~cells["status"].isin(STATUSES), allowed)
    hexadecimal = cells["sha256"].str.fullmatch("[0-9a-f]{64}")
    _refuse(file, cells["sha256"], ~hexadecimal, "64 hexadecimal digits are needed")
    unexplained = (cells["status"] == "excluded") & (cells["reason"].str.strip() == "")
    _refuse(file, cells["reason"], unexplained, "an excluded recording needs a reason")


def _refuse(file: str, column: pd.Series[Any], wrong: pd.Series[bool], rule: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy(bool)))
        # the header is the first row of the sheet
        raise RecordingError(
            f"{file}, row {row + 2}: {column.name} = {column.iloc[row]!r}; {rule}. Correct the "
            f"row. {AGAIN}"
        )


def _parsed(
    file: str, column: pd.Series[Any], needed: str, parse: Callable[[str], Any]
) -> pd.Series[Any]:
    values, wrong = [], []
    for cell in column:
        try:
            values.append(parse(cell) if cell else None)
            wrong.append(False)
        except (KeyError, ValueError):
            wrong.append(True)
    _refuse(file, column, pd.Series(wrong, dtype=bool), f"{needed} is needed")
    return pd.Series(values, index=column.index, dtype=_dtype(str(column.name)))


def _finite(cell: str) -> float:
    value = float(cell)
    if not np.isfinite(value):
        raise ValueError(cell)
    return value


def mark_duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """Exclude recordings whose content is there twice.

    Of equal files of one participant the first stays. Equal files under two participant ids are
    all excluded: nobody can tell whose recording it is. Marks of an earlier call are made anew: the
    other recording may have gone since.

    Parameters
    ----------
    table
        Recordings, as `recording_table` makes it.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order, status and reason of the duplicates set.
    """
    table = table.copy()
    table.loc[table["reason"].isin([SAME_PERSON, SAME_CONTENT]), ["status", "reason"]] = [
        "usable",
        "",
    ]
    usable = table[table["status"] == "usable"]
    for _, same in usable.groupby("sha256", sort=False):
        if same["participant"].nunique() > 1:
            rows, reason = same.index, SAME_CONTENT
        else:
            rows, reason = same.index[1:], SAME_PERSON
        table.loc[rows, ["status", "reason"]] = ["excluded", reason]
    return table
