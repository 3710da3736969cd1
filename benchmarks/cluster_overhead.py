"""Time what cores and a Dask cluster cost beside the work itself; prints one line of JSON.

Two workers of one thread, on this machine; data of the size of `fit_speed`. Run with
OMP_NUM_THREADS=1: `python -m benchmarks.cluster_overhead`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import LocalCluster

from benchmarks.fit_speed import N_FEATURES, N_RECORDINGS, N_TARGETS, cohort
from emoclip_clinic.cluster import connect
from emoclip_clinic.regression import Design, cross_validate
from emoclip_clinic.regression.jobs import Runner, serially

N_JOBS = 1000


class Nothing:
    """Holds the data and does no work."""

    def __init__(self) -> None:
        self.data = cohort(0)

    def __call__(self, job: int) -> int:
        """Give it back."""
        return job


def costs(run: Runner) -> dict[str, float]:
    """Seconds to the first result, milliseconds of an empty job, seconds of a cross-validation."""
    start = time.perf_counter()
    results = run(Nothing(), range(N_JOBS + 1))
    next(results)
    first = time.perf_counter()
    for _ in results:
        pass
    rest = time.perf_counter()
    cross_validate(*cohort(0), Design(), run=run)
    return {
        "start_s": round(first - start, 2),
        "job_ms": round(1000 * (rest - first) / N_JOBS, 3),
        "cross_validate_s": round(time.perf_counter() - rest, 2),
    }


@contextmanager
def dask_workers() -> Iterator[str]:
    """Start a scheduler and two workers; give the address."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def main() -> None:
    measured = {"serial": costs(serially)}
    with connect("cores:2") as run:
        measured["cores"] = costs(run)
    with dask_workers() as address, connect(f"dask:{address}") as run:
        measured["dask"] = costs(run)
    size = {"n_recordings": N_RECORDINGS, "n_features": N_FEATURES, "n_targets": N_TARGETS}
    about = {"benchmark": "cluster_overhead", "workers": 2, "design": "10 folds x 5 repeats"}
    print(json.dumps(about | size | measured))


if __name__ == "__main__":
    main()
