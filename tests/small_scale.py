"""A small scale file, to be written as it is or with a mistake in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SMALL", "written"]

SMALL = """
id = "small"
abbreviation = "SMALL"
name = "A small scale"
version = "1"
reference = "none"
licence = "free"
direction = "higher is worse"
items = [
  { code = "A1", label = "first", minimum = 0, maximum = 4 },
  { code = "A2", label = "second", minimum = 0, maximum = 4 },
  { code = "B1", label = "third", minimum = 0, maximum = 8, allowed = [0, 2, 4, 6, 8] },
]
[[subscales]]
id = "a"
label = "A"
items = ["A1", "A2"]
[total]
label = "Total"
"""


def written(study: Path, text: str, name: str = "small") -> Path:
    """Write a scale file of a study's own."""
    path = study / "protocols" / "scales" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
