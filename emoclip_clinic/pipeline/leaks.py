"""The last look at what is shared: no name and no path of the study is in it."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline.identities import Identities

__all__ = ["refuse_leaks"]

PATHS = re.compile(r"(?<![\w.:/])/(?:home|Users|mnt|media|srv|tmp|var|root|private)/\w|[A-Z]:\\\w")


def refuse_leaks(folder: Path, names: Identities, study: Path) -> None:
    """Look through every file and file name for what must not be shared.

    Parameters
    ----------
    folder
        What is shared.
    names
        Names that were replaced; those that are ordinary words or numbers cannot be looked for.
    study
        The study folder.

    Raises
    ------
    StudyError
        Something was found; the message says in which file.
    """
    # whatever is its own code is meant to stay
    wanted = {name: code for name, code in names.telling.items() if name != code}
    place = os.path.realpath(study)
    for path in sorted(folder.rglob("*")):
        text = path.relative_to(folder).as_posix()
        if path.is_file():
            text += f"\n{_readable(path)}"
        found = {word for word in names.pattern.findall(text) if word in wanted}
        found |= {match.group() for match in PATHS.finditer(text)}
        found |= {place} if len(place) > 4 and place in text else set()
        if found:
            raise StudyError(
                f"nothing was written: {path.relative_to(folder).as_posix()} would still hold "
                f"{', '.join(sorted(map(repr, found))[:3])}. Take it out of the text that has it "
                "(a title, the name of a group, a protocol of your own), then run it again."
            )


def _readable(path: Path) -> str:
    """Read a file's text: of features the header, since what follows are numbers."""
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            (length,) = struct.unpack("<Q", file.read(8))
            return file.read(length).decode()
        return file.read().decode()
