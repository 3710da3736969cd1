"""Examine a recording: its row of recordings.csv, and its rows of the quality table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic.errors import DecoderError, RecordingError
from emoclip_clinic.flags import MEASURED_COLUMNS
from emoclip_clinic.recordings import Recording
from emoclip_clinic.scan import Found
from emoclip_clinic.video.picture import MAX_ASPECT
from emoclip_clinic.video.probe import Probe, probe

__all__ = ["examine", "left_out", "quality"]


def examine(
    found: Found,
    path: str,
    sha256: str,
    decode: bool = True,
    look: Callable[[Path, bool], Probe] = probe,
) -> tuple[Recording, pd.DataFrame]:
    """Probe one recording; what is wrong with it is in the result, never an error.

    Parameters
    ----------
    found
        The file and whose it is, from `scan`.
    path
        The path as recordings.csv shall have it.
    sha256
        Of its content.
    decode
        As `probe`.
    look
        Looks into the file: `probe`, or `isolated.probe`.

    Returns
    -------
    Recording
        "usable", or "excluded" with the reason.
    pandas.DataFrame
        As `quality`; no rows if it is excluded.

    Raises
    ------
    DecoderError
        `look` did not come to its end: another run may.
    """
    try:
        facts = look(found.path, decode)
    except DecoderError:
        raise
    except RecordingError as error:
        return left_out(found, path, sha256, str(error))
    row = replace(
        _row(found, path, sha256),
        container=facts.container,
        codec=facts.codec,
        width=facts.width,
        height=facts.height,
        rotation_deg=facts.rotation_deg,
        duration_s=facts.duration_s,
        n_frames_header=facts.n_frames_header,
        n_frames_decoded=facts.n_frames_decoded,
        fps_mean=facts.fps_mean,
        variable_rate=facts.variable_rate,
        has_audio=facts.has_audio,
    )
    return row, quality(found.recording, facts)


def left_out(found: Found, path: str, sha256: str, reason: str) -> tuple[Recording, pd.DataFrame]:
    """Give what `examine` gives of a recording that is excluded."""
    row = replace(_row(found, path, sha256), status="excluded", reason=reason)
    return row, pd.DataFrame(columns=list(MEASURED_COLUMNS))


def _row(found: Found, path: str, sha256: str) -> Recording:
    size_bytes = 0
    with contextlib.suppress(OSError):
        size_bytes = found.path.stat().st_size if found.path.is_file() else 0
    return Recording(
        found.recording, found.participant, found.session, path, sha256, size_bytes=size_bytes
    )


def quality(recording: str, facts: Probe) -> pd.DataFrame:
    """Measure what makes a recording better or worse to analyse.

    Returns
    -------
    pandas.DataFrame
        A row a measure: recording, measure, value, unit, note. Which of them warn is for
        `flags.flagged` to say: of a measure that has a limit, the note is what a warning says
        beside the limit's own words; any other warns where it has a note.
    """
    rows = [
        (recording, measure, float(value), unit, note)
        for measure, value, unit, note in (*_completeness(facts), *_picture(facts))
    ]
    return pd.DataFrame(rows, columns=list(MEASURED_COLUMNS))


def _completeness(facts: Probe) -> Iterator[tuple[str, float, str, str]]:
    """Measure, value, unit and note of what there is in time."""
    if facts.n_frames_header is not None and facts.n_frames_decoded is not None:
        missing = max(0, facts.n_frames_header - facts.n_frames_decoded)
        note = f"header {facts.n_frames_header}, {facts.n_frames_decoded} decode"
        if facts.n_frames_hidden:
            note += f"; {facts.n_frames_hidden} lie before the start that the file names"
        yield "frames_missing", missing, "frames", note
    if facts.n_frames_decoded is not None:
        note = f"the first at {facts.damage_s[0]:.1f} s" if facts.damage_s else ""
        yield "damaged_packets", len(facts.damage_s), "packets", note
    gaps_s = np.diff(facts.times_s, append=facts.times_s[-1])
    gap_s, gap_at_s = gaps_s.max(), facts.times_s[gaps_s.argmax()]
    note = f"the same picture for {gap_s:.1f} s from {gap_at_s:.1f} s on"
    yield "longest_gap", gap_s, "s", note
    yield "late_start", facts.start_s, "s", ""
    yield "duration", facts.duration_s, "s", ""
    yield "frame_rate", facts.usual_rate_hz, "Hz", ""
    untimed = 0 if facts.timed else len(facts.times_s)
    note = "the file has no times: they are counted at its nominal rate"
    yield "frames_untimed", untimed, "frames", note if untimed else ""
    yield "frames_disordered", facts.n_disordered, "frames", ""
    n_set_back = len(facts.set_back_s)
    note = f"from {facts.set_back_s[0]:.1f} s on time is counted on" if n_set_back else ""
    yield "clock_set_back", n_set_back, "times", note
    # the face is encoded without it
    yield "audio", facts.has_audio, "1 with sound, 0 without", ""


def _picture(facts: Probe) -> Iterator[tuple[str, float, str, str]]:
    """Measure, value, unit and note of what there is to see."""
    yield "short_side", min(facts.width, facts.height), "pixels", ""
    absurd = not 1 / MAX_ASPECT <= facts.pixel_aspect <= MAX_ASPECT
    note = "no camera has such pixels: they are taken for square"
    yield "pixel_aspect", facts.pixel_aspect, "ratio", note if absurd else ""
    note = "left and right are exchanged, as the file says and a player does"
    yield "mirrored", facts.mirrored, "0 or 1", note if facts.mirrored else ""
    note = "several pictures in one file: the default or the largest is read"
    yield "video_streams", facts.n_streams, "streams", note if facts.n_streams > 1 else ""
    note = "high dynamic range: brought to the ordinary one by ITU-R BT.2390"
    yield "hdr", facts.hdr, "0 or 1", note if facts.hdr else ""
    note = "interlaced: whole pictures are made of the fields" if facts.interlaced_share else ""
    yield "interlaced", facts.interlaced_share, "share", note
    yield "brightness", facts.brightness, "grey level (0-255)", ""
    yield "sharpness", facts.sharpness, "variance of the Laplacian", ""
