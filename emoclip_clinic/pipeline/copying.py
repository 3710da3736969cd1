"""A copy of a study's tables with codes in place of names, and a list of what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import write_bytes
from emoclip_clinic.pipeline.identities import Identities
from emoclip_clinic.recordings import Exclusion, read_recordings
from emoclip_clinic.sheets import NUMBER
from emoclip_clinic.study import Study

__all__ = ["NOT_SHARED", "Copy", "refuse_shared_copy", "texts"]

NOT_SHARED = "not shared"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula."""


class Copy:
    """A copy of a study, while it is made.

    Parameters
    ----------
    study
        What is copied.
    folder
        Where to; it is there.
    names
        The names and their codes.
    meanings
        What each column means: a column without a meaning is left out.
    title
        Of the copy.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        names: Identities,
        meanings: Mapping[str, str],
        title: str,
    ) -> None:
        self.study, self.folder, self.names, self.title = study, folder, names, title
        self.meanings = dict(meanings)
        self.columns: list[dict[str, str]] = []
        self.left_out: list[dict[str, str]] = []
        self.exclusions: list[Exclusion] = []

    def table(self, path: str, table: pd.DataFrame) -> None:
        """Write a table of texts: codes for names, known columns only, no formulas.

        Rows are sorted by the codes: the old order would tell that of the names.
        """
        unknown = [str(name) for name in table.columns if name not in self.meanings]
        for name in unknown:
            reason = "it is not known what it holds: it may be free text"
            self.leave(path, "a column", reason, seen=f"{path}: {name}")
        shared = self.names.table(table.drop(columns=unknown))
        keys = [name for name in ("recording", "participant") if name in shared]
        if keys:
            shared = shared.sort_values(keys[0], kind="stable")
        for name in map(str, shared.columns):
            self.columns.append({"file": path, "column": name, "meaning": self.meanings[name]})
        content = shared.map(_no_formula).to_csv(index=False, lineterminator="\n")
        write_bytes(self.folder / path, content.encode())

    def leave(self, path: str, what: str, reason: str, *, seen: str = "") -> None:
        """Note what is left out; `seen` names it on the screen, and only there."""
        self.left_out.append({"file": path, "what": what, "reason": reason})
        self.exclusions.append(Exclusion("export", "part", seen or f"{path}: {what}", reason))


def _no_formula(cell: Any) -> Any:
    risky = isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell)
    return f"'{cell}" if risky else cell


def _is_number(cell: str) -> bool:
    mantissa, _, exponent = cell.casefold().partition("e")
    return bool(NUMBER.fullmatch(mantissa)) and (not exponent or bool(NUMBER.fullmatch(exponent)))


def texts(path: Path) -> pd.DataFrame:
    """Read a table of ours as it is written: a number keeps every digit."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def refuse_shared_copy(study: Study, work: str) -> None:
    """Refuse work on recordings in a copy that `export` or `pseudonymise` made: it has none.

    Raises
    ------
    StudyError
        No recording of recordings.csv was shared.
    """
    if not study.recordings_csv.is_file():
        return
    paths = read_recordings(study.recordings_csv)["path"]
    if len(paths) and (paths == NOT_SHARED).all():
        raise StudyError(
            f"this study is a shared copy, without its recordings: '{work}' needs them. 'fit', "
            "'agree' and 'report' work in it, with the features that it has, and "
            "'predict FOLDER --model models/SCALE' scores recordings of your own."
        )
