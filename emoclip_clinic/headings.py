"""Which column of a rating sheet is what: participant, rater, items of a scale."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.resources import close_matches
from emoclip_clinic.scale import Item, Scale
from emoclip_clinic.sheets import Sheet

__all__ = ["HEADINGS", "ItemColumns", "find_item", "item_columns", "item_hint", "roles"]

HEADINGS = {
    "participant": ("participant", "participant_id", "subject", "subject_id", "id"),
    "session": ("session", "session_id", "visit"),
    "rater": ("rater", "rater_id"),
    "scale": ("scale",),
    "item": ("item",),
    "value": ("value", "rating", "score"),
}
"""Headings that are understood; of several, the first. Capitals, spaces and - do not matter."""


@dataclass(frozen=True)
class ItemColumns:
    """The columns of a wide sheet, as far as a scale is concerned."""

    items: dict[int, Item] = field(default_factory=dict)
    """Column number to item."""
    others: list[str] = field(default_factory=list)
    """Headings that have nothing to do with the scale."""
    problems: list[str] = field(default_factory=list)
    """Headings that look like an item and are none, or name an item again."""


def roles(sheet: Sheet) -> dict[str, int]:
    """Find the columns that are no items.

    Returns
    -------
        Role (a key of `HEADINGS`) to column number; only the roles that the sheet has.

    Raises
    ------
    RatingsError
        There is no column for the participant.
    """
    headings = [re.sub(r"[\s-]+", "_", heading.casefold()) for heading in sheet.header]
    found = {}
    for role, known in HEADINGS.items():
        there = [name for name in known if name in headings]
        if there:
            found[role] = headings.index(there[0])
    if "participant" not in found:
        raise RatingsError(
            f"{sheet.name} has no column participant; it has {', '.join(sheet.header[:12])}. "
            f"Allowed headings: {', '.join(HEADINGS['participant'])}."
        )
    return found


def find_item(name: str, scale: Scale) -> Item | None:
    """Find an item by its code, alone or after the scale's id: "P1", "p01", "panss_p1"."""
    return _by_plain_code(scale).get(_plain(name, scale))


def item_hint(name: str, scale: Scale) -> str:
    """'Did you mean ...? ' for the code of an unknown item, or an empty text."""
    return close_matches(_plain(name, scale), list(_by_plain_code(scale)))


def item_columns(sheet: Sheet, scale: Scale, taken: dict[str, int]) -> ItemColumns:
    """Sort the columns of a wide sheet, but for those of `taken`, into items and others."""
    columns = ItemColumns()
    for number, heading in enumerate(sheet.header):
        item = find_item(heading, scale)
        if number in taken.values():
            continue
        if item is None and not _resembles_item(heading, scale):
            columns.others.append(heading)
        elif item is None:
            columns.problems.append(
                f"{sheet.name}: column {heading} looks like an item, but {scale.abbreviation} has "
                f"none of that name. {item_hint(heading, scale)}".rstrip()
            )
        elif item in columns.items.values():
            columns.problems.append(
                f"{sheet.name}: column {heading} is a second one for {scale.abbreviation} "
                f"item {item.code}"
            )
        else:
            columns.items[number] = item
    return columns


def _by_plain_code(scale: Scale) -> dict[str, Item]:
    return {_plain(item.code, scale): item for item in scale.items}


def _plain(name: str, scale: Scale) -> str:
    text = re.sub(r"[\W_]", "", name.casefold())
    text = text.removeprefix(re.sub(r"[-_]", "", scale.id)).removeprefix("item")
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)


def _resembles_item(heading: str, scale: Scale) -> bool:
    # what stands before the number in the codes: p, n, g in PANSS, nothing in CAINS
    stems = {re.sub(r"[0-9].*", "", code) for code in _by_plain_code(scale)}
    return re.sub(r"[0-9]+[a-z]?$", "", _plain(heading, scale)) in stems
