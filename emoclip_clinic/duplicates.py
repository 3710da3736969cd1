"""Ratings that are given twice, and blocks of rows that are pasted twice under other ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from emoclip_clinic.rating_cells import Cell, Visit, counted
from emoclip_clinic.scale import Scale

__all__ = ["pasted_twice", "resolve"]

Rated = tuple[Cell, float]
BLOCK = 10
"""Consecutive visits whose ratings must all recur: fewer can be alike by chance."""
DIFFERENT = 5
"""Visits of a block that must differ: many healthy people have equal ratings."""


def resolve(
    rated: Sequence[Rated], scale: Scale, rule: str
) -> tuple[list[Rated], list[str], list[str]]:
    """Leave one rating of those that share participant, session, rater and item.

    Parameters
    ----------
    rated
        In the order of files and rows.
    scale
        For messages.
    rule
        "error", "first", "last" or "mean".

    Returns
    -------
    kept
        One rating each; under "error", all of them.
    problems
        Ratings that are given twice, where the rule is "error" or one row has both.
    notes
        What was resolved, with counts.
    """
    groups: dict[tuple[object, ...], list[Rated]] = defaultdict(list)
    for one in rated:
        groups[(*one[0].visit.key, one[0].item.code)].append(one)
    repeated = [group for group in groups.values() if len(group) > 1]
    within: list[list[Rated]] = []
    across: list[list[Rated]] = []
    for group in repeated:
        rows = {(cell.visit.file, cell.visit.row) for cell, _ in group}
        (across if len(rows) == len(group) else within).append(group)
    problems = [*_in_one_row(within, scale)]
    if rule == "error":
        return [*rated], [*problems, *_given_twice(across, scale)], []
    kept = [_one(group, rule) for group in groups.values()]
    return kept, problems, [*_resolved(across, rule)]


def _one(group: Sequence[Rated], rule: str) -> Rated:
    if rule == "mean":
        return group[0][0], fmean(value for _, value in group)
    return group[0] if rule == "first" else group[-1]


def _resolved(repeated: Sequence[Sequence[Rated]], rule: str) -> Iterator[str]:
    if repeated:
        visits = {group[0][0].visit.key for group in repeated}
        unequal = sum(len({value for _, value in group}) > 1 for group in repeated)
        yield (
            f"{counted(len(repeated), 'rating')} of {counted(len(visits), 'visit')} given twice "
            f'or more, {unequal} of them unequal; duplicates = "{rule}" was taken'
        )


def _in_one_row(repeated: Sequence[Sequence[Rated]], scale: Scale) -> Iterator[str]:
    columns = Counter(
        (group[0][0].visit.file, group[0][0].item.code, *(cell.heading for cell, _ in group))
        for group in repeated
    )
    for (file, code, *headings), count in columns.items():
        yield (
            f"{file}: {scale.abbreviation} item {code} is rated in {' and '.join(headings)} at "
            f"once in {counted(count, 'row')}, and only one of them counts. Leave one out under "
            f'[ratings] in study.toml: columns = {{"{headings[-1]}" = ""}}'
        )


def _given_twice(repeated: Sequence[Sequence[Rated]], scale: Scale) -> Iterator[str]:
    again: dict[tuple[Visit, Visit], list[Cell]] = defaultdict(list)
    for group in repeated:
        for cell, _ in group[1:]:
            again[cell.visit, group[0][0].visit].append(cell)
    for (visit, earlier), cells in again.items():
        codes = ", ".join(cell.item.code for cell in cells[:3])
        more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
        yield (
            f"{visit.file}, row {visit.row}: participant {visit.participant}, session "
            f"{visit.session}, rater {visit.rater}: {scale.abbreviation} item {codes}{more} rated "
            f"already in {'' if visit.file == earlier.file else f'{earlier.file}, '}"
            f"row {earlier.row}"
        )


def pasted_twice(rated: Sequence[Rated]) -> list[str]:
    """Find blocks of visits whose ratings recur under other participants.

    A part of an export that was pasted twice, with ids that were numbered afterwards, looks like
    new people; each of them would be trained on and tested. A visit may be a row or, in a long
    sheet, a row an item.

    Returns
    -------
        A sentence a block of at least `BLOCK` visits of one file.
    """
    visits: dict[tuple[str, ...], list[Rated]] = defaultdict(list)
    for cell, value in rated:
        visits[cell.visit.file, *cell.visit.key].append((cell, value))
    by_file: dict[str, list[list[Rated]]] = defaultdict(list)
    for (file, *_), ratings in visits.items():
        by_file[file].append(ratings)
    return [text for file, ratings in by_file.items() for text in _blocks(file, ratings)]


def _blocks(file: str, visits: Sequence[Sequence[Rated]]) -> Iterator[str]:
    content = [tuple((cell.item.code, value) for cell, value in visit) for visit in visits]
    first: dict[tuple[object, ...], int] = {}
    start = 0
    while start + BLOCK <= len(content):
        window = tuple(content[start : start + BLOCK])
        earlier = first.setdefault(window, start)
        if earlier == start or len(set(window)) < DIFFERENT:
            start += 1
            continue
        length = BLOCK
        while (
            start + length < len(content) and content[start + length] == content[earlier + length]
        ):
            length += 1
        old, new = (
            [cell.visit for visit in visits[begin : begin + length] for cell, _ in visit]
            for begin in (earlier, start)
        )
        if old[0].participant != new[0].participant:
            yield (
                f"{file}: rows {new[0].row}-{new[-1].row} have the ratings of rows {old[0].row}-"
                f"{old[-1].row} under other participants: was a part of the export pasted twice?"
            )
        start += length
