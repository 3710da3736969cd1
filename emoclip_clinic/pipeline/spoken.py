"""What the files of turns say of each recording: when its participant speaks, or why not known."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic.errors import SettingsError, TurnsError
from emoclip_clinic.segments import LATE_S, missed
from emoclip_clinic.settings import EncodeSettings
from emoclip_clinic.study import Study
from emoclip_clinic.turns import UNUSABLE, Stretch, Turn, TurnChoice, stretches
from emoclip_clinic.turns_files import KINDS, read
from emoclip_clinic.video.isolated import Limits, lead_s

__all__ = [
    "NO_FILE",
    "NO_TURN",
    "Spoken",
    "TurnFiles",
    "of_file",
    "on_clock",
    "turn_choice",
    "with_turns",
]

NO_FILE = "no file of turns"
NO_TURN = "no turn of the participant in its file of turns"
PLACEHOLDERS = ("recording", "participant", "session", "task", "stem")

ByRecording = dict[str, list[Turn]]
"""Turns of a file by the recording that they name, "" where they name none."""
Row = Mapping[Any, Any]
"""Of recordings.csv."""


@dataclass(frozen=True)
class Spoken:
    """What is known of one recording's turns."""

    file: str = ""
    """The file of turns, as study.toml's paths are written."""
    stretches: tuple[Stretch, ...] = ()
    """When the participant speaks, in the sections asked for."""
    reason: str = ""
    """Why the recording is left out; empty where there are stretches."""
    note: str = ""
    """What there is to know: what is wrong with the file, and where."""


def turn_choice(
    settings: EncodeSettings,
    given: str | TurnChoice | None = None,
    speaker: Iterable[str] | None = None,
    sections: Iterable[str] | None = None,
) -> TurnChoice | None:
    """Choose turns by what is given, a pattern or all there is to choose, else by the settings.

    Returns
    -------
        The choice; None where recordings are encoded whole: the pattern is empty.

    Raises
    ------
    SettingsError
        Speaker or sections are given without a pattern, or the pattern is not allowed.
    """
    choice = (
        given
        if isinstance(given, TurnChoice)
        else TurnChoice(
            settings.turns if given is None else given,
            settings.speaker if speaker is None else tuple(speaker),
            settings.sections if sections is None else tuple(sections),
            settings.join_pauses_s,
        )
    )
    if choice.pattern:
        _check(choice.pattern)
        return choice
    if given is None and (choice.speaker or choice.sections):
        raise SettingsError(
            "a speaker or a section is asked for, but no files of turns are named. Give --turns or "
            'write turns = "turns/{recording}.eaf" under [encode] in study.toml.'
        )
    return None


def _check(pattern: str) -> None:
    unknown = set(re.findall(r"\{(.*?)\}", pattern)) - set(PLACEHOLDERS)
    if unknown:
        allowed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise SettingsError(
            f"turns = {pattern!r}: {{{min(unknown)}}} is unknown; allowed: {allowed}"
        )
    if Path(pattern).suffix.lower() not in KINDS:
        raise SettingsError(
            f"turns = {pattern!r}: files of this kind are not read; allowed: {', '.join(KINDS)}. "
            "A workbook is saved as 'CSV UTF-8'."
        )


class TurnFiles:
    """The files of turns of a study's recordings.

    Parameters
    ----------
    study
        Where relative patterns begin.
    choice
        Which files, whose turns.
    rows
        Usable recordings.
    """

    def __init__(self, study: Study, choice: TurnChoice, rows: Iterable[Row]) -> None:
        self.study, self.choice = study, choice
        self.rows = {str(row["recording"]): row for row in rows}
        self.paths = {
            name: study.path / _filled(choice.pattern, row) for name, row in self.rows.items()
        }
        self._served = Counter(self.paths.values())
        self._called = Counter(path.name for path in self.paths.values())
        self._leads_s = _leads_s(study.quality_csv)
        self._everyone = Counter(other for row in self.rows.values() for other in _names(row))
        self._read: dict[Path, ByRecording | TurnsError] = {}
        self._found: dict[str, Spoken] = {}

    @classmethod
    def of(cls, study: Study, choice: TurnChoice, usable: pd.DataFrame) -> TurnFiles:
        """Take the rows of a recordings table."""
        return cls(study, choice, usable.to_dict("records"))

    @property
    def settings(self) -> dict[str, Any]:
        """For provenance."""
        return asdict(self.choice)

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each recording's file of turns, empty where there is none: for freshness."""
        return {
            f"turns of {name}": self.study.sha256(path) if path.is_file() else ""
            for name, path in self.paths.items()
        }

    def spoken(self) -> dict[str, Spoken]:
        """Read every file.

        Raises
        ------
        TurnsError
            There are recordings, and not one of them has a turn to encode.
        """
        found = self.check()
        if found and not any(one.stretches for one in found.values()):
            known = [one.note for one in found.values() if one.reason != NO_FILE]
            first = next(iter(known or [one.note for one in found.values()]))
            raise TurnsError(
                f"not one of {len(found)} recordings has turns to encode: {first} "
                "'emoclip-clinic turns check' lists what is wrong with each."
            )
        return found

    def check(self) -> dict[str, Spoken]:
        """Read every file, whatever is wrong with them."""
        self._found = {name: self._of(name) for name in self.rows}
        return self._found

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what is to be known of the files that were read."""
        if not self._found:
            return ()
        who: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, one in self._found.items():
            if one.note and one.reason != NO_FILE:
                who[one.file, one.note].append(name)
        return (*self._unheard, *(self._note(note, who[file, note]) for file, note in who))

    def _note(self, note: str, names: list[str]) -> str:
        """Say whom a note is about, where its file's name does not tell."""
        if len(names) > 1:
            return f"{len(names)} recordings: {note}"
        alone = self._called[self.paths[names[0]].name] == 1
        return note if alone else f"{names[0]}: {note}"

    def span(self, name: str) -> Stretch:
        """Give when a recording's first frame begins and its last one ends, as players count."""
        start_s = self._leads_s.get(name, 0.0)
        return start_s, start_s + float(self.rows[name]["duration_s"])

    @property
    def _unheard(self) -> list[str]:
        """Say which of the names asked for are in no file that was read."""
        files = [one for one in self._read.values() if isinstance(one, dict)]
        turns = [turn for one in files for some in one.values() for turn in some]
        speakers = {name.casefold() for turn in turns for name in (turn.speaker, turn.person)}
        sections = {turn.section.casefold() for turn in turns}
        wanted = [("speaker", name, speakers) for name in self.choice.speaker]
        wanted += [("section", name, sections) for name in self.choice.sections]
        return [
            f"{kind} {name!r} is in no file of turns"
            for kind, name, there in wanted
            if name.casefold() not in there
        ]

    def _of(self, name: str) -> Spoken:
        path = self.paths[name]
        file = self.study.relative(path)
        if not path.is_file():
            return Spoken(file, reason=NO_FILE, note=f"{file} is not there.")
        turns = self._turns(path)
        if isinstance(turns, TurnsError):
            return Spoken(file, reason=UNUSABLE, note=str(turns))
        try:
            own = self._own(turns, name)
            found = stretches(own, self.choice)
        except TurnsError as error:
            return Spoken(file, reason=error.reason or NO_TURN, note=f"{path.name}: {error}")
        start_s, end_s = self.span(name)
        # on the clock of the frames, as the windows are planned
        lasts_s = float(self.rows[name]["duration_s"])
        reason = missed(_moved(found, start_s), 0.0, lasts_s)
        note = _beyond(path.name, own, found, end_s) or (reason and f"{path.name}: {reason}.")
        return Spoken(file, () if reason else found, reason, note)

    def _turns(self, path: Path) -> ByRecording | TurnsError:
        """Read a file once, however many recordings it serves."""
        if path not in self._read:
            try:
                found: ByRecording = defaultdict(list)
                for turn in read(path):
                    found[turn.recording].append(turn)
                self._read[path] = found
            except TurnsError as error:
                self._read[path] = error
        return self._read[path]

    def _own(self, turns: ByRecording, name: str) -> list[Turn]:
        """Choose the turns of one recording from a file that may hold those of several."""
        known = set(turns) - {""}
        alone = self._served[self.paths[name]] == 1
        if not known and alone:
            return turns[""]
        if not known:
            raise TurnsError(
                "it serves several recordings, and does not say which turn is of which: add a "
                "column 'recording', or a placeholder such as {recording} to the path."
            )
        if "" in turns:
            raise TurnsError(f"{turns[''][0].place} names no recording, other rows do. Add it.")
        own = self._claimed(known, name, alone)
        if not own:
            raise TurnsError("it holds no turn of this recording.")
        return [turn for one in sorted(own) for turn in turns[one]]

    def _claimed(self, known: set[str], name: str, alone: bool) -> set[str]:
        """Choose the names of a file's recordings that mean this one."""
        own = known & _names(self.rows[name])
        if not alone:
            # a file name that several recordings have tells nothing
            return {one for one in own if self._everyone[one] == 1}
        # some programs write the sound file's path
        others = len(known) > 1 or bool(known & set(self._everyone))
        return own if own or others else known


def with_turns(usable: pd.DataFrame, files: TurnFiles | None) -> list[dict[Hashable, Any]]:
    """Give the rows of recordings.csv, each with its turns: None where none are asked for."""
    turns = files.spoken() if files else {}
    return [row | {"turns": turns.get(row["recording"])} for row in usable.to_dict("records")]


def of_file(path: Path, recording: Path, choice: TurnChoice) -> Spoken:
    """Read the turns of one recording from a file; of several in it, by the recording's file name.

    Raises
    ------
    TurnsError
        The file cannot be used, or has no turn of the participant.
    """
    turns = read(path)
    several = len({turn.recording for turn in turns}) > 1
    names = (recording.name, recording.stem)
    try:
        own = [turn for turn in turns if not several or turn.recording in names]
        if not own:
            raise TurnsError(f"it has turns of several recordings, and none of {recording.stem!r}.")
        return Spoken(path.name, stretches(own, choice))
    except TurnsError as error:
        raise TurnsError(f"{path.name}: {error}") from error


def on_clock(spoken: Spoken, path: Path, limits: Limits) -> list[Stretch]:
    """Give the stretches on the clock of the recording's frames, of which the first is at 0."""
    return _moved(spoken.stretches, lead_s(path, limits=limits))


def _moved(parts: Iterable[Stretch], by_s: float) -> list[Stretch]:
    return [(start_s - by_s, stop_s - by_s) for start_s, stop_s in parts]


def _leads_s(quality_csv: Path) -> dict[str, float]:
    """Read how long each recording runs before its first frame, as `ingest` measured it."""
    if not quality_csv.is_file():
        return {}
    table = pd.read_csv(quality_csv, dtype={"recording": str})
    late = table[table["measure"] == "late_start"].dropna(subset="value")
    return dict(zip(late["recording"], late["value"].astype(float), strict=True))


def _names(row: Row) -> set[str]:
    path = Path(str(row["path"]))
    return {str(row["recording"]), path.name, path.stem}


def _filled(pattern: str, row: Row) -> str:
    stem = Path(str(row["path"])).stem
    task = re.search(r"(?:^|_)task-([^_]+)", stem)
    names = {name: str(row[name]) for name in PLACEHOLDERS[:3]}
    names |= {"task": task[1] if task else "", "stem": stem}
    return re.sub(r"\{(.*?)\}", lambda found: names[found[1]], pattern)


def _beyond(file: str, turns: list[Turn], found: tuple[Stretch, ...], end_s: float) -> str:
    """Say what lies after the end of the recording, which is often another unit of time."""
    late_s = next((start_s for start_s, _ in found if start_s >= end_s + LATE_S), None)
    if late_s is not None:
        # a stretch starts where a turn or a section does
        place = next(turn.place for turn in turns if turn.start_s == late_s)
        return (
            f"{file}: {place} starts at {late_s:g} s, the recording ends at {end_s:g} s. Is it of "
            "this recording, and in seconds?"
        )
    if found[-1][1] > end_s + LATE_S:
        return (
            f"{file}: the last turn stops at {found[-1][1]:g} s and is cut at the recording's end, "
            f"{end_s:g} s."
        )
    return ""
