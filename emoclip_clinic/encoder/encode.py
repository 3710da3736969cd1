"""Recordings to vectors, frame by frame: memory does not grow with a recording's length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from emoclip_clinic.encoder.batched import BatchedEncoder, Clip, EmbeddedFrame, Source
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
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.frames import padded
from emoclip_clinic.quality import beyond
from emoclip_clinic.segments import SEGMENT_COLUMNS, Plan, Segment
from emoclip_clinic.video.faces import FaceFinder, WholeFrame

__all__ = ["FEW_FACES", "NOT_DECODED", "NO_FACE_FOUND", "OTHERS_ONLY", "encode_recording"]

Frame = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

NOT_DECODED = "frames could not be decoded"
NO_FACE_FOUND = "no face found"
OTHERS_ONLY = "only other people's faces"
FEW_FACES = "too few frames with a face"

# the frames that open windows still need, by position
Ring = dict[int, tuple[Place, EmbeddedFrame]]


def encode_recording(
    frames: Iterable[tuple[int, Frame]],
    plan: Plan,
    batched: BatchedEncoder,
    face_finder: FaceFinder,
    protocol: EncodingProtocol,
    *,
    recording: str,
    times_s: npt.ArrayLike = (),
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
    batched
        Makes the vectors, for this recording and maybe for others.
    face_finder
        Finds the face of each frame.
    protocol
        The protocol that `plan` was made with.
    recording
        The recording's id, for the tables.
    times_s
        Presentation times of all its frames, for the longest gap between two; empty: not known.
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
        A vector is not finite, or the encoder failed.
    """
    log = FaceLog(len(plan.frames), times_s, face_finder)
    counted = _counted(frames, len(plan.frames), progress)
    watch, whole = watch or largest_face(face_finder), isinstance(face_finder, WholeFrame)
    encoder = batched.encoder
    crops = face_crops(counted, watch, protocol, encoder.image_size, log, whole=whole)
    with batched.source(keep_frames) as source:
        ordered = dict(_windows(crops, plan, source, protocol, log))
    made = [ordered[number].result() for number in sorted(ordered)]
    vectors = [_finite(clip.vector) for clip in made]
    kept = [clip.frames.cpu().numpy() for clip in made if clip.frames is not None]
    segments = _table(plan, log, protocol, recording)
    return RecordingFeatures(
        recording=recording,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        segments=segments,
        vectors=np.stack(vectors) if vectors else np.zeros((0, encoder.dim), np.float32),
        quality=log.table(recording, lead),
        window_quality=log.looks.of_windows(plan, segments),
        notice=encoder.notice,
        frames=padded(kept, encoder.dim) if keep_frames else None,
    )


def _windows(
    crops: Iterator[Crop], plan: Plan, source: Source, protocol: EncodingProtocol, log: FaceLog
) -> Iterator[tuple[int, Future[Clip]]]:
    """Give number and vector-to-be of each used window as soon as its last frame was read."""
    ring: Ring = {}
    # by their last sample: the order in which windows are complete
    read = [item for item in enumerate(plan.segments) if item[1].positions]
    waiting = deque(sorted(read, key=lambda item: max(item[1].positions)))

    def complete(position: int) -> Iterator[tuple[int, Future[Clip]]]:
        while waiting and max(waiting[0][1].positions) <= position:
            number, segment = waiting.popleft()
            if not _why_not(segment, log, protocol):
                yield number, source.clip(_clip(segment, ring))
            oldest = min((min(segment.positions) for _, segment in waiting), default=position)
            for done in [one for one in ring if one < oldest]:
                del ring[done]

    for crop in crops:
        ring[crop.place.position] = crop.place, source.frame(crop.pixels)
        yield from complete(crop.place.position)
    yield from complete(len(plan.frames))


def _counted(
    frames: Iterable[tuple[int, Frame]], total: int, progress: Progress | None
) -> Iterator[tuple[int, Frame]]:
    for done, item in enumerate(frames, start=1):
        yield item
        if progress is not None:
            progress(done, total)


def _clip(segment: Segment, ring: Ring) -> list[EmbeddedFrame]:
    """Give the frames that a window uses."""
    low, high = min(segment.positions), max(segment.positions)
    return [
        ring[position][1]
        for position in segment.positions
        if position in ring and ring[position][0].is_within(low, high)
    ]


def _finite(vector: torch.Tensor) -> Vector:
    # one of its frames is enough to make a vector no number
    if not torch.isfinite(vector).all():
        raise EncoderError(
            "the encoder gave a value that is not a finite number; nothing was written. "
            "Check the weights with 'emoclip-clinic weights list' and the device with "
            "'emoclip-clinic doctor'."
        )
    return vector.cpu().numpy()


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
