"""quality: which windows were left out, which recordings are the worst, what limits would cost."""

from __future__ import annotations

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.quality_tables import left_out_windows, read_windows
from emoclip_clinic.pipeline.sources import encoder_label, feature_files, require_recordings
from emoclip_clinic.quality import MEASURES, worst
from emoclip_clinic.report.numbers import count
from emoclip_clinic.study import Study
from emoclip_clinic.thresholds import remaining

__all__ = ["quality"]


def quality(study: Study, *, encoder: str | None = None) -> StageResult:
    """Say how good the encoded windows are, and what would remain at other limits.

    Nothing is encoded, fitted or written.

    Parameters
    ----------
    study
        Encoded.
    encoder
        In place of what study.toml says.

    Returns
    -------
    StageResult
        Its table has a row a limit; its words name the reasons for which windows were left out,
        and the worst recordings.

    Raises
    ------
    StudyError
        The recordings were not encoded.
    """
    label = encoder_label(encoder or study.settings.encode.encoder)
    segments_csv = feature_files(study, label)[0]
    text = {"recording": str, "reason": str}
    segments = pd.read_csv(segments_csv, dtype=text, keep_default_na=False, na_values=[""])
    windows = read_windows(study.features_dir(label))
    recordings = require_recordings(study).set_index("recording")
    left = remaining(windows, recordings["participant"])
    lost = left_out_windows(segments)
    n_used = int(left["n_windows"].iloc[0])
    n_windows = n_used + int(lost["n_windows"].sum())
    return StageResult(
        stage="quality",
        message=f"{count(n_used)} of {count(n_windows)} windows are used.",
        written=(segments_csv.with_name("quality_windows.csv"),),
        summary={"n_windows": n_windows, "n_used": n_used, "limits": _plain(left)},
        table=_shown(left[left["n_unknown"] < max(n_used, 1)]),
        words=(*_unknown(left, n_used), *_reasons(lost), *_worst(windows)),
        next_command="emoclip-clinic quality --scale SCALE --measure MEASURE"
        + files.given(encoder=encoder),
    )


def _plain(left: pd.DataFrame) -> list[dict[str, object]]:
    table = left.astype(object).where(left.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _shown(left: pd.DataFrame) -> pd.DataFrame:
    """Write what would remain as texts."""
    rows = [
        {
            "measure": row["measure"] or "as encoded",
            "limit": f"{row['limit']} {row['threshold']:g}" if row["measure"] else "",
            "windows": count(row["n_windows"]),
            "recordings": count(row["n_recordings"]),
            "people": count(row["n_participants"]),
            "not known": count(row["n_unknown"]),
        }
        for row in left.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _unknown(left: pd.DataFrame, n_used: int) -> list[str]:
    names = left.loc[(left["n_unknown"] == n_used) & (left["measure"] != ""), "measure"].unique()
    return [f"not known in any window: {', '.join(names)}"] if len(names) else []


def _reasons(lost: pd.DataFrame) -> list[str]:
    return [
        f"left out, {row['reason']}: {count(row['n_windows'])} windows of "
        f"{count(row['n_recordings'])} recordings"
        for row in lost.to_dict("records")
    ]


def _worst(windows: pd.DataFrame) -> list[str]:
    """Name the worst recordings by each measure, by their windows' mean."""
    lines = []
    for measure in MEASURES:
        found = worst(windows.groupby("recording")[measure.name].mean(), measure)
        named = ", ".join(f"{recording} ({value:.3g})" for recording, value in found.items())
        if named:
            lines.append(f"worst by {measure.words}: {named}")
    return lines
