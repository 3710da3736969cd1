"""Time the intervals of performance at the size of a large study; prints one line of JSON.

34 targets of one model, 100 participants, 25 of them seen twice, 10,000 resamples, all metrics.
"""

from __future__ import annotations

import json
import resource
import time

import numpy as np
import pandas as pd

from emoclip_clinic.regression import performance
from emoclip_clinic.regression.measures import METRICS

N_PARTICIPANTS, N_TWICE, N_TARGETS, N_RESAMPLES = 100, 25, 34, 10_000


def predictions() -> pd.DataFrame:
    """Items rated 1 to 7, and predictions that find half of them."""
    generator = np.random.default_rng(0)
    person = np.r_[np.arange(N_PARTICIPANTS), np.arange(N_TWICE)]
    recording = [f"r{number:03d}" for number in range(len(person))]
    tables = []
    for target in range(N_TARGETS):
        latent = generator.normal(size=len(person))
        observed = np.clip(np.round(3.5 + 1.3 * latent), 1, 7)
        predicted = 3.5 + 0.6 * latent + 0.6 * generator.normal(size=len(person))
        table = {"participant": person, "recording": recording, "observed": observed}
        tables.append(pd.DataFrame({**table, "predicted": predicted, "target": f"t{target}"}))
    return pd.concat(tables).assign(scale="panss", model="ridge")


def main() -> None:
    table = predictions()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    performance(table, dict.fromkeys(table["target"], "item"), n_resamples=N_RESAMPLES)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured = {
        "benchmark": "bootstrap_speed",
        "n_participants": N_PARTICIPANTS,
        "n_recordings": N_PARTICIPANTS + N_TWICE,
        "n_targets": N_TARGETS,
        "n_metrics": len(METRICS),
        "n_resamples": N_RESAMPLES,
        "seconds": round(seconds, 2),
        "peak_memory_mib": round(peak / 1024),
        "of_which_the_bootstrap_mib": round((peak - before) / 1024),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
