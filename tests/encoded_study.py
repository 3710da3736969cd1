"""A study as `encode` leaves it, of any size, without recordings: invented features and ratings.

The first half of the vector's dimensions shows a severity that N-like items share; the other items
are noise. Two raters, sites A and B, a second visit of some.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic import features, files
from emoclip_clinic.recordings import COLUMNS
from emoclip_clinic.scales import load_scale
from emoclip_clinic.segments import SEGMENT_COLUMNS
from emoclip_clinic.study import Study

__all__ = ["make_study"]

ENCODER = "emoclip-demo"


def make_study(
    folder: Path,
    n: int = 24,
    *,
    scale: str = "cains",
    fit: str = "",
    n_twice: int = 4,
    seed: int = 0,
    effect: float = 1.0,
    prefix: str = "P",
    raters: tuple[str, ...] = ("ann", "bob"),
) -> Study:
    """Write study.toml, participants.csv, ratings.csv, recordings.csv, features and provenance.

    Items whose code ends in an odd digit have a part of the severity.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    defaults = {"folds": 4, "repeats": 2, "inner_folds": 3, "resamples": 200, "permutations": 19}
    lines = [f"{key} = {value}" for key, value in defaults.items() if f"{key} =" not in fit]
    (folder / "study.toml").write_text(
        f'[study]\nscales = ["{scale}"]\nseed = 1\n[encode]\nencoder = "{ENCODER}"\n'
        + "\n".join(["[fit]", *lines, fit, ""])
    )
    people = [f"{prefix}{number:03d}" for number in range(1, n + 1)]
    visits = [(who, "01") for who in people] + [(who, "02") for who in people[:n_twice]]
    severity = dict(zip(people, rng.normal(size=n), strict=True))
    level = np.array([severity[who] for who, _ in visits]) + 0.3 * rng.normal(size=len(visits))
    files.write_csv(
        folder / "participants.csv",
        pd.DataFrame(
            {
                "participant": people,
                "site": np.where(np.arange(n) % 2, "B", "A"),
                "sex": np.where(np.arange(n) % 3, "F", "M"),
                "age": rng.integers(18, 66, n),
            }
        ),
    )
    files.write_csv(folder / "ratings.csv", _ratings(scale, visits, level * effect, rng, raters))
    study = Study(folder)
    _features(study, visits, level, rng)
    return study


def _ratings(
    scale_id: str,
    visits: list[tuple[str, str]],
    level: np.ndarray,
    rng: np.random.Generator,
    raters: tuple[str, ...],
) -> pd.DataFrame:
    scale = load_scale(scale_id)
    driven = np.array([int(code[-1]) % 2 == 1 for code in scale.codes])
    low = np.array([item.minimum for item in scale.items])
    high = np.array([item.maximum for item in scale.items])
    truth = np.where(driven, level[:, None], rng.normal(size=(len(visits), len(driven))))
    rows = []
    for rater in raters:
        rated = (low + high) / 2 + (high - low) / 5 * (truth + 0.3 * rng.normal(size=truth.shape))
        for (who, session), values in zip(visits, np.clip(np.round(rated), low, high), strict=True):
            rows.append([who, session, rater, *values.astype(int)])
    headings = [code if code[0].isalpha() else f"{scale_id}_{code}" for code in scale.codes]
    return pd.DataFrame(rows, columns=["participant", "session", "rater", *headings])


def _features(
    study: Study, visits: list[tuple[str, str]], level: np.ndarray, rng: np.random.Generator
) -> None:
    folder = study.features_dir(ENCODER)
    names = [f"sub-{who}_ses-{session}" for who, session in visits]
    recordings = pd.DataFrame(
        {
            "recording": names,
            "participant": [who for who, _ in visits],
            "session": [session for _, session in visits],
            "path": [f"interviews/{name}.mp4" for name in names],
            "sha256": [f"{number:064x}" for number in range(len(names))],
            "size_bytes": 1,
            "duration_s": 40.0,
            "status": "usable",
        }
    )
    files.write_csv(study.recordings_csv, recordings.reindex(columns=list(COLUMNS)))
    direction = np.r_[np.ones(8), np.zeros(8)]
    written, segments = [], []
    for name, value in zip(names, level, strict=True):
        vectors = value * direction + rng.normal(size=16) + rng.normal(size=(4, 16))
        table = pd.DataFrame(
            [(name, k, 10.0 * k, 10.0 * k + 10, 32, 1.0, False, "used", "") for k in range(4)],
            columns=list(SEGMENT_COLUMNS),
        )
        made = features.RecordingFeatures(name, ENCODER, "f" * 64, table, vectors.astype("f4"))
        written.append(folder / f"{name}.safetensors")
        features.write(written[-1], made)
        segments.append(table)
    table = pd.concat(segments, ignore_index=True).assign(padded="false")
    files.write_csv(folder / "segments.csv", table)
    stamp = study.stamp(f"encode-{ENCODER}", [], {"faces": "none", "protocol": {}})
    study.record(stamp, written, encoder=ENCODER, notice="", dim=16)
