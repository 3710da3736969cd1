"""Which columns of a wide rating sheet are items of a scale: by study.toml, by code, by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from emoclip_clinic.headings import column_of
from emoclip_clinic.item_names import ItemNames, plain
from emoclip_clinic.scale import Item
from emoclip_clinic.sheets import NUMBER, Column, Sheet

__all__ = ["ItemColumns", "find_columns", "items_called", "mapped_items"]


@dataclass
class ItemColumns:
    """The columns of a wide sheet, as far as a scale is concerned."""

    items: dict[int, Item] = field(default_factory=dict)
    """Column number to item."""
    scores: dict[int, str] = field(default_factory=dict)
    """Column number to the id of the score that the file gives there."""
    others: list[str] = field(default_factory=list)
    """Headings that have nothing to do with the scale."""
    problems: list[str] = field(default_factory=list)
    """Headings that look like an item and are none, or could be several."""
    notes: list[str] = field(default_factory=list)
    """Where the file's dictionary and the scale differ."""


def mapped_items(
    columns: Mapping[str, str], names: ItemNames
) -> tuple[dict[str, Item | None], list[str]]:
    """Read the mapping of study.toml for one scale.

    Parameters
    ----------
    columns
        Heading to item code; "hamd_17.1" where scales share a code, "" for a column to leave out.
    names
        Those of the scale.

    Returns
    -------
    mapped
        Heading in lower case to item, None for a column to leave out. Items of other scales are
        columns to leave out.
    problems
        Codes that the scale does not have, though they are written as this scale's.
    """
    scale, mapped, problems = names.scale, {}, []
    for heading, target in columns.items():
        owner, dot, code = target.rpartition(".")
        item = names.codes.get(plain(code))
        mapped[heading.casefold()] = item if not dot or owner == scale.id else None
        if dot and owner == scale.id and item is None:
            problems.append(
                f"study.toml, [ratings] columns: {heading} = {target!r}; {scale.abbreviation} has "
                f"the items {', '.join(scale.codes)}"
            )
    return mapped, problems


def find_columns(
    sheet: Sheet,
    names: ItemNames,
    mapped: Mapping[str, Item | None],
    taken: Container[int],
    not_rated: Container[float] = (),
) -> ItemColumns:
    """Sort the columns of a wide sheet into items and others.

    A column that `mapped` names is what it says. Another is an item by the code in its heading, or
    else by its label: the heading itself, or what the file says of the column. A column that the
    file calls computed is no item.

    Parameters
    ----------
    sheet, names
        The sheet; the names of the scale.
    mapped
        What `mapped_items` makes of study.toml.
    taken
        Columns that have a role, and are left out here.
    not_rated
        Codes for "not rated", which are no part of an item's range.
    """
    columns, unknown = ItemColumns(), list[str]()
    numbers = {column_of(sheet, heading): item for heading, item in mapped.items()}
    named = {number: item for number, item in numbers.items() if number is not None}
    settled = set(filter(None, named.values()))
    own = [
        heading
        for number, heading in enumerate(sheet.header)
        if number not in named and not sheet.column(number).no_item
    ]
    counts = _prefix_counts(own, names)
    for number, heading in enumerate(sheet.header):
        if number in taken:
            continue
        item = named.get(number)
        if number not in named:
            possible = _items_of(sheet.column(number), heading, names, counts)
            # study.toml has the last word on which column an item is
            found = [one for one in possible if one not in settled]
            columns.problems += _ambiguous(sheet, heading, found, names)
            item = found[0] if len(found) == 1 else None
            if not possible and _looks_like_item(sheet.column(number), heading, names, counts):
                unknown.append(heading)
        if item is not None:
            columns.items[number] = item
        elif number not in named and (score := names.score(heading)):
            columns.scores[number] = score
        else:
            columns.others.append(heading)
    columns.others = [heading for heading in columns.others if heading]
    columns.problems += _unknown(sheet, unknown, names)
    _drop_second_columns(sheet, columns, names)
    for number, item in columns.items.items():
        _compare(sheet, number, item, names, columns, not_rated)
    return columns


def items_called(texts: Iterable[str], names: ItemNames) -> dict[str, Item]:
    """Find the items that the texts of a long sheet name; a text that can be several names none."""
    texts = list(texts)
    counts = _prefix_counts(texts, names)
    found = {text: _items_of(Column(), text, names, counts) for text in texts}
    return {text: items[0] for text, items in found.items() if len(items) == 1}


def _prefix_counts(headings: Iterable[str], names: ItemNames) -> Counter[str]:
    """Count the different items that each prefix makes of the headings."""
    found = {
        (prefix, item.code)
        for heading in headings
        for prefix, item in names.candidates(heading).items()
    }
    return Counter(prefix for prefix, _ in found)


def _items_of(
    column: Column, heading: str, names: ItemNames, counts: Mapping[str, int]
) -> list[Item]:
    """Give the items that a column can be: none, one, or several where it is ambiguous."""
    if column.no_item:
        return []
    found = names.candidates(heading)
    if plain(heading) in names.names:
        # "hamd_17" is the total, unless other headings say that "hamd" stands before numbers
        found = {prefix: item for prefix, item in found.items() if not prefix or counts[prefix] > 1}
    most = max((counts[prefix] for prefix in found), default=0)
    coded = [item for prefix, item in found.items() if counts[prefix] == most]
    labelled = names.labelled(column.label) or names.labelled(heading)
    if not coded and not labelled:
        numbered = names.numbered(heading, column.label)
        labelled = [numbered] if numbered else []
    if coded and labelled and set(coded) & set(labelled):
        return [item for item in labelled if item in coded][:1]
    return list(dict.fromkeys([*coded, *labelled]))


def _ambiguous(sheet: Sheet, heading: str, found: list[Item], names: ItemNames) -> Iterator[str]:
    if len(found) > 1:
        which = " or ".join(f"{item.code} ({item.label})" for item in found[:4])
        yield (
            f"{sheet.name}: column {heading} can be {names.scale.abbreviation} item {which}. Say "
            f'which under [ratings] in study.toml: columns = {{"{heading}" = "{found[0].code}"}}'
        )


def _looks_like_item(
    column: Column, heading: str, names: ItemNames, counts: Mapping[str, int]
) -> bool:
    # a prefix that other items have, or the full id: "hamd_21" is no item of the HAM-D-17
    prefixes = {"", "item", plain(names.scale.id), *(one for one in counts if counts[one] > 1)}
    told = column.no_item or names.score(heading) is not None
    return not told and names.resembles(heading, prefixes)


def _unknown(sheet: Sheet, headings: list[str], names: ItemNames) -> Iterator[str]:
    """Name columns that look like items: mistyped, or of another version of the scale."""
    if len(headings) == 1:
        yield (
            f"{sheet.name}: column {headings[0]} looks like an item, but "
            f"{names.scale.abbreviation} has none of that name. {names.hint(headings[0])}"
            "If it is none, write "
            f'columns = {{"{headings[0]}" = ""}} under [ratings] in study.toml'
        )
    elif headings:
        left_out = ", ".join(f'"{heading}" = ""' for heading in headings)
        yield (
            f"{sheet.name}: columns {', '.join(headings)} look like items, but "
            f"{names.scale.abbreviation} has none of these names. Is the sheet of another version? "
            "Item numbers rarely mean the same in two versions; where they do, leave these out "
            f"under [ratings] in study.toml: columns = {{{left_out}}}"
        )


def _drop_second_columns(sheet: Sheet, columns: ItemColumns, names: ItemNames) -> None:
    """Name two columns for one item; alternatives, such as 16a and 16b, may stand side by side."""
    for item in names.scale.items:
        numbers = [number for number, one in columns.items.items() if one is item]
        if len(numbers) > max(1, len(item.alternatives)):
            headings = [sheet.header[number] for number in numbers]
            columns.problems.append(
                f"{sheet.name}: columns {' and '.join(headings)} are both "
                f"{names.scale.abbreviation} item {item.code}. Leave one out under [ratings] in "
                f'study.toml: columns = {{"{headings[-1]}" = ""}}'
            )
            for number in numbers:
                del columns.items[number]


def _compare(
    sheet: Sheet,
    number: int,
    item: Item,
    names: ItemNames,
    columns: ItemColumns,
    not_rated: Container[float],
) -> None:
    """Compare the range that the file gives with the scale's.

    Another lowest rating means that the ratings are counted from elsewhere, so that every one of
    them would be wrong; another highest one may be another version.
    """
    span = _range(sheet.column(number), item, not_rated)
    if span is None or span == (item.minimum, item.maximum):
        return
    text = (
        f"{sheet.name}: column {sheet.header[number]} runs from {span[0]:g} to {span[1]:g} by the "
        f"file's dictionary, {names.scale.abbreviation} item {item.code} from {item.range_text}"
    )
    if span[0] == item.minimum:
        columns.notes.append(f"{text}: is it another version of the scale?")
    else:
        columns.problems.append(
            f"{text}. If it is another version, give the scale a file of its own; codes for 'not "
            "rated' are named under [ratings] in study.toml: missing = [...]"
        )


def _range(column: Column, item: Item, not_rated: Container[float]) -> tuple[float, float] | None:
    """Give the range that a dictionary allows; None where it says too little."""
    if column.minimum is not None and column.maximum is not None:
        return column.minimum, column.maximum
    values = [float(key) for key in column.levels if NUMBER.fullmatch(key)]
    values = [value for value in values if value not in not_rated]
    n_ratings = len(item.allowed) or item.maximum - item.minimum + 1
    # SPSS files often have a label for some values only
    return (min(values), max(values)) if len(values) >= n_ratings else None
