"""Embeddings of a dataset's clips, kept as they are made: a run that was stopped goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic import files
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import AGAIN, DatasetError, RecordingError
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.study import digest
from emoclip_clinic.training.zeroshot import Sampling, embed_clip
from emoclip_clinic.video.clips import count_frames, read_clip

__all__ = ["Embedded", "clip_state", "embed_clips", "refuse_many"]

CHUNK = 32
"""Clips whose embeddings are kept in one file: at most so many are lost when a run is stopped."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings of clips, float32 (n_clips, dim), of length 1; NaN where a clip cannot be read."""

    video: NDArray[np.float32]
    """By the temporal layers."""
    average: NDArray[np.float32]
    """The average of the frames."""
    reasons: tuple[str, ...]
    """Why a clip cannot be read; empty where it can."""


def embed_clips(
    encoder: VideoEncoder,
    clips: pd.DataFrame,
    sampling: Sampling,
    cache: Path,
    progress: Progress,
) -> Embedded:
    """Embed every clip of a table, or take from `cache` what an earlier run has made.

    Parameters
    ----------
    encoder
        Any encoder.
    clips
        Column path, each once.
    sampling
        Which frames.
    cache
        A folder of the encoder's own; what others left there is made again.
    progress
        Told of clips.
    """
    paths = [Path(path) for path in clips["path"]]
    parts = []
    for start in range(0, len(paths), CHUNK):
        some = paths[start : start + CHUNK]
        kept = cache / f"{start // CHUNK:05d}.npz"
        key = digest([encoder.fingerprint, asdict(sampling), [clip_state(path) for path in some]])
        part = _read(kept, key)
        if part is None:
            part = _embed(encoder, some, sampling, start, len(paths), progress)
            with files.atomic_path(kept) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, key=np.array(key), **part)
        parts.append(part)
        progress("clips", start + len(some), len(paths))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    reasons = tuple(map(str, joined["reasons"]))
    return Embedded(joined["video"], joined["average"], reasons)


def clip_state(path: Path) -> list[object]:
    """Give what tells that a clip is still the same: sizes and times of its files."""
    if not path.exists():
        return [str(path)]
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    return [[one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in inside]


def _embed(
    encoder: VideoEncoder,
    paths: Sequence[Path],
    sampling: Sampling,
    done: int,
    total: int,
    progress: Progress,
) -> dict[str, NDArray[np.generic]]:
    nothing = np.full(encoder.dim, np.nan, dtype=np.float32)
    video, average, reasons = [], [], []
    for number, path in enumerate(paths):
        one, mean, reason = nothing, nothing, ""
        try:
            windows = sampling.windows(count_frames(path))
            positions, where = np.unique(windows, return_inverse=True)
            frames = read_clip(path, positions.tolist())
            one, mean = embed_clip(encoder, frames, where.reshape(windows.shape))
        except RecordingError as error:
            reason = str(error)
        video.append(one)
        average.append(mean)
        reasons.append(reason)
        progress("clips", done + number, total)
    return {"video": np.stack(video), "average": np.stack(average), "reasons": np.array(reasons)}


def _read(path: Path, key: str) -> dict[str, NDArray[np.generic]] | None:
    """Read a kept file; None where it is of another run, damaged, absent or to be tried again."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            found: Mapping[str, NDArray[np.generic]] = dict(kept)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    if str(found.get("key")) != key or any(AGAIN in reason for reason in found["reasons"]):
        return None
    return {name: found[name] for name in ("video", "average", "reasons")}


def refuse_many(
    clips: pd.DataFrame, reasons: Sequence[str], most: float, stage: str = "zeroshot"
) -> pd.DataFrame:
    """List the clips that could not be read.

    Returns
    -------
    DataFrame
        stage, unit, id, reason.

    Raises
    ------
    DatasetError
        They are more than the share `most` of all.
    """
    lost = [(str(clip), why) for clip, why in zip(clips["clip"], reasons, strict=True) if why]
    if len(lost) > most * len(clips):
        shown = "; ".join(f"{clip}: {why}" for clip, why in lost[:5])
        raise DatasetError(
            f"{len(lost)} of {len(clips)} clips cannot be read; allowed: {most:.3g} of them "
            f"(--max-broken). {shown}. 'emoclip-clinic datasets check' lists them all."
        )
    return exclusion_table(Exclusion(stage, "clip", clip, why) for clip, why in lost)
