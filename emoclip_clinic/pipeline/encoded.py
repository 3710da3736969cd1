"""What `encode` tells of what it made: on screen, and of recordings that are left out."""

from __future__ import annotations

import pandas as pd

from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.quality_tables import doubts, left_out_parts
from emoclip_clinic.pipeline.recording_encoder import Encoding
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.quality import general
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.segments import is_window
from emoclip_clinic.study import Study

__all__ = ["encode_stage", "result_of", "unencoded"]


def encode_stage(label: str) -> str:
    """Name the stage in provenance/: there is one an encoder."""
    return f"encode-{label}"


def unencoded(segments: pd.DataFrame) -> pd.DataFrame:
    """List the recordings of which no window is used, with the reason of most of their frames.

    Returns
    -------
    DataFrame
        stage, unit, id, reason.
    """
    used = set(segments.loc[segments["status"] == "used", "recording"])
    without = segments[~segments["recording"].isin(used)]
    return exclusion_table(
        Exclusion("encode", "recording", str(name), _main_reason(rows))
        for name, rows in without.groupby("recording", sort=True)
    )


def _main_reason(segments: pd.DataFrame) -> str:
    return str(segments.groupby(segments["reason"].map(general))["n_frames"].sum().idxmax())


def result_of(
    study: Study, encoding: Encoding, found: StageResult, fresh: bool, chosen: bool
) -> StageResult:
    """Tell what the study has now for an encoder.

    Parameters
    ----------
    study, encoding
        Whose features, and how they were made.
    found
        What `ingest` told.
    fresh
        Whether nothing was to be done.
    chosen
        Whether somebody chose the rule that names the participant.
    """
    label, stage = encoding.label, encode_stage(encoding.label)
    folder = study.features_dir(label)
    place = study.relative(folder / "quality.csv")
    reviewed = {name for name, one in encoding.choices.reviews.items() if one.people}
    segments = pd.read_csv(folder / "segments.csv", dtype={"recording": str, "reason": str})
    lost = unencoded(segments)
    n_used = int((segments["status"] == "used").sum())
    n_recordings = segments["recording"].nunique() - len(lost)
    others = int((segments["status"].ne("used") & is_window(segments)).sum())
    made = [study.path / name for name in (study.provenance(stage) or {}).get("outputs", ())]
    first = folder / "segments.csv"
    scales = study.settings.study.scales
    return StageResult(
        stage="encode",
        message="up to date."
        if fresh
        else f"{n_used} windows of {n_recordings} recordings"
        f"{f', {others} windows left out' if others else ''}.",
        written=(*dict.fromkeys([first, *made]), study.provenance_json(stage), *found.written),
        exclusions=pd.concat([found.exclusions, lost], ignore_index=True),
        details=tuple(left_out_parts(segments, set(lost["id"]))),
        notes=(*found.notes, *doubts(folder, place, None if chosen else reviewed)),
        summary={**found.summary, "n_windows_used": n_used, "n_windows_excluded": others},
        fresh=fresh,
        next_command=f"emoclip-clinic fit --scale {scales[0] if scales else 'SCALE'}"
        + (f" --encoder {label}" if label != encoder_label(study.settings.encode.encoder) else ""),
    )
