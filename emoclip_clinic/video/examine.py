"""Examine a recording: its row of recordings.csv, and its rows of the quality table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic.errors import DecoderError, RecordingError
from emoclip_clinic.recordings import Recording
from emoclip_clinic.scan import Found
from emoclip_clinic.video.picture import MAX_ASPECT
from emoclip_clinic.video.probe import Probe, probe

__all__ = ["QUALITY_COLUMNS", "examine", "left_out", "quality"]

QUALITY_COLUMNS = ("recording", "measure", "value", "unit", "flag", "note")

# what the encoder makes of a recording sets most limits: 32 frames at 6.25 Hz are a window
MIN_DURATION_S = 32 / 6.25
"""Shorter than one window."""
MIN_RATE_HZ = 2 * 6.25
"""Below, the frame nearest to a sample can be more than 40 ms away from it."""
MAX_GAP_S = 3 / 6.25
"""Longer, three samples in a row would show the same frame."""
MAX_LATE_S = 0.25
"""More than what lies between the starts of sound and picture, or the order of frames takes."""
MIN_SHORT_SIDE = 240
"""Below, a face that fills a third of the picture has less than 80 pixels."""
MIN_BRIGHTNESS, MAX_BRIGHTNESS = 40.0, 220.0
"""Of 255: beyond, skin tones are crushed or washed out."""
MIN_SHARPNESS = 10.0
"""The sharp clips measured have 190 to 220; blurred by 0.5 % of their width they have 5 to 13."""


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
    return row, pd.DataFrame(columns=list(QUALITY_COLUMNS))


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
        A row a measure: recording, measure, value, unit, flag ("ok" or "warn"), note (why it
        warns, else empty). The limits are the constants of this module.
    """
    rows = [
        (recording, measure, float(value), unit, "warn" if note else "ok", note)
        for measure, value, unit, note in (*_completeness(facts), *_picture(facts))
    ]
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))


def _completeness(facts: Probe) -> Iterator[tuple[str, float, str, str]]:
    """Measure, value, unit and warning of what there is in time."""
    if facts.n_frames_header is not None and facts.n_frames_decoded is not None:
        missing = max(0, facts.n_frames_header - facts.n_frames_decoded)
        note = f"header {facts.n_frames_header}, {facts.n_frames_decoded} decode"
        if facts.n_frames_hidden:
            note += f"; {facts.n_frames_hidden} lie before the start that the file names"
        yield "frames_missing", missing, "frames", note if missing else ""
    if facts.n_frames_decoded is not None:
        note = f"the first at {facts.damage_s[0]:.1f} s" if facts.damage_s else ""
        yield "damaged_packets", len(facts.damage_s), "packets", note
    gaps_s = np.diff(facts.times_s, append=facts.times_s[-1])
    gap_s, gap_at_s = gaps_s.max(), facts.times_s[gaps_s.argmax()]
    note = f"the same picture for {gap_s:.1f} s from {gap_at_s:.1f} s on"
    yield "longest_gap", gap_s, "s", note if gap_s > MAX_GAP_S else ""
    note = "times count from the first picture: those of a player are so much later"
    yield "late_start", facts.start_s, "s", note if facts.start_s > MAX_LATE_S else ""
    note = "shorter than a window of 32 frames at 6.25 Hz"
    yield "duration", facts.duration_s, "s", note if facts.duration_s < MIN_DURATION_S else ""
    note = f"less than {MIN_RATE_HZ} frames a second: the nearest frame can be far from a sample"
    yield "frame_rate", facts.fps_mean, "Hz", note if facts.fps_mean < MIN_RATE_HZ else ""
    untimed = 0 if facts.timed else len(facts.times_s)
    note = "the file has no times: they are counted at its nominal rate"
    yield "frames_untimed", untimed, "frames", note if untimed else ""
    note = "frames that the file does not present later than the frame before"
    yield "frames_disordered", facts.n_disordered, "frames", note if facts.n_disordered else ""
    n_set_back = len(facts.set_back_s)
    note = f"from {facts.set_back_s[0]:.1f} s on time is counted on" if n_set_back else ""
    yield "clock_set_back", n_set_back, "times", note
    # the face is encoded without it
    yield "audio", facts.has_audio, "1 with sound, 0 without", ""


def _picture(facts: Probe) -> Iterator[tuple[str, float, str, str]]:
    """Measure, value, unit and warning of what there is to see."""
    short_side = min(facts.width, facts.height)
    note = f"short side below {MIN_SHORT_SIDE} pixels: faces are small"
    yield "short_side", short_side, "pixels", note if short_side < MIN_SHORT_SIDE else ""
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
    note = "dark" if facts.brightness < MIN_BRIGHTNESS else ""
    note = "overexposed" if facts.brightness > MAX_BRIGHTNESS else note
    yield "brightness", facts.brightness, "grey level (0-255)", note
    note = "blurred, or without detail" if facts.sharpness < MIN_SHARPNESS else ""
    yield "sharpness", facts.sharpness, "variance of the Laplacian", note
