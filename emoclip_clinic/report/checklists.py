"""Reporting checklists: what a paper should say, and what of it this study says already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.resources import find, read_toml
from emoclip_clinic.schema import from_table

__all__ = ["FOLDER", "Checklist", "Item", "check_answers", "read_checklist"]

FOLDER = "templates/checklists"
FORMAT = 1


@dataclass(frozen=True)
class Item:
    """A point of a checklist."""

    id: str
    """As the checklist numbers it."""
    section: str
    """Part of a paper that it belongs to."""
    text: str
    """What should be said, in our own words."""
    fact: str = ""
    """What the run knows of it: a key of [checklist.facts] in the language; empty: nothing."""
    blocks: tuple[str, ...] = ()
    """Blocks of the report that say something of it; their pages are named."""


@dataclass(frozen=True)
class Checklist:
    """A reporting guideline."""

    format: int
    """Of the file."""
    id: str
    """Also the name of the file."""
    version: str
    """Year or number of the guideline."""
    title: str
    """Its full name."""
    reference: str
    """The paper to cite."""
    licence: str
    """Whose the items are."""
    item: tuple[Item, ...]
    """The points in their order."""


def read_checklist(name: str, study: Path | None = None) -> Checklist:
    """Read templates/checklists/<name>.toml, the study's own before the shipped one.

    Raises
    ------
    SettingsError
        There is no such file, a key is not allowed, or an item is there twice.
    """
    where = f"{FOLDER}/{name}.toml"
    table = read_toml(find(FOLDER, name, study))
    if table.get("format") != FORMAT:
        raise SettingsError(f"{where}: format = {table.get('format')}; allowed: {FORMAT}.")
    found = from_table(Checklist, table, where)
    ids = [one.id for one in found.item]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise SettingsError(f"{where}: item {twice[0]} is there twice.")
    return found


def check_answers(answers: Mapping[str, Mapping[str, str]], study: Path | None = None) -> None:
    """Check that what the authors say under [checklists] belongs to items that there are.

    Raises
    ------
    SettingsError
        A checklist or an item is unknown; the message names the allowed ones.
    """
    for name, own in answers.items():
        if own:
            known = [one.id for one in read_checklist(name, study).item]
            _refuse_unknown(own, known, f"study.toml: checklists: {name}")


def _refuse_unknown(given: Iterable[str], known: list[str], where: str) -> None:
    strange = [one for one in given if one not in known]
    if strange:
        raise SettingsError(f"{where} has no item {strange[0]!r}; allowed: {', '.join(known)}.")
