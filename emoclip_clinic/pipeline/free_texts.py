"""The texts of a study that go along as they are: none may tell who it was, or when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import pandas as pd

from emoclip_clinic import resources
from emoclip_clinic.errors import StudyError
from emoclip_clinic.mentions import dates_in, names_in, squeezed
from emoclip_clinic.pipeline.identities import SHORT_NUMBER, Identities
from emoclip_clinic.study import Study

__all__ = ["FreeText", "going_along", "of_protocol", "of_study", "of_table", "refuse_told"]

SHOWN = 3


@dataclass(frozen=True)
class FreeText:
    """A text that somebody wrote, and that goes along."""

    place: str
    """Where it stands."""
    text: str
    cure: str
    """What to do where it tells something."""
    dated: bool = False
    """Whether dates in it were asked for."""


def of_study(study: Study, title: str) -> Iterator[FreeText]:
    """Give what study.toml says of the study."""
    yield FreeText(
        "the title", title, "write a neutral one in study.toml, or give one with --title TEXT"
    )
    yield FreeText(
        "the institution", study.settings.study.institution, "write it otherwise in study.toml"
    )


def of_table(table: pd.DataFrame, name: str, keep: Collection[str]) -> Iterator[FreeText]:
    """Give headings of the participants' table and its cells that are words, each once.

    Parameters
    ----------
    table
        The columns that are shared.
    name
        Of its file.
    keep
        Columns that were asked for by name: what they hold may be dates.
    """
    for heading in map(str, table.columns):
        place = f"{name}, column {heading!r}"
        yield FreeText(place, heading, "give the column another heading")
        if heading != "participant":
            cells = {cell for cell in table[heading] if isinstance(cell, str)}
            for cell in sorted(cells):
                yield FreeText(place, cell, "write another word there", heading in keep)


def of_protocol(study: Study, kind: str, name: str) -> Iterator[FreeText]:
    """Give what a protocol of the study's own says, line by line; of a shipped one nothing."""
    path = resources.find(kind, name, study.path)
    shipped = _shipped(kind, name)
    if path == shipped:
        return
    place = f"{kind}/{path.name}"
    yield FreeText(f"the name of {place}", name, "give it another name, also in study.toml")
    public = set(shipped.read_text("utf-8-sig").splitlines()) if shipped else set()
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), start=1):
        if line not in public:
            yield FreeText(f"{place}, line {number}", line, "write it otherwise")


def _shipped(kind: str, name: str) -> Path | None:
    return resources.find(kind, name) if name in resources.names(kind) else None


def going_along(study: Study, title: str, protocols: Collection[tuple[str, str]]) -> list[str]:
    """Name the texts that go along: somebody must read what no search can understand."""
    written = [f"{one.place} {one.text!r}" for one in of_study(study, title) if one.text]
    own = [
        f"{kind}/{name}.toml, which is the study's own"
        for kind, name in protocols
        if resources.find(kind, name, study.path) != _shipped(kind, name)
    ]
    return written + own


def refuse_told(texts: Collection[FreeText], names: Identities, recordings: pd.DataFrame) -> None:
    """Look through texts for ids, file names and dates, whatever their case and punctuation.

    Parameters
    ----------
    texts
        What goes along.
    names
        Ids and their codes; an id that is its own code is meant to stay, and one that is a number
        or an ordinary word cannot be looked for.
    recordings
        As recordings.csv has them: files are called by their paths.

    Raises
    ------
    StudyError
        Something was found; the message says where, and what to do.
    """
    sought = _sought(names, recordings)
    found = [
        f"{one.place} holds {', '.join(map(repr, told[:SHOWN]))}: {one.cure}"
        for one in texts
        if (told := _told(one, sought))
    ]
    if found:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise StudyError(
            f"nothing was written: {'; '.join(found[:SHOWN])}{more}. No id, file name or date of "
            "the study goes along in a text."
        )


def _told(one: FreeText, sought: Collection[str]) -> list[str]:
    dates = [] if one.dated else dates_in(one.text)
    return list(dict.fromkeys([*names_in(one.text, sought), *dates]))


def _sought(names: Identities, recordings: pd.DataFrame) -> set[str]:
    ids = {name for name, code in names.telling.items() if code != name}
    ordinary = {squeezed(word) for word in names.words}
    every = {squeezed(name) for name in ids | _file_names(names, recordings)} - ordinary
    return {name for name in every if len(name) > 1 and not SHORT_NUMBER.fullmatch(name)}


def _file_names(names: Identities, recordings: pd.DataFrame) -> set[str]:
    """Name the files of the recordings, without their endings where that tells one from others."""
    paths = [PurePath(path) for path in recordings["path"].astype(str)]
    counted = Counter(path.stem for path in paths)
    telling = {
        stem for stem, n in counted.items() if n == 1 and names.pseudonyms.session(stem) != stem
    }
    return telling | {path.name for path in paths}
