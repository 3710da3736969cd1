"""turns check: what the files of turns hold, before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.pipeline.sources import require_recordings
from emoclip_clinic.pipeline.spoken import Spoken, TurnFiles, turn_choice
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.study import Study

__all__ = ["check_turns"]


def check_turns(
    study: Study,
    *,
    turns: str | None = None,
    speaker: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
) -> StageResult:
    """Read the files of turns as `encode` does, and say what is in them; nothing is written.

    Parameters
    ----------
    study
        With its recordings ingested.
    turns, speaker, sections
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
    rows = [
        _row(name, one, float(duration_s))
        for (name, one), duration_s in zip(found.items(), usable["duration_s"], strict=True)
    ]
    lost = [Exclusion("turns", "recording", name, one.reason) for name, one in found.items()]
    n_found = sum(bool(one.stretches) for one in found.values())
    return StageResult(
        stage="turns check",
        message=f"{n_found} of {len(found)} recordings have turns to encode.",
        exclusions=exclusion_table(one for one in lost if one.reason),
        notes=files.notes,
        summary={"n_recordings": len(found), "n_with_turns": n_found, "rows": rows},
        table=pd.DataFrame(
            rows, columns=["recording", "stretches", "spoken_s", "share"], dtype=str
        ),
    )


def _row(name: str, spoken: Spoken, duration_s: float) -> dict[str, str]:
    return {
        "recording": name,
        "stretches": str(len(spoken.stretches)),
        "spoken_s": f"{spoken.spoken_s:.1f}",
        "share": f"{spoken.spoken_s / duration_s:.2f}",
    }
