"""What a report says of the quality of windows: what was left out, and what hangs on it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from emoclip_clinic.pipeline.quality_sensitivity import current_csvs
from emoclip_clinic.pipeline.quality_tables import left_out_windows, read_windows, windows_csv
from emoclip_clinic.study import Study
from emoclip_clinic.thresholds import remaining

__all__ = ["quality_table_files", "quality_tables"]


def quality_table_files(study: Study, scale_id: str, cohort: str, label: str) -> list[Path]:
    """List what `quality_tables` reads, beside segments.csv and recordings.csv.

    The fits at other limits are of everyone: a report of a part of the cohort does without.
    """
    windows = windows_csv(study.features_dir(label))
    fitted = [] if cohort else current_csvs(study, scale_id, label)
    return [*([windows] if windows.is_file() else []), *fitted]


def quality_tables(
    study: Study, scale_id: str, cohort: str, label: str, recordings: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Make the report's tables of quality: window_reasons, quality_thresholds, quality_sensitivity.

    Parameters
    ----------
    recordings
        Those of the cohort, from recordings.csv.
    """
    folder = study.features_dir(label)
    segments = pd.read_csv(
        folder / "segments.csv", dtype={"recording": str, "reason": str}, keep_default_na=False
    )
    tables = {"window_reasons": left_out_windows(_own(segments, recordings))}
    if windows_csv(folder).is_file():
        participants = recordings.set_index("recording")["participant"]
        tables["quality_thresholds"] = remaining(
            _own(read_windows(folder), recordings), participants
        )
    fitted = [] if cohort else current_csvs(study, scale_id, label)
    if fitted:
        parts = [pd.read_csv(path, dtype={"target": str, "note": str}) for path in fitted]
        tables["quality_sensitivity"] = pd.concat(parts, ignore_index=True)
    return tables


def _own(table: pd.DataFrame, recordings: pd.DataFrame) -> pd.DataFrame:
    return table[table["recording"].isin(recordings["recording"])]
