"""What a process needs for the guard to be in it: a PYTHONPATH."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ROOT", "python_path"]

ROOT = Path(__file__).parents[2]
"""This checkout: processes import the same code as the tests, and the tests."""


def python_path(*others: str | Path) -> str:
    """Give a PYTHONPATH: the guard's folder, this checkout, and others after them."""
    places = [Path(__file__).parent, ROOT, *others]
    return os.pathsep.join(str(place) for place in places if str(place))
