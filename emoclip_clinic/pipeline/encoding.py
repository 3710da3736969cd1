"""encode: every usable recording becomes feature vectors, one recording at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emoclip_clinic import features, files
from emoclip_clinic import weights as store
from emoclip_clinic.encoder import ENCODERS, checkpoint_path, load_encoder
from emoclip_clinic.errors import RecordingError, StudyError
from emoclip_clinic.features import QUALITY_COLUMNS
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.ingesting import ingest
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.recordings import Exclusion, exclusion_table, read_recordings
from emoclip_clinic.segments import SEGMENT_COLUMNS, EncodingProtocol, plan, read_protocol
from emoclip_clinic.study import Stamp, Study, digest

if TYPE_CHECKING:
    from emoclip_clinic.encoder.model import VideoEncoder
    from emoclip_clinic.video.faces import FaceFinder

__all__ = ["encode", "encode_stage", "unencoded"]

BATCH_FRAMES = 32
CHANGED = "the file changed or went away while it was encoded"


def encode_stage(label: str) -> str:
    """Name the stage in provenance/: there is one an encoder."""
    return f"encode-{label}"


def encode(
    study: Study,
    folder: Path,
    *,
    encoder: str | None = None,
    faces: str | None = None,
    protocol: str | EncodingProtocol | None = None,
    pattern: str | None = None,
    device: str = "auto",
    weights: Path | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Ingest what is new in `folder`, then encode every usable recording of the study.

    A recording that was encoded with the same content, settings and weights is not encoded again,
    so that a run that was stopped goes on. One that fails costs its own row and no other.

    Parameters
    ----------
    study, folder
        Where the features go, and where the recordings are.
    encoder, faces, protocol
        In place of what study.toml says.
    pattern
        As for `ingest`.
    device
        "auto", "cpu", "cuda" or "cuda:N".
    weights
        Folder of weights.
    progress
        Told of recordings and of the frames of the one in work.

    Raises
    ------
    RecordingError
        There is no recording in `folder`.
    EncoderError
        Weights are missing or damaged; the message has the command to run.
    """
    job = _job(study, encoder, faces, protocol, weights)
    found = ingest(study, folder, pattern=pattern, progress=progress)
    table = read_recordings(study.recordings_csv)
    usable = table[table["status"] == "usable"]
    stamp = study.stamp(
        encode_stage(job.label), [study.recordings_csv], job.settings, encoder=job.encoder_sha256
    )
    fresh = study.is_fresh(stamp)
    if not fresh:
        _encode_all(study, job, usable, stamp, device, progress)
    return _result(study, job.label, found, fresh)


@dataclass(frozen=True)
class _Job:
    """What is encoded how."""

    encoder: str
    faces: str
    protocol: EncodingProtocol
    weights: Path | None
    label: str
    encoder_sha256: str

    @property
    def settings(self) -> dict[str, Any]:
        return {"faces": self.faces, "protocol": asdict(self.protocol)}

    def key(self, recording_sha256: str) -> str:
        """Hash what a recording's features depend on."""
        return digest([recording_sha256, self.encoder_sha256, self.settings])


def _job(
    study: Study,
    encoder: str | None,
    faces: str | None,
    protocol: str | EncodingProtocol | None,
    weights_dir: Path | None,
) -> _Job:
    settings = study.settings.encode
    name, finder = encoder or settings.encoder, faces or settings.faces
    if name not in ENCODERS and (study.path / name).is_file():
        # study.toml's paths are relative to the study
        name = str(study.path / name)
    chosen = protocol or settings.protocol
    if isinstance(chosen, str):
        chosen = read_protocol(chosen, study.path)
    if finder == "yunet":
        # before anything is decoded, so that missing weights cost no time
        store.path("yunet", weights_dir)
    return _Job(
        encoder=name,
        faces=finder,
        protocol=chosen,
        weights=weights_dir,
        label=encoder_label(name),
        encoder_sha256=study.sha256(checkpoint_path(name, weights_dir)),
    )


def _encode_all(
    study: Study,
    job: _Job,
    usable: pd.DataFrame,
    stamp: Stamp,
    device: str,
    progress: Progress,
) -> None:
    """Encode what has no fresh features, then write the tables over all of them."""
    folder = study.features_dir(job.label)
    paths = {name: folder / f"{name}.safetensors" for name in usable["recording"]}
    model = load_encoder(job.encoder, weights_dir=job.weights, device=device)
    finder = _face_finder(job)
    rows = usable.to_dict("records")
    changed = {}
    for done, row in enumerate(rows):
        progress("recordings", done, len(rows))
        source, path = study.path / row["path"], paths[row["recording"]]
        key = job.key(row["sha256"])
        if features.read_key(path) == key:
            continue
        made = _encode_one(source, row, job, model, finder, progress)
        if _content(study, source) != row["sha256"]:
            # no key: the next run tries again
            made, key = _failed(row, model, CHANGED), ""
            changed[row["recording"]] = CHANGED
        features.write(path, made, key)
    progress("recordings", len(rows), len(rows))
    tables = _write_tables(folder, paths.values())
    study.record(
        replace(stamp, inputs={**stamp.inputs, **changed}),
        [*tables, *paths.values()],
        device=str(model.device),
        encoder=job.encoder if job.encoder in ENCODERS else study.relative(Path(job.encoder)),
        notice=model.notice,
        dim=model.dim,
    )


def _write_tables(folder: Path, paths: Iterable[Path]) -> tuple[Path, Path]:
    """Write segments.csv and quality.csv over the features of all recordings."""
    segments = [pd.DataFrame(columns=list(SEGMENT_COLUMNS))]
    quality = [pd.DataFrame(columns=list(QUALITY_COLUMNS))]
    for path in paths:
        one = features.read(path)
        segments.append(one.segments)
        quality.append(one.quality)
    table = pd.concat(segments, ignore_index=True)
    words = table["padded"].map({True: "true", False: "false"})
    files.write_csv(folder / "segments.csv", table.assign(padded=words))
    files.write_csv(folder / "quality.csv", pd.concat(quality, ignore_index=True))
    return folder / "segments.csv", folder / "quality.csv"


def _face_finder(job: _Job) -> FaceFinder:
    from emoclip_clinic.video.faces import load_face_finder

    needed = job.faces == "yunet"
    return load_face_finder(job.faces, store.path("yunet", job.weights) if needed else None)


def _encode_one(
    path: Path,
    row: Mapping[Any, Any],
    job: _Job,
    model: VideoEncoder,
    finder: FaceFinder,
    progress: Progress,
) -> features.RecordingFeatures:
    """Encode a recording; one that cannot be read has no vectors, and a segment that says why."""
    from emoclip_clinic.encoder.encode import encode_recording
    from emoclip_clinic.video.probe import timestamps
    from emoclip_clinic.video.reader import read_frames

    name = row["recording"]
    try:
        n_frames = row["n_frames_decoded"]
        times_s = timestamps(path, None if pd.isna(n_frames) else int(n_frames))
        cut = plan(times_s, job.protocol)
        return encode_recording(
            enumerate(read_frames(path, cut.frames, times_s=times_s)),
            cut,
            model,
            finder,
            job.protocol,
            recording=name,
            batch_size=BATCH_FRAMES,
            progress=lambda done, total: progress("frames", done, total),
        )
    except RecordingError as error:
        return _failed(row, model, str(error))


def _content(study: Study, path: Path) -> str:
    with contextlib.suppress(StudyError):
        return study.sha256(path)
    return ""


def _failed(row: Mapping[Any, Any], model: VideoEncoder, reason: str) -> features.RecordingFeatures:
    """No vectors, and a segment over the whole recording that says why."""
    name, stop_s = row["recording"], float(row["duration_s"])
    segment = (name, 0, 0.0, stop_s, 0, float("nan"), False, "excluded", reason)
    return features.RecordingFeatures(
        recording=name,
        encoder=model.name,
        fingerprint=model.fingerprint,
        segments=pd.DataFrame([segment], columns=list(SEGMENT_COLUMNS)),
        vectors=np.zeros((0, model.dim), np.float32),
        notice=model.notice,
    )


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
    return str(segments.groupby("reason")["n_frames"].sum().idxmax())


def _result(study: Study, label: str, found: StageResult, fresh: bool) -> StageResult:
    folder = study.features_dir(label)
    segments = pd.read_csv(folder / "segments.csv", dtype={"recording": str, "reason": str})
    lost = unencoded(segments)
    n_used = int((segments["status"] == "used").sum())
    n_recordings = segments["recording"].nunique() - len(lost)
    others = len(segments) - n_used
    scales = study.settings.study.scales
    return StageResult(
        stage="encode",
        message="up to date."
        if fresh
        else f"{n_used} windows of {n_recordings} recordings"
        f"{f', {others} windows left out' if others else ''}.",
        written=(folder / "segments.csv", study.recordings_csv, study.quality_csv),
        exclusions=pd.concat([found.exclusions, lost], ignore_index=True),
        notes=found.notes,
        summary={**found.summary, "n_windows_used": n_used, "n_windows_excluded": others},
        fresh=fresh,
        next_command=f"emoclip-clinic fit --scale {scales[0] if scales else 'SCALE'}"
        + (f" --encoder {label}" if label != encoder_label(study.settings.encode.encoder) else ""),
    )
