"""Read a file of turns of whatever kind."""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Turn
from emoclip_clinic.turns_files import elan, rttm, table, textgrid

__all__ = ["KINDS", "read"]

READERS = {
    ".csv": table.read,
    ".tsv": table.read,
    ".tab": table.read,
    ".txt": table.read,
    ".eaf": elan.read,
    ".textgrid": textgrid.read,
    ".rttm": rttm.read,
}
KINDS = tuple(READERS)
"""Suffixes of files that are read, in lower case."""
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read(path: Path) -> list[Turn]:
    """Read all turns of a file; its suffix says what it is.

    Returns
    -------
        Turns of all speakers, in the file's order; events without a duration too. Where the times
        of one are wrong it has a `problem`: of somebody who is not asked for it does not matter.

    Raises
    ------
    TurnsError
        The file cannot be read; the message has the file's name, and the place.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise TurnsError(
            f"{path.name}: files of this kind are not read; allowed: {', '.join(KINDS)}. "
            "A workbook is saved as 'CSV UTF-8'."
        )
    try:
        turns = reader(_text(path))
    except TurnsError as error:
        raise TurnsError(f"{path.name}: {error}") from error
    if not turns:
        raise TurnsError(f"{path.name}: there is no turn in it.")
    return turns


def _text(path: Path) -> str:
    """Decode UTF-8, with a byte order mark or not, or UTF-16 with one."""
    try:
        content = path.read_bytes()
        text = content.decode(BOMS.get(content[:2], "utf-8-sig"))
    except OSError as error:
        raise TurnsError(f"it cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TurnsError("it is not text in UTF-8 or UTF-16. Save it as text in UTF-8.") from error
    if "\0" in text:
        raise TurnsError("it is not a text file. Save it as text in UTF-8.")
    return text
