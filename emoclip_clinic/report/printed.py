"""A table as the report prints it, free of any page: what the PDF and the Word file share."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Printed"]


@dataclass(frozen=True)
class Printed:
    """Texts of a table, rounded as they are printed."""

    label: str
    """"Table 3.", or an empty text."""
    caption: str
    """What it shows."""
    columns: tuple[str, ...]
    """Heads."""
    numeric: tuple[bool, ...]
    """Which columns are right-aligned."""
    rows: tuple[tuple[str, ...], ...]
    """Cells; a row of one cell is a subheading over the rows below it."""
    notes: tuple[str, ...]
    """Below the table, each with its mark."""
