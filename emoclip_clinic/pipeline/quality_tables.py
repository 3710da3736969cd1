"""The tables of quality beside the features: a row a window, what would remain, the dictionary."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.errors import StudyError
from emoclip_clinic.flags import CLOSE_CALL, QUALITY_COLUMNS, warned
from emoclip_clinic.pipeline.choosing import UNRECOGNISED
from emoclip_clinic.quality import WINDOW_COLUMNS, general
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.report.exports import dictionary
from emoclip_clinic.resources import find, read_toml
from emoclip_clinic.segments import is_window
from emoclip_clinic.thresholds import remaining

__all__ = [
    "doubts", "left_out_parts", "left_out_windows", "read_windows", "windows_csv", "write_quality",
]  # fmt: skip

REASON_COLUMNS = ["reason", "n_windows", "n_recordings"]


def windows_csv(folder: Path) -> Path:
    """Measures of every window, in a folder of features."""
    return folder / "quality_windows.csv"


def read_windows(folder: Path) -> pd.DataFrame:
    """Read the measures of every window: quality.WINDOW_COLUMNS.

    Raises
    ------
    StudyError
        There is no such table.
    """
    path = windows_csv(folder)
    if not path.is_file():
        raise StudyError(
            f"{path} is not there: the recordings were encoded before windows were measured. Run "
            "'emoclip-clinic encode FOLDER' again."
        )
    return pd.read_csv(path, dtype={"recording": str}, keep_default_na=False, na_values=[""])


def write_quality(
    folder: Path, quality: pd.DataFrame, windows: pd.DataFrame, participants: pd.Series
) -> list[Path]:
    """Write what `encode` measured, what would remain at other limits, and what all of it means.

    Parameters
    ----------
    folder
        The features of an encoder.
    quality
        flags.QUALITY_COLUMNS, of all recordings.
    windows
        quality.WINDOW_COLUMNS, likewise.
    participants
        Participant of each recording (index recording).

    Returns
    -------
    list of Path
        quality.csv, quality_windows.csv, quality_thresholds.csv, quality_dictionary.csv.
    """
    windows = windows.assign(
        longest_gap_s=windows["longest_gap_s"].astype(float).round(files.TIME_DIGITS)
    )
    tables = {
        "quality": quality[list(QUALITY_COLUMNS)],
        "quality_windows": windows[list(WINDOW_COLUMNS)],
        "quality_thresholds": remaining(windows, participants),
    }
    meanings = read_toml(find("templates/exports", "quality"))["columns"]
    tables["quality_dictionary"] = pd.concat(
        [dictionary(tables, meanings), _of_measures(quality, meanings)], ignore_index=True
    )
    written = [folder / f"{name}.csv" for name in tables]
    for path, table in zip(written, tables.values(), strict=True):
        files.write_csv(path, table)
    return written


def _of_measures(quality: pd.DataFrame, meanings: Mapping[str, str]) -> pd.DataFrame:
    """Say what each measure of quality.csv means, as the dictionary says it of columns."""
    rows = [
        {
            "file": "quality.csv",
            "column": f"value of {measure}",
            "type": "number",
            "missing": int(rows["value"].isna().sum()),
            "meaning": meanings[str(measure)],
        }
        for measure, rows in quality.groupby("measure", sort=False)
    ]
    return pd.DataFrame(rows, columns=["file", "column", "type", "missing", "meaning"])


def doubts(folder: Path, place: str, decided: Collection[str] | None) -> Iterator[str]:
    """Say what warns in the quality.csv of `encode`, and where somebody else may be encoded.

    Parameters
    ----------
    folder
        The features of an encoder.
    place
        That table, as a message names it.
    decided
        Recordings of which a person has said who the participant is; of all, if it is None.
    """
    table = pd.read_csv(folder / "quality.csv", dtype={"recording": str, "note": str})
    yield from warned(table, place)
    several = (table["measure"] == "several_faces") & (table["flag"] == "warn")
    n = 0 if decided is None else int((several & ~table["recording"].isin(decided)).sum())
    if n:
        yield (
            f"several people are in view in {counted(n, 'recording')}, and the largest face is "
            "taken for the participant's: choose the participant (--participant, or "
            "'emoclip-clinic review')"
        )
    close = table.loc[table["note"] == CLOSE_CALL, "recording"]
    if len(close):
        yield (
            f"{CLOSE_CALL} in {', '.join(close)}: look in 'emoclip-clinic review' who the "
            "participant is"
        )
    if n := int((table["note"] == UNRECOGNISED).sum()):
        yield (
            f"{UNRECOGNISED} ({counted(n, 'recording')}). Install the weights sface and yunet, or "
            "look in 'emoclip-clinic review' who is in view"
        )


def left_out_windows(segments: pd.DataFrame) -> pd.DataFrame:
    """Count excluded windows by reason, the most frequent first: reason, n_windows, n_recordings.

    Parameters
    ----------
    segments
        segments.csv; a window's own value is left out of its reason.
    """
    lost = segments[segments["status"].eq("excluded") & is_window(segments)]
    by_reason = lost.groupby(lost["reason"].map(general))["recording"]
    counts = by_reason.agg(["size", "nunique"]).reset_index()
    counts.columns = pd.Index(REASON_COLUMNS)
    return counts.sort_values(["n_windows", "reason"], ascending=[False, True], ignore_index=True)


def left_out_parts(segments: pd.DataFrame, whole: Collection[str]) -> Iterator[str]:
    """Say what was left out of each recording, by reason.

    Parameters
    ----------
    segments
        segments.csv.
    whole
        Recordings that are left out as a whole, which is said elsewhere.
    """
    lost = segments[segments["status"].eq("excluded") & ~segments["recording"].isin(whole)]
    unit = is_window(lost).map({True: "window", False: "part"})
    named = lost.assign(reason=lost["reason"].map(general), unit=unit)
    by_reason = named.groupby(["recording", "reason", "unit"], sort=False).size()
    for row in by_reason.reset_index(name="n").to_dict("records"):
        yield f"{counted(row['n'], row['unit'])} of {row['recording']}: {row['reason']}"
