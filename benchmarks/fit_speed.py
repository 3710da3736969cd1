"""Time nested cross-validation at the size of a PANSS study; prints one line of JSON.

Run with OMP_NUM_THREADS=1 for one core: `python benchmarks/fit_speed.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np
import pandas as pd

from emoclip_clinic.regression import Design, cross_validate, performance

N_PARTICIPANTS, N_RECORDINGS, N_FEATURES, N_TARGETS = 40, 50, 1024, 39


def cohort(n_gaps: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Features, scores and participants of random numbers; `n_gaps` targets miss one recording."""
    generator = np.random.default_rng(0)
    person = np.arange(N_RECORDINGS) % N_PARTICIPANTS
    index = pd.Index([f"recording-{number:02d}" for number in range(N_RECORDINGS)])
    x = pd.DataFrame(generator.normal(size=(N_RECORDINGS, N_FEATURES)), index=index)
    scores = generator.normal(size=(N_RECORDINGS, N_TARGETS))
    y = pd.DataFrame(scores, index=index, columns=[f"target-{k:02d}" for k in range(N_TARGETS)])
    for gap in range(n_gaps):
        y.iloc[gap, gap] = np.nan
    return x, y, pd.Series([f"{who:02d}" for who in person], index=index)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gaps", type=int, default=0, help="targets with a missing recording")
    gaps = parser.parse_args().gaps
    x, y, participants = cohort(gaps)
    start = time.perf_counter()
    result = cross_validate(x, y, participants, Design())
    fitted = time.perf_counter()
    performance(result.predictions.assign(scale="panss"), dict.fromkeys(y, "item"))
    measured = {
        "benchmark": "fit_speed",
        "design": "10 folds x 5 repeats, 5 inner folds, 13 penalties",
        "n_recordings": N_RECORDINGS,
        "n_features": N_FEATURES,
        "n_targets": N_TARGETS,
        "targets_with_a_gap": gaps,
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "cross_validate_s": round(fitted - start, 2),
        "performance_s": round(time.perf_counter() - fitted, 2),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
