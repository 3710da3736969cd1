"""A small study for tests: short recordings whose brightness is what the raters rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic.scales import load_scale
from tests.videos import write_video

__all__ = ["PEOPLE", "make_ratings", "make_recordings", "write_settings"]

PEOPLE = [f"P{number:02d}" for number in range(1, 13)]
SETTINGS = """
[study]
title = "A small study"
scales = ["cains"]
seed = 1
[encode]
encoder = "emoclip-demo"
faces = "none"
[fit]
folds = 4
repeats = 2
inner_folds = 3
resamples = 200
permutations = 19
[agree]
resamples = 200
"""


def write_settings(folder: Path) -> None:
    """Write study.toml: the demonstration's encoder on whole frames, few folds and resamples."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(SETTINGS)


def _severity(people: list[str]) -> np.ndarray:
    return np.linspace(0.1, 0.9, len(people))


def make_recordings(folder: Path, people: list[str] = PEOPLE, seed: int = 0) -> None:
    """Film everyone for 2 s at 10 frames a second, 64 x 64, the darker the more severe."""
    for person, severity in zip(people, _severity(people), strict=True):
        # nobody's recording is another's
        rng = np.random.default_rng([*person.encode(), seed])
        level = 230 - 200 * severity
        noise = rng.normal(0, 3, (20, 64, 64, 3))
        frames = [np.clip(level + one, 0, 255).astype(np.uint8) for one in noise]
        path = folder / person / "interview.mp4"
        path.parent.mkdir(parents=True)
        write_video(path, frames, fps=10)


def make_ratings(people: list[str] = PEOPLE) -> pd.DataFrame:
    """Rate everyone on CAINS, two raters, a column an item; the severer the higher."""
    rng = np.random.default_rng(2)
    codes = load_scale("cains").codes
    rows = []
    for person, severity in zip(people, _severity(people), strict=True):
        for rater in ("ann", "bob"):
            values = np.clip(np.round(4 * severity + rng.normal(0, 0.5, len(codes))), 0, 4)
            rows.append([person, rater, *values.astype(int)])
    return pd.DataFrame(rows, columns=["participant", "rater", *codes])
