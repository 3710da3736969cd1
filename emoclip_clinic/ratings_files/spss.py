"""Read SPSS files: numbers stay numbers, what the file calls missing is missing."""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.sheets import Column, Sheet, clean

__all__ = ["read"]


def read(path: Path) -> Sheet:
    """Read a .sav, .zsav or .por file.

    Value labels are never put in place of the numbers; variable labels help to find the items.
    User-missing values are missing, and the column says how many of each there were. Rows are
    counted as SPSS counts cases: the first is 1.

    Raises
    ------
    RatingsError
        The file cannot be read.
    """
    import pyreadstat

    try:
        if path.suffix.lower() == ".por":
            # the portable format gives no user-missing values
            table, meta = pyreadstat.read_por(path)
        else:
            table, meta = pyreadstat.read_sav(path, user_missing=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OSError, ValueError) as error:
        raise RatingsError(
            f"{path.name} cannot be read as SPSS data: {error}. Save it again in SPSS as .sav, or "
            "export it as CSV (UTF-8)."
        ) from error
    names = [str(name) for name in table]
    missing = {name: _Missing.of(meta, name) for name in names}
    rows = zip(*(map(missing[name].text, table[name]) for name in names), strict=True)
    return Sheet(
        name=path.name,
        header=tuple(names),
        rows=tuple((n, row) for n, row in enumerate(rows, start=1) if any(row)),
        columns=tuple(_column(table[name], name, meta, missing[name]) for name in names),
    )


@dataclass(frozen=True)
class _Missing:
    """What a variable of the file declares as missing."""

    spans: tuple[tuple[Any, Any], ...]
    """Lowest and highest value of each range."""

    @classmethod
    def of(cls, meta: Any, name: str) -> _Missing:
        given = (meta.missing_ranges or {}).get(name, [])
        pairs = [(one["lo"], one["hi"]) if isinstance(one, dict) else (one, one) for one in given]
        return cls(tuple(pairs))

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        if isinstance(value, str):
            texts = [str(low).strip() for low, _ in self.spans if isinstance(low, str)]
            return value.strip() in texts
        return isinstance(value, float | int) and any(
            low <= value <= high for low, high in self.spans if not isinstance(low, str)
        )

    def text(self, value: Any) -> str:
        """Write a value; a missing one is an empty text."""
        return "" if pd.isna(value) or self.holds(value) else _plain(value)


def _column(values: pd.Series, name: str, meta: Any, missing: _Missing) -> Column:
    levels = meta.variable_value_labels.get(name, {})
    return Column(
        label=meta.column_names_to_labels.get(name) or "",
        levels={_plain(value): text for value, text in levels.items() if not missing.holds(value)},
        missing=Counter(_plain(value) for value in values if missing.holds(value)),
    )


def _plain(value: Any) -> str:
    """Write a value as it would be typed: 3 for 3.0, dates in ISO."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, datetime.date) else clean(str(value))
