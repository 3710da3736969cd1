"""Read a REDCap export with its data dictionary.

Source: the 18 headings of a REDCap data dictionary, and the columns redcap_event_name,
redcap_repeat_instrument and redcap_repeat_instance of an export ("raw data").
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.headings import NAMED
from emoclip_clinic.item_columns import find_columns, mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import NUMBER, Column, Sheet

__all__ = ["is_export", "read"]

EVENT, INSTRUMENT, INSTANCE = (
    "redcap_event_name",
    "redcap_repeat_instrument",
    "redcap_repeat_instance",
)
NAME, KIND, LABEL = "Variable / Field Name", "Field Type", "Field Label"
CHOICES, FORM = "Choices, Calculations, OR Slider Labels", "Form Name"
MINIMUM, MAXIMUM = "Text Validation Min", "Text Validation Max"
IDENTIFIER, BRANCHING = "Identifier?", "Branching Logic (Show field only if...)"
CHECKBOX = re.compile(r"(.+)___(.+)")
SESSION = "session"


@dataclass(frozen=True)
class _Field:
    """A row of the data dictionary."""

    form: str
    identifies: bool
    branching: str
    column: Column


def is_export(sheet: Sheet) -> bool:
    """Whether a sheet has a column that only REDCap writes."""
    return EVENT in sheet.header or INSTRUMENT in sheet.header


def read(
    sheet: Sheet, dictionary: Path | None, names: ItemNames, settings: RatingsSettings
) -> Sheet:
    """Make of an export the sheet of one scale.

    The first field is the participant. An event is a session, and so is the instance of a repeating
    form ("visit_1_arm_1", "02", "visit_1_arm_1-02"), unless study.toml names a column of its own.
    Rows without an item of the scale, which belong to other forms, are left out; so are fields that
    identify a person, the columns that say whether a form is complete, and those of REDCap itself.

    Parameters
    ----------
    sheet
        The export.
    dictionary
        The data dictionary, a CSV; None: the fields are known by their names alone.
    names
        Those of the scale.
    settings
        Columns of participant, session, rater and items.

    Raises
    ------
    RatingsError
        The dictionary cannot be read or belongs to another project, or study.toml names a field
        that identifies a person.
    """
    fields = _dictionary(dictionary, sheet) if dictionary else {}
    for role in NAMED[1:]:
        if (named := fields.get(getattr(settings, role))) and named.identifies:
            raise RatingsError(
                f"study.toml names {getattr(settings, role)} as {role}, and the dictionary marks "
                "it as an identifier. Use a field with a code in its place."
            )
    kept = [n for n, name in enumerate(sheet.header) if n == 0 or _is_kept(name, fields)]
    described = replace(
        sheet,
        header=tuple(sheet.header[n] for n in kept),
        columns=tuple(_column(sheet.header[n], fields) for n in kept),
    )
    items = _item_columns(described, names, settings)
    hidden = {field.branching for n in items if (field := fields.get(described.header[n]))} - {""}
    sessions = {} if settings.session else _sessions(sheet)
    rows = [(n, tuple(cells[k] for k in kept)) for n, cells in sheet.rows]
    rows = [(n, cells) for n, cells in rows if not items or any(cells[k] for k in items)]
    return replace(
        _with_sessions(replace(described, rows=tuple(rows)), sessions),
        header=_header(described, bool(sessions), settings),
        notes=tuple(
            f"items that are shown only if {rule}: not rated where they were hidden"
            for rule in sorted(hidden)
        ),
    )


def _is_kept(name: str, fields: Mapping[str, _Field]) -> bool:
    field = fields.get(_base(name))
    if field is not None:
        return not field.identifies
    return not name.startswith("redcap_") and not name.endswith("_complete")


def _base(name: str) -> str:
    """Name of the field that a column is of: "gym___0" is of "gym"."""
    checkbox = CHECKBOX.fullmatch(name)
    return checkbox.group(1) if checkbox else name


def _column(name: str, fields: Mapping[str, _Field]) -> Column:
    field, checkbox = fields.get(_base(name)), CHECKBOX.fullmatch(name)
    if field is None:
        return Column()
    if checkbox:
        choice = field.column.levels.get(checkbox.group(2), checkbox.group(2))
        return Column(f"{field.column.label}: {choice}", no_item=True)
    return field.column


def _item_columns(sheet: Sheet, names: ItemNames, settings: RatingsSettings) -> list[int]:
    mapped, _ = mapped_items(settings.columns, names)
    return [*find_columns(sheet, names, mapped, {0}).items]


def _sessions(sheet: Sheet) -> dict[int, str]:
    """Row number to session, where the export has events or instances."""
    if not is_export(sheet):
        return {}
    events = _texts(sheet, EVENT)
    instances = _texts(sheet, INSTANCE)
    sessions = {}
    for n, _ in sheet.rows:
        instance = instances.get(n, "")
        parts = [events.get(n, ""), f"{int(instance):02d}" if instance.isdigit() else instance]
        # the form that is filled in once has no instance
        sessions[n] = "-".join(filter(None, parts)) or "01"
    return sessions


def _texts(sheet: Sheet, heading: str) -> dict[int, str]:
    if heading not in sheet.header:
        return {}
    number = sheet.header.index(heading)
    return {n: cells[number] for n, cells in sheet.rows}


def _with_sessions(sheet: Sheet, sessions: Mapping[int, str]) -> Sheet:
    if not sessions:
        return sheet
    return replace(
        sheet,
        rows=tuple((n, (*cells, sessions[n])) for n, cells in sheet.rows),
        columns=(*sheet.columns, Column()),
    )


def _header(sheet: Sheet, sessions: bool, settings: RatingsSettings) -> tuple[str, ...]:
    # the first field is the record's id, whatever it is called
    first = sheet.header[0] if settings.participant else "participant"
    return (first, *sheet.header[1:], *([SESSION] if sessions else []))


def _dictionary(path: Path, sheet: Sheet) -> dict[str, _Field]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RatingsError(
            f"the data dictionary {path} cannot be read: {error}. Name it under [ratings] in "
            "study.toml, as CSV in UTF-8."
        ) from error
    table = csv.DictReader(io.StringIO(text, newline=""))
    absent = [name for name in (NAME, KIND, LABEL) if name not in (table.fieldnames or ())]
    if absent:
        raise RatingsError(
            f"{path.name} is no REDCap data dictionary: it has no column {absent[0]!r}. Download "
            "it from REDCap's Designer, and do not translate its headings."
        )
    fields = {row[NAME]: _field(row) for row in table}
    if sheet.header[0] not in fields:
        raise RatingsError(
            f"{sheet.name}: the first column is {sheet.header[0]}, which {path.name} does not "
            "have. Is it the dictionary of another project, or an export with labels in place "
            "of raw data?"
        )
    return fields


def _field(row: Mapping[str, str]) -> _Field:
    kind, choices = row[KIND], row.get(CHOICES) or ""
    low, high = row.get(MINIMUM) or "", row.get(MAXIMUM) or ""
    return _Field(
        form=row.get(FORM) or "",
        identifies=(row.get(IDENTIFIER) or "").strip().lower() == "y",
        branching=row.get(BRANCHING) or "",
        column=Column(
            label=row[LABEL],
            levels=_choices(choices) if kind in ("radio", "dropdown", "checkbox") else {},
            minimum=float(low) if NUMBER.fullmatch(low) else None,
            maximum=float(high) if NUMBER.fullmatch(high) else None,
            no_item=kind == "calc",
        ),
    )


def _choices(text: str) -> dict[str, str]:
    """Read "0, Absent | 1, Mild", with or without spaces round the bar."""
    pairs = [choice.partition(",") for choice in text.split("|") if choice.strip()]
    return {code.strip(): label.strip() for code, _, label in pairs}
