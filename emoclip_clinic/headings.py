"""Which columns of a rating sheet say who was rated, when and by whom."""

from __future__ import annotations

import re

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.resources import close_matches
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import Sheet

__all__ = ["HEADINGS", "column_of", "roles"]

HEADINGS = {
    "participant": ("participant", "participant_id", "subject", "subject_id", "record_id", "id"),
    "session": ("session", "session_id", "visit"),
    "rater": ("rater", "rater_id"),
    "date": ("date", "rating_date"),
    "scale": ("scale",),
    "item": ("item",),
    "value": ("value", "rating", "score"),
}
"""Headings that are understood; of several, the first. Capitals, spaces and - do not matter."""

NAMED = ("participant", "session", "rater", "date")
"""Roles whose heading study.toml may name."""


def roles(sheet: Sheet, settings: RatingsSettings) -> dict[str, int]:
    """Find the columns that are no items.

    Returns
    -------
        Role (a key of `HEADINGS`) to column number; only the roles that the sheet has.

    Raises
    ------
    RatingsError
        There is no column for the participant, none of a name that study.toml gives, or a heading
        for a role is there twice.
    """
    mapped = {heading.casefold() for heading in settings.columns}
    headings = [
        "" if heading.casefold() in mapped else re.sub(r"[\s-]+", "_", heading.casefold())
        for heading in sheet.header
    ]
    found = {}
    for role, known in HEADINGS.items():
        named = getattr(settings, role) if role in NAMED else ""
        there = [name for name in known if name in headings]
        if named:
            found[role] = _named(sheet, role, named)
        elif there:
            found[role] = headings.index(there[0])
            _require_once(sheet, headings.count(there[0]), sheet.header[found[role]])
    if "participant" not in found:
        raise RatingsError(
            f"{sheet.name} has no column participant; it has {', '.join(sheet.header[:12])}. "
            f"Allowed headings: {', '.join(HEADINGS['participant'])}; write another one under "
            '[ratings] in study.toml: participant = "HEADING". If the headings stand in a lower '
            "row, header_row says in which."
        )
    return found


def column_of(sheet: Sheet, heading: str) -> int | None:
    """Find the column of that heading, capitals aside; None where there is none."""
    plain = [one.casefold() for one in sheet.header]
    return plain.index(heading.casefold()) if heading.casefold() in plain else None


def _named(sheet: Sheet, role: str, heading: str) -> int:
    number = column_of(sheet, heading)
    if number is None:
        raise RatingsError(
            f"{sheet.name} has no column {heading!r}, which study.toml names as {role} under "
            f"[ratings]. {close_matches(heading, [one.casefold() for one in sheet.header])}"
            f"It has {', '.join(sheet.header[:12])}."
        )
    _require_once(
        sheet, [one.casefold() for one in sheet.header].count(heading.casefold()), heading
    )
    return number


def _require_once(sheet: Sheet, count: int, heading: str) -> None:
    if count > 1:
        raise RatingsError(
            f"{sheet.name} has {count} columns {heading}: which of them counts? Rename the others."
        )
