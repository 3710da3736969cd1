"""How long a recording runs before its first picture."""

from __future__ import annotations

from pathlib import Path

import av

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.container import decode_frames, open_video

__all__ = ["lead_s"]


def lead_s(path: Path) -> float:
    """Give the time from a file's start, as players count it, to its first frame.

    Players begin with the earliest stream. Where sound comes first, or where the first frames do
    not decode, what people noted by a player's clock is later by this than the frames' own times.

    Returns
    -------
        Seconds, 0 for most files; also where the file has no times.

    Raises
    ------
    RecordingError
        The file cannot be read, or no frame decodes.
    """
    with open_video(path) as (container, stream):
        start_s = (container.start_time or 0) / av.time_base
        frame = next(decode_frames(container, stream), None)
        if frame is None:
            raise RecordingError("no frame decodes")
        return 0.0 if frame.time is None else max(0.0, frame.time - start_s)
