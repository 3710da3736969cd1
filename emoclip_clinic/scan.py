"""Find the recordings in a folder, and read from each path whose they are."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.recordings import DEFAULT_SESSION, Exclusion

__all__ = ["EXTENSIONS", "Found", "Scan", "named_apart", "plain_id", "safe_id", "scan"]

EXTENSIONS = ("mp4", "mov", "mkv", "avi", "webm", "m4v", "mts")
"""File name extensions of recordings, in any case."""

PLACEHOLDERS = ("participant", "session", "run", "*")
# 255 bytes is what file systems allow; an extension and a temporary name need some of them
ID_BYTES = 180


@dataclass(frozen=True)
class Found:
    """A file that is a recording by its name."""

    path: Path
    participant: str
    session: str
    run: str
    """Empty where the path names none."""
    recording: str
    """Unique id, safe as a file name."""


@dataclass(frozen=True)
class Scan:
    """What there is in a folder."""

    found: list[Found]
    """Recordings, in the order of their paths."""
    exclusions: list[Exclusion]
    """Recordings whose path does not match the pattern."""
    left_alone: list[Path]
    """Files that are not recordings, and hidden files and folders."""


def scan(folder: Path, pattern: str | None = None) -> Scan:
    """Find every recording below a folder.

    Without a pattern, participant and session come from BIDS names (`sub-01_ses-02_video.mp4`);
    else from folders (`participant/file`, `participant/session/file`); else, for a file that lies
    in `folder` itself, the participant is the file's name. A path that names no session is of
    session "01". Symbolic links are followed, each folder is visited once.

    Parameters
    ----------
    folder
        Where to look.
    pattern
        How paths below the folder, without extension, are made: `{participant}/visit{session}_{*}`,
        of {participant} (needed), {session}, {run} and {*}, each at least one character (`{*}`:
        any number) and no slash. A pattern without a slash is matched with the file's name alone.

    Raises
    ------
    RecordingError
        The folder is not there, cannot be read or holds no recording.
    SettingsError
        The pattern has no {participant}, has an unknown placeholder or matches no recording.
    """
    rule = None if pattern is None else _compile(pattern)
    recordings, left_alone = _files(folder)
    if not recordings:
        raise RecordingError(
            f"there is no recording in {folder} ({len(left_alone)} other files). A recording is a "
            f"file that ends in {', '.join('.' + name for name in EXTENSIONS)}."
        )
    found, unmatched, taken = [], [], set[str]()
    for path in recordings:
        below = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        keys = _by_convention(below) if rule is None else _by_pattern(below, rule)
        if keys is None or not _is_unicode(below + os.path.realpath(path)):
            name = _unique(safe_id(Path(below).stem), taken)
            reason = "the path does not match the pattern" if keys is None else "not a Unicode path"
            unmatched.append(Exclusion("ingest", "recording", name, reason))
            continue
        found.append(Found(path, *keys, recording=""))
    if pattern is not None and not found:
        raise _refusal(pattern, f"no recording matches it, the first is {recordings[0]}")
    return Scan(named_apart(found, taken), unmatched, left_alone)


def named_apart(found: list[Found], taken: Iterable[str]) -> list[Found]:
    """Give each file an id that is neither taken nor another's: with "_2", "_3", ... in order."""
    ids = {name.casefold() for name in taken}
    named = []
    for one in found:
        run = f"_run-{one.run}" if one.run else ""
        name = safe_id(f"sub-{one.participant}_ses-{one.session}{run}")
        named.append(replace(one, recording=_unique(name, ids)))
    return named


def safe_id(text: str) -> str:
    """Make a text safe as a file name on every system, different texts staying different.

    Letters of any language, digits, "-", "_", "." and "~" stay; another character becomes the
    hexadecimal of its UTF-8 bytes, as in a URL ("%20"). A long text is cut, and its hash added.
    """
    safe = "".join(
        char if char.isalnum() else quote(char, "", errors="surrogateescape") for char in text
    )
    if len(safe.encode()) > ID_BYTES:
        head = safe.encode()[: ID_BYTES - 20].decode(errors="ignore")
        safe = f"{head}~{hashlib.sha256(safe.encode()).hexdigest()[:16]}"
    return safe


def plain_id(text: str) -> str:
    """Give the text that `safe_id` made safe, for people to read: "%20" is a space again."""
    return unquote(text)


def _is_unicode(text: str) -> bool:
    # Linux allows any bytes in a name; Python shows those that are no UTF-8 as lone surrogates
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _unique(name: str, taken: set[str]) -> str:
    """Add "_2", "_3", ... to an id until it is new, also where capitals make no difference."""
    candidate, count = name, 1
    while candidate.casefold() in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate.casefold())
    return candidate


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """List recordings and the rest, below a folder, each in order; real folders before links."""
    recordings, left_alone, seen = [], [], set[tuple[int, int]]()
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        here = (folders or links).popleft()
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(here.iterdir())
        except OSError as error:
            raise RecordingError(
                f"cannot read the folder {here}: {error.strerror}. Give the folder that holds the "
                "recordings."
            ) from error
        for entry in entries:
            if entry.name.startswith("."):
                left_alone.append(entry)
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(entry)
            elif entry.suffix[1:].lower() in EXTENSIONS:
                recordings.append(entry)
            else:
                left_alone.append(entry)
    return sorted(recordings), sorted(left_alone)


def _by_convention(below: str) -> tuple[str, str, str]:
    """Participant, session and run from a BIDS name, else from folders, else from the name."""
    path = Path(below)
    folders = path.parts[:-1]
    entities = dict(
        part.split("-", 1) for part in (*folders, *path.stem.split("_")) if "-" in part[1:]
    )
    named = {key: entities.get(key, "") for key in ("sub", "ses", "run")}
    participant, session = (*(_bare(part) for part in folders), "", "")[:2]
    if not named["sub"]:
        return participant or path.stem, session or DEFAULT_SESSION, ""
    return named["sub"], named["ses"] or DEFAULT_SESSION, named["run"]


def _bare(part: str) -> str:
    return re.sub("^(sub|ses)-(?=.)", "", part)


def _by_pattern(below: str, rule: re.Pattern[str]) -> tuple[str, str, str] | None:
    path = Path(below)
    match = rule.fullmatch(path.with_suffix("").as_posix())
    if match is None:
        return None
    keys = match.groupdict()
    participant = _bare(keys["participant"])
    return participant, _bare(keys.get("session", DEFAULT_SESSION)), keys.get("run", "")


def _compile(pattern: str) -> re.Pattern[str]:
    stem = re.sub(rf"\.({'|'.join(EXTENSIONS)}|{{\*}})$", "", pattern, flags=re.IGNORECASE)
    pieces, seen = ["" if "/" in stem else "(?:.*/)?"], set[str]()
    for text, name in re.findall(r"([^{}]*)(?:{([^{}]*)})?", stem):
        pieces.append(re.escape(text))
        if name and name not in PLACEHOLDERS:
            raise _refusal(pattern, f"{{{name}}} is no placeholder")
        if name == "*":
            pieces.append("[^/]*")
        elif name:
            pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
    if "participant" not in seen:
        raise _refusal(pattern, "{participant} is missing")
    return re.compile("".join(pieces))


def _refusal(pattern: str, problem: str) -> SettingsError:
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    return SettingsError(
        f"the pattern {pattern!r} cannot be used: {problem}. Allowed are {known}, "
        "for example '{participant}/{session}/{*}'."
    )
