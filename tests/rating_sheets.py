"""Write a rating sheet as text, and read it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from emoclip_clinic import ratings
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scale import Scale
from emoclip_clinic.scales import load_scale

__all__ = ["PANSS", "cells", "read", "refusal", "sheet"]

PANSS = load_scale("panss")


def sheet(folder: Path, text: str, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str, scale: Scale = PANSS) -> pd.DataFrame:
    return ratings.read_ratings(sheet(folder, text), scale, note=[].append)


def refusal(folder: Path, text: str, scale: Scale = PANSS) -> str:
    with pytest.raises(RatingsError) as caught:
        read(folder, text, scale)
    return str(caught.value)


def cells(table: pd.DataFrame) -> list[tuple[object, ...]]:
    keys = ["participant", "session", "rater", "item", "value"]
    return [tuple(row) for row in table[keys].to_numpy().tolist()]
