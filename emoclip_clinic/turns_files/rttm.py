"""RTTM, what programs of speaker diarisation write.

Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A:
type, file, channel, start (s), duration (s), orthography, subtype, speaker, confidence, lookahead.
"""

from __future__ import annotations

import math

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Turn, make_turn

__all__ = ["read"]

N_FIELDS = 8
"""The speaker is the last that is needed; some programs leave out those after it."""


def read(text: str) -> list[Turn]:
    """Read the SPEAKER lines; comments and lines of other types are no turns.

    Raises
    ------
    TurnsError
        A line has too few fields; the message has its number.
    """
    lines = enumerate(text.splitlines(), start=1)
    cut = [(number, line.split()) for number, line in lines if line.strip()]
    return [_turn(number, fields) for number, fields in cut if fields[0] == "SPEAKER"]


def _turn(number: int, fields: list[str]) -> Turn:
    place = f"line {number}"
    if len(fields) < N_FIELDS:
        raise TurnsError(
            f"{place} has {len(fields)} fields, at least {N_FIELDS} are needed: SPEAKER file "
            "channel start duration <NA> <NA> speaker."
        )
    start_s = duration_s = math.nan
    problem = ""
    try:
        start_s, duration_s = float(fields[3]), float(fields[4])
    except ValueError:
        problem = (
            f"{place}: start {fields[3]!r} and duration {fields[4]!r} must be numbers of seconds."
        )
    stop_s, names = start_s + duration_s, {"speaker": fields[7], "recording": fields[1]}
    return make_turn(start_s, stop_s, place, problem=problem, **names)
