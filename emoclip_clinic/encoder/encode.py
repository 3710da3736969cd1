"""Recordings to vectors, frame by frame: memory does not grow with a recording's length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from emoclip_clinic.encoder.crops import (
    FACE,
    OTHER_FACE,
    UNREAD,
    Crop,
    FaceLog,
    Place,
    Watch,
    face_crops,
    largest_face,
)
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.frames import padded
from emoclip_clinic.quality import beyond
from emoclip_clinic.segments import SEGMENT_COLUMNS, EncodingProtocol, Plan, Segment
from emoclip_clinic.video.faces import FaceFinder, WholeFrame

__all__ = ["FEW_FACES", "NOT_DECODED", "NO_FACE_FOUND", "OTHERS_ONLY", "encode_recording"]

Frame = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

NOT_DECODED = "frames could not be decoded"
NO_FACE_FOUND = "no face found"
OTHERS_ONLY = "only other people's faces"
FEW_FACES = "too few frames with a face"

# embeddings (dim,) of the frames that open windows still need, by position
Ring = dict[int, tuple[Place, torch.Tensor]]


def encode_recording(
    frames: Iterable[tuple[int, Frame]],
    plan: Plan,
    encoder: VideoEncoder,
    face_finder: FaceFinder,
    protocol: EncodingProtocol,
    *,
    recording: str,
    times_s: npt.ArrayLike = (),
    batch_size: int = 32,
    progress: Progress | None = None,
    watch: Watch | None = None,
    lead: float = float("nan"),
    keep_frames: bool = False,
) -> RecordingFeatures:
    """Encode the windows of a recording.

    Each sampled frame is embedded once, however windows overlap. Frames without a face are left
    out of their clip; the temporal layers take what remains, in order. A crop that was interpolated
    over a gap is used by the windows that hold both detections around it, so that a window's
    vector is the same whether it is encoded alone or within its recording.

    Parameters
    ----------
    frames
        Position in `plan.frames`, ascending, and pixels, uint8 (height, width, 3) RGB.
    plan
        The windows.
    encoder
        Makes the vectors, on its device.
    face_finder
        Finds the face of each frame.
    protocol
        The protocol that `plan` was made with.
    recording
        The recording's id, for the tables.
    times_s
        Presentation times of all its frames, for the longest gap between two; empty: not known.
    batch_size
        Frames that are embedded at once.
    progress
        Called with the frames read so far, and of how many.
    watch
        Tells whose face the participant's is; if it is not given, the largest of each frame is.
    lead
        By how much a rule preferred the participant to somebody else (`video.choosing.lead`).
    keep_frames
        Whether the embeddings of each window's frames are given too.

    Returns
    -------
    RecordingFeatures
        A row a window; `face_fraction` is the fraction of the window's own samples in which a face
        was detected: neither interpolated nor reflected ones count.

    Raises
    ------
    EncoderError
        An embedding is not finite.
    """
    log = FaceLog(len(plan.frames), times_s, face_finder)
    counted = _counted(frames, len(plan.frames), progress)
    watch, whole = watch or largest_face(face_finder), isinstance(face_finder, WholeFrame)
    crops = face_crops(counted, watch, protocol, encoder.image_size, log, whole=whole)
    with torch.inference_mode():
        found = {
            number: (_embed_clip(clip, encoder), clip.cpu().numpy() if keep_frames else None)
            for number, clip in _windows(crops, plan, encoder, protocol, log, batch_size)
        }
    used = [found[number][0] for number in sorted(found)]
    clips = [clip for _, (_, clip) in sorted(found.items()) if clip is not None]
    segments = _table(plan, log, protocol, recording)
    return RecordingFeatures(
        recording=recording,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        segments=segments,
        vectors=np.stack(used) if used else np.zeros((0, encoder.dim), np.float32),
        quality=log.table(recording, lead),
        window_quality=log.looks.of_windows(plan, segments),
        notice=encoder.notice,
        frames=padded(clips, encoder.dim) if keep_frames else None,
    )


def _windows(
    crops: Iterator[Crop],
    plan: Plan,
    encoder: VideoEncoder,
    protocol: EncodingProtocol,
    log: FaceLog,
    batch_size: int,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Give number and frames of each used window as soon as its last one is embedded."""
    # prepared one by one: a batch of whole frames could be large
    prepared = ((crop, encoder.preprocess(crop.pixels[None])) for crop in crops)
    ring: Ring = {}
    # by their last sample: the order in which windows are complete
    read = [item for item in enumerate(plan.segments) if item[1].positions]
    waiting = sorted(read, key=lambda item: max(item[1].positions))
    while waiting:
        batch = [(crop.place, pixels) for crop, pixels in islice(prepared, batch_size)]
        ring.update(_embed(batch, encoder))
        done = batch[-1][0].position if batch else len(plan.frames)
        while waiting and max(waiting[0][1].positions) <= done:
            number, segment = waiting.pop(0)
            if not _why_not(segment, log, protocol):
                yield number, _clip(segment, ring)
        oldest = min((min(segment.positions) for _, segment in waiting), default=done)
        ring = {position: one for position, one in ring.items() if position >= oldest}


def _counted(
    frames: Iterable[tuple[int, Frame]], total: int, progress: Progress | None
) -> Iterator[tuple[int, Frame]]:
    for done, item in enumerate(frames, start=1):
        yield item
        if progress is not None:
            progress(done, total)


def _embed(batch: list[tuple[Place, torch.Tensor]], encoder: VideoEncoder) -> Ring:
    if not batch:
        return {}
    vectors = encoder.encode_frames(torch.cat([pixels for _, pixels in batch]))
    _check_finite(vectors)
    return {
        place.position: (place, vector) for (place, _), vector in zip(batch, vectors, strict=True)
    }


def _clip(segment: Segment, ring: Ring) -> torch.Tensor:
    """Embeddings of the frames that a window uses, (time, dim)."""
    low, high = min(segment.positions), max(segment.positions)
    clip = [
        ring[position][1]
        for position in segment.positions
        if position in ring and ring[position][0].is_within(low, high)
    ]
    return torch.stack(clip)


def _embed_clip(clip: torch.Tensor, encoder: VideoEncoder) -> Vector:
    vector = encoder.encode_temporal(clip[None])[0]
    _check_finite(vector)
    return vector.cpu().numpy()


def _check_finite(vectors: torch.Tensor) -> None:
    if not torch.isfinite(vectors).all():
        raise EncoderError(
            "the encoder gave a value that is not a finite number; nothing was written. "
            "Check the weights with 'emoclip-clinic weights list' and the device with "
            "'emoclip-clinic doctor'."
        )


def _face_fraction(segment: Segment, log: FaceLog) -> float:
    if not segment.positions:
        return float("nan")
    return float((log.seen[list(segment.positions[: segment.n_frames])] == FACE).mean())


def _why_not(segment: Segment, log: FaceLog, protocol: EncodingProtocol) -> str:
    """Reason to exclude a window whose frames were all read; empty to use it."""
    fraction = _face_fraction(segment, log)
    if segment.reason:
        return segment.reason
    if (log.seen[list(segment.positions)] == UNREAD).all():
        return NOT_DECODED
    if fraction == 0:
        others = (log.seen[list(segment.positions)] == OTHER_FACE).any()
        return OTHERS_ONLY if others else NO_FACE_FOUND
    if fraction < protocol.min_face_fraction:
        return FEW_FACES
    return beyond(log.looks.of_window(segment, fraction), protocol.quality)


def _table(plan: Plan, log: FaceLog, protocol: EncodingProtocol, recording: str) -> pd.DataFrame:
    rows = []
    for number, segment in enumerate(plan.segments):
        reason = _why_not(segment, log, protocol)
        status = "excluded" if reason else "used"
        rows.append(
            (
                recording, number, segment.start_s, segment.stop_s, segment.n_frames,
                _face_fraction(segment, log), segment.padded, status, reason,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SEGMENT_COLUMNS))
