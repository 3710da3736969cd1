"""turns check: what the files of turns hold, before anything is encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.sources import require_recordings
from emoclip_clinic.pipeline.spoken import Spoken, TurnFiles, turn_choice
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.segments import plan
from emoclip_clinic.study import Study
from emoclip_clinic.turns import Stretch, shared

__all__ = ["check_turns"]


def check_turns(
    study: Study,
    *,
    turns: str | None = None,
    speaker: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    protocol: str | None = None,
) -> StageResult:
    """Read the files of turns as `encode` does, and say what is in them; nothing is written.

    A recording that `encode` would leave out for its turns is left out here, with the same reason.
    Windows are planned as there, but on frames that are evenly apart: none is decoded.

    Parameters
    ----------
    study
        With its recordings ingested.
    turns, speaker, sections, protocol
        As for `encode`.

    Raises
    ------
    SettingsError
        No files of turns are named.
    StudyError
        Nothing has been ingested.
    """
    choice = turn_choice(study.settings.encode, turns, speaker, sections)
    if choice is None:
        raise SettingsError(
            "no files of turns are named: give --turns, or write "
            'turns = "turns/{recording}.eaf" under [encode] in study.toml.'
        )
    recordings = require_recordings(study)
    usable = recordings[recordings["status"] == "usable"]
    files = TurnFiles.of(study, choice, usable)
    found = files.check()
    rows = [_row(name, one.stretches, files.span(name)) for name, one in found.items()]
    how = read_protocol(protocol or study.settings.encode.protocol, study.path)
    reasons = {
        name: _reason(one, files.span(name), rate_hz, how)
        for (name, one), rate_hz in zip(found.items(), usable["fps_mean"], strict=True)
    }
    lost = [Exclusion("turns", "recording", *one) for one in reasons.items() if one[1]]
    n_found = len(found) - len(lost)
    return StageResult(
        stage="turns check",
        message=f"{n_found} of {len(found)} recordings have turns to encode.",
        exclusions=exclusion_table(lost),
        notes=files.notes,
        summary={"n_recordings": len(found), "n_with_turns": n_found, "rows": rows},
        table=pd.DataFrame(
            rows, columns=["recording", "stretches", "spoken_s", "share"], dtype=str
        ),
    )


def _reason(spoken: Spoken, span: Stretch, rate_hz: float, protocol: EncodingProtocol) -> str:
    """Say why `encode` would leave a recording out; empty where it would not."""
    if spoken.reason:
        return spoken.reason
    start_s, end_s = span
    n_frames = max(1, round((end_s - start_s) * rate_hz))
    times_s = np.arange(n_frames) * (end_s - start_s) / n_frames
    own = [(low - start_s, high - start_s) for low, high in spoken.stretches]
    try:
        segments = plan(times_s, protocol, own).segments
    except RecordingError as error:
        return str(error)
    if any(not one.reason for one in segments):
        return ""
    # that of most frames, as `encode` lists it
    frames: Counter[str] = Counter()
    for one in segments:
        frames[one.reason] += one.n_frames
    return max(sorted(frames), key=frames.__getitem__)


def _row(name: str, stretches: tuple[Stretch, ...], span: Stretch) -> dict[str, str]:
    """Sum up what lies in the recording."""
    inside = shared(stretches, [span])
    spoken_s = sum(stop_s - start_s for start_s, stop_s in inside)
    return {
        "recording": name,
        "stretches": str(len(inside)),
        "spoken_s": f"{spoken_s:.1f}",
        "share": f"{spoken_s / (span[1] - span[0]):.2f}",
    }
