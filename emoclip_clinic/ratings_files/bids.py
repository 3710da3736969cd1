"""What the JSON beside a BIDS phenotype table says of its columns.

Source: Brain Imaging Data Structure 1.10, "Tabular files" and "Phenotypic and assessment data".
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.sheets import NUMBER, Column, Sheet

__all__ = ["describe", "sidecar"]


def sidecar(path: Path) -> Path:
    """Name the JSON that belongs to a table."""
    return path.with_suffix(".json")


def describe(sheet: Sheet, path: Path) -> Sheet:
    """Add to a TSV sheet what its JSON says; a sheet without one stays as it is.

    Descriptions become labels; Levels, MinValue and MaxValue ranges; Derivative a mark that the
    column is no item.

    Raises
    ------
    RatingsError
        The JSON cannot be read.
    """
    beside = sidecar(path)
    if path.suffix.lower() != ".tsv" or not beside.is_file():
        return sheet
    try:
        said = json.loads(beside.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise RatingsError(
            f"{beside.name} is not JSON: {error}. Correct it, or move it away from {path.name}."
        ) from error
    if not isinstance(said, dict):
        raise RatingsError(f"{beside.name} holds no object with a key a column of {path.name}.")
    return replace(sheet, columns=tuple(_column(said.get(name)) for name in sheet.header))


def _column(said: Any) -> Column:
    if not isinstance(said, dict):
        return Column()
    levels = said.get("Levels")
    return Column(
        label=str(said.get("Description") or said.get("LongName") or ""),
        levels={str(key): str(text) for key, text in levels.items()}
        if isinstance(levels, dict)
        else {},
        minimum=_number(said.get("MinValue", said.get("Minimum"))),
        maximum=_number(said.get("MaxValue", said.get("Maximum"))),
        no_item=said.get("Derivative") is True,
    )


def _number(value: Any) -> float | None:
    # real files write "4" as well as 4
    return float(str(value)) if NUMBER.fullmatch(str(value)) else None
