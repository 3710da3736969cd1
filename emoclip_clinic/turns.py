"""Who spoke when, and which part of the interview it was: turns, and the stretches made of them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.resources import close_matches

__all__ = [
    "SEVERAL", "UNUSABLE", "Stretch", "Turn", "TurnChoice", "clock_s", "make_turn", "merged",
    "shared", "stretches",
]  # fmt: skip

Stretch = tuple[float, float]
"""Start and stop in seconds, [start, stop)."""

NAMES_SHOWN = 12
UNUSABLE = "its file of turns cannot be used"
SEVERAL = "several speakers in its file of turns, and none was named"
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:[.,]\d*)?)", re.ASCII)
"""h:mm:ss or m:ss, as players show it."""


@dataclass(frozen=True)
class Turn:
    """Somebody's turn to speak, or a section of the interview: [start_s, stop_s)."""

    start_s: float
    """Seconds after the recording's start, as players count."""
    stop_s: float
    """Equal to `start_s` for an event without a duration."""
    speaker: str = ""
    """Name of the speaker or of the tier; empty where the file names none."""
    section: str = ""
    """Name of the section, or what is written on the tier; empty where there is none."""
    person: str = ""
    """Another name of the speaker: the participant of an ELAN tier."""
    recording: str = ""
    """The recording that it belongs to, where the file says so."""
    place: str = ""
    """Where it stands in its file, such as "row 7"."""
    problem: str = ""
    """What is wrong with it, and where; then it has no times. Empty for all others."""


@dataclass(frozen=True)
class TurnChoice:
    """Which turns are encoded: `turns`, `speaker` and `sections` of study.toml."""

    pattern: str = ""
    """Path of the files of turns; empty: recordings are encoded whole."""
    speaker: tuple[str, ...] = ()
    """Names of the participant, any of which may occur; empty: whoever speaks."""
    sections: tuple[str, ...] = ()
    """Names of sections; empty: all."""
    join_pauses_s: float = 0.0
    """Turns with a pause of up to so many seconds between them are one."""


def make_turn(
    start_s: float,
    stop_s: float,
    place: str,
    *,
    speaker: str = "",
    section: str = "",
    person: str = "",
    recording: str = "",
    problem: str = "",
) -> Turn:
    """Make a turn of a row, names without spaces around.

    Where its times are negative or no numbers, or it stops before it starts, or `problem` is given,
    it has a problem, which counts when somebody asks for this turn.
    """
    problem = problem or _problem(start_s, stop_s, place)
    if problem:
        start_s = stop_s = math.nan
    speaker, section, person, recording = map(_clean, (speaker, section, person, recording))
    return Turn(start_s, stop_s, speaker, section, person, recording, place, problem)


def _problem(start_s: float, stop_s: float, place: str) -> str:
    if not (math.isfinite(start_s) and math.isfinite(stop_s)) or start_s < 0:
        return (
            f"{place}: from {start_s} to {stop_s} s; times are numbers from 0 on. Correct the row."
        )
    if stop_s < start_s:
        return f"{place}: it stops at {stop_s} s, before it starts at {start_s} s. Correct the row."
    return ""


def clock_s(text: str) -> float | None:
    """Read h:mm:ss or m:ss, with decimals or not, in seconds; None where it is no such time."""
    found = CLOCK.fullmatch(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[1] or 0), int(found[2]), float(found[3].replace(",", "."))
    # 1:75 is a misprint
    if seconds >= 60 or (found[1] and minutes >= 60):
        return None
    return 3600 * hours + 60 * minutes + seconds


def stretches(turns: Sequence[Turn], choice: TurnChoice) -> tuple[Stretch, ...]:
    """Find when the participant speaks, within the sections that are asked for.

    Turns that overlap or touch, or have a pause between them that is joined, become one stretch;
    sections are taken as they are. Speaker and section are looked for independently, so that they
    may stand in one row, in different rows or on different tiers.

    Parameters
    ----------
    turns
        Of one recording, in any order.
    choice
        Speaker and sections, and the pauses that are joined.

    Returns
    -------
        Stretches in order, none touching another.

    Raises
    ------
    TurnsError
        A name is not there, none has a duration, there are several speakers and none is chosen, or
        something is wrong with a turn that is asked for.
    """
    found: tuple[Stretch, ...] | None = None
    if choice.speaker:
        own = _named(turns, choice.speaker, "speaker", _speakers)
        found = _lasting(own, choice.join_pauses_s)
    if choice.sections:
        parts = _lasting(_named(turns, choice.sections, "section", lambda turn: (turn.section,)))
        found = parts if found is None else shared(found, parts)
    if found is None:
        _refuse_several(turns)
        found = _lasting(turns, choice.join_pauses_s)
    return found


def merged(parts: Iterable[Stretch], pause_s: float = 0.0) -> tuple[Stretch, ...]:
    """Sort stretches, join those at most a pause apart, and leave out empty ones."""
    joined: list[Stretch] = []
    for start_s, stop_s in sorted(part for part in parts if part[0] < part[1]):
        if joined and start_s <= joined[-1][1] + pause_s:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop_s))
        else:
            joined.append((start_s, stop_s))
    return tuple(joined)


def shared(one: Sequence[Stretch], other: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Give what lies in both of two series of stretches, each as `merged` makes it."""
    both, here, there = [], 0, 0
    while here < len(one) and there < len(other):
        both.append((max(one[here][0], other[there][0]), min(one[here][1], other[there][1])))
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return merged(both)


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _speakers(turn: Turn) -> tuple[str, ...]:
    return turn.speaker, turn.person


def _named(
    turns: Sequence[Turn],
    wanted: tuple[str, ...],
    kind: str,
    names_of: Callable[[Turn], tuple[str, ...]],
) -> list[Turn]:
    """Choose turns by name, capitals or not."""
    keys = {_clean(name).casefold() for name in wanted}
    found = [turn for turn in turns if any(name.casefold() in keys for name in names_of(turn))]
    if found:
        return found
    there = sorted({name for turn in turns for name in names_of(turn) if name})
    asked = " or ".join(map(repr, wanted))
    if not there:
        raise TurnsError(f"no {kind} is named in it; asked for was {asked}. Add a column {kind}.")
    if kind == "speaker":
        raise TurnsError(f"no speaker {asked}; those there are {_listed(there)}.")
    # on a tier these are what was said: only what is like the question is shown
    hint = close_matches(wanted[0], there)
    raise TurnsError(f"no section {asked} among {len(there)} names. {hint}".strip())


def _lasting(turns: Sequence[Turn], pause_s: float = 0.0) -> tuple[Stretch, ...]:
    wrong = next((turn for turn in turns if turn.problem), None)
    if wrong:
        raise TurnsError(wrong.problem, UNUSABLE)
    found = merged(((turn.start_s, turn.stop_s) for turn in turns), pause_s)
    if not found:
        first = f" ({turns[0].place})" if turns else ""
        raise TurnsError(f"none of the turns that were asked for has a duration{first}.")
    return found


def _refuse_several(turns: Sequence[Turn]) -> None:
    there = sorted({turn.speaker for turn in turns})
    if len(there) > 1:
        raise TurnsError(
            f"it has several speakers, {_listed(there)}: say which is the participant, with "
            "'speaker' under [encode] in study.toml or with --speaker.",
            SEVERAL,
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(repr(name) for name in names[:NAMES_SHOWN]) + more
