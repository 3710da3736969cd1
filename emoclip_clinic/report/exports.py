"""The report's numbers at full precision: tables without ids, and what their columns mean."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from emoclip_clinic.errors import StudyError
from emoclip_clinic.report.data import ReportData

__all__ = ["DICTIONARY", "csv_with_bom", "dictionary", "exported"]

DICTIONARY = "templates/exports/dictionary.toml"
RATERS = ("rater", "rater_a", "rater_b")
BOM = "\ufeff"


def exported(data: ReportData) -> dict[str, pd.DataFrame]:
    """Give the tables behind the report: name -> table, raters as letters, nobody else named.

    What is not aggregated (recordings, predictions, participants) stays in the study.
    """
    reasons = ["stage", "unit", "reason"]
    counted = data.exclusions.groupby(reasons, sort=False).size().reset_index(name="n")
    tables = {
        "agreement": data.agreement,
        "performance": data.performance,
        "permutation": data.permutation,
        "flow": data.flow,
        "exclusions": counted,
        **data.tables,
    }
    return {name: _masked(data, table) for name, table in tables.items() if len(table)}


def _masked(data: ReportData, table: pd.DataFrame) -> pd.DataFrame:
    letters = data.rater_names
    shown = {
        name: table[name].map(lambda rater: letters.get(str(rater), rater))
        for name in RATERS
        if name in table
    }
    texts = {
        name: table[name].map(lambda text: data.masked(text) if isinstance(text, str) else text)
        for name in ("note", "group", "level")
        if name in table
    }
    return table.assign(**shown, **texts)


def dictionary(tables: Mapping[str, pd.DataFrame], meanings: Mapping[str, str]) -> pd.DataFrame:
    """Make the data dictionary of the tables.

    Parameters
    ----------
    meanings
        What each column means, by its name.

    Returns
    -------
    pandas.DataFrame
        file, column, type ("number", "whole number" or "text"), missing (how many rows lack it),
        meaning.

    Raises
    ------
    StudyError
        A column has no meaning.
    """
    rows = []
    for name, table in tables.items():
        for column in table:
            if str(column) not in meanings:
                raise StudyError(f"{DICTIONARY}: column {column} of {name}.csv has no meaning.")
            rows.append(
                {
                    "file": f"{name}.csv",
                    "column": column,
                    "type": _type(table[column]),
                    "missing": int(table[column].isna().sum()),
                    "meaning": meanings[str(column)],
                }
            )
    return pd.DataFrame(rows)


def _type(column: pd.Series) -> str:
    known = column.dropna()
    if known.empty:
        return "number" if pd.api.types.is_float_dtype(column.infer_objects()) else "text"
    if not pd.api.types.is_numeric_dtype(known.infer_objects()):
        return "text"
    return "whole number" if (known == known.round()).all() else "number"


def csv_with_bom(table: pd.DataFrame) -> bytes:
    """Write a table as UTF-8 with a byte order mark, which Excel needs to see that it is UTF-8."""
    return (BOM + table.to_csv(index=False, lineterminator="\n")).encode()
