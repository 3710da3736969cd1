"""Who took part, and what is known of them: participants.csv, or participants.tsv as in BIDS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.resources import close_matches
from emoclip_clinic.sheets import MISSING, NUMBER, read_sheet

__all__ = ["covariates", "read_participants"]

TEXTS = ("participant", "participant_id", "site")
"""Columns that are text, also where they look like numbers: 007 is no 7."""
MEANT_AS_NUMBER = re.compile(r"[<>]?\s*[+-]?[0-9]+([.,][0-9]*)?\s*\+?")
"""A number, also with a decimal comma, or cut off so that nobody is known by a high age."""


def read_participants(path: Path) -> pd.DataFrame:
    """Read participants.csv or participants.tsv; where there is none, nobody is known.

    Parameters
    ----------
    path
        UTF-8, with commas, semicolons or tabs. What participants.json says of the values is not
        put in their place.

    Returns
    -------
        participant (text, without "sub-"), other columns as they are: numbers where every value
        is one, text otherwise; "n/a" and an empty cell are missing.

    Raises
    ------
    StudyError
        The file is no table in UTF-8, has no column participant, someone is in it twice, or the
        other file is there as well.
    """
    if not path.is_file():
        return pd.DataFrame({"participant": pd.Series(dtype=str)})
    both = [path.with_suffix(suffix) for suffix in (".csv", ".tsv")]
    if all(one.is_file() for one in both):
        raise StudyError(f"there are {both[0].name} and {both[1].name}: keep one of them.")
    table = _table(path).rename(columns={"participant_id": "participant"})
    if "participant" not in table:
        raise StudyError(f"{path.name} has no column participant (or participant_id).")
    table["participant"] = table["participant"].str.removeprefix("sub-")
    twice = table.loc[table["participant"].duplicated(), "participant"]
    if len(twice):
        raise StudyError(f"{path.name}: participant {twice.iloc[0]} is in it twice. Keep one row.")
    return table


def _table(path: Path) -> pd.DataFrame:
    try:
        sheet = read_sheet(path)
    except RatingsError as error:
        raise StudyError(str(error)) from error
    rows = [[None if cell.casefold() in MISSING else cell for cell in row] for _, row in sheet.rows]
    table = pd.DataFrame(rows, columns=list(sheet.header), dtype="str")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise StudyError(f"{path.name} has two columns {twice[0]}. Rename or delete one of them.")
    return pd.DataFrame(
        {name: table[name] if name in TEXTS else _as_typed(table[name]) for name in sheet.header}
    )


def _as_typed(column: pd.Series) -> pd.Series:
    """Make numbers of a column if every value is one."""
    numeric = column.dropna().map(lambda text: NUMBER.fullmatch(text) is not None).all()
    return pd.to_numeric(column) if numeric else column


def covariates(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Give what is known of the participants as numbers and categories.

    A column is a number if most of its values are; then all of them must be. A site that is coded
    1, 2, 3 is a number here: write A, B, C where the order means nothing.

    Parameters
    ----------
    table
        What `read_participants` gives.
    names
        Columns of it.

    Returns
    -------
        Index participant, a column a name: floats, or texts that are categories; a missing value
        stays missing.

    Raises
    ------
    StudyError
        A column is unknown, or a value such as "89+" or "1,54" is none of a column of numbers.
    """
    known = [str(name) for name in table.columns if name != "participant"]
    for name in names:
        if name not in known:
            raise StudyError(
                f"there is no column {name!r} of the participants. {close_matches(name, known)}"
                f"Columns: {', '.join(known) or 'none'}."
            )
    people = table["participant"]
    made = {name: _covariate(table[name], people) for name in names}
    return pd.DataFrame(made, pd.Index(people, name="participant"))


def _covariate(column: pd.Series, people: pd.Series) -> NDArray[np.generic]:
    """Make numbers or texts of a column."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(float)
    texts = [None if pd.isna(value) else str(value).strip() for value in column]
    known = [text for text in texts if text is not None]
    if 2 * sum(MEANT_AS_NUMBER.fullmatch(text) is not None for text in known) <= len(known):
        return np.array(texts, dtype=object)
    for row, text in enumerate(texts):
        if text is not None and not NUMBER.fullmatch(text):
            raise StudyError(
                f"participants, row {row + 2} (participant {people.iloc[row]}): {column.name} = "
                f"{text}; allowed: a number with a decimal point, or an empty cell. A text such as "
                "89+ hides a number and is none."
            )
    return np.array([np.nan if text is None else float(text) for text in texts])
