"""A Dask cluster of processes on this machine, and work for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic.regression import Design, cross_validate
from emoclip_clinic.regression.jobs import Runner
from tests.guard.passed_on import python_path

# workers unpack the functions of the test modules
PYTHONPATH = python_path(Path(__file__).parent)
POLL_S = 0.02


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does; what never comes is stopped by the test's reader."""
    while not is_so():
        time.sleep(POLL_S)


class Cluster:
    """A Dask scheduler and workers, each a process of its own, that talk over loopback."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.file = folder / "scheduler.json"
        self.log = folder / "log.txt"
        self.folder = folder
        self.n_started = 0
        self.scheduler = self._start(
            "dask_scheduler", "--port", "0", "--scheduler-file", str(self.file), *options
        )
        self.workers: list[subprocess.Popen[bytes]] = []
        until(self.file.is_file)

    def have(self, n_workers: int, *options: str) -> None:
        """Start what is missing, wait until the scheduler knows it, and end what is too many."""
        alive = [worker for worker in self.workers if worker.poll() is None]
        for worker in alive[n_workers:]:
            worker.kill()
            worker.wait()
        self.workers = alive[:n_workers]
        for _ in range(n_workers - len(self.workers)):
            self.n_started += 1
            words = ("--scheduler-file", str(self.file), "--no-nanny", "--nthreads", "1")
            self.workers.append(self._start("dask_worker", *words, *options))
        until(lambda: self.log.read_text().count("Registered to:") == self.n_started)

    def _start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--host", "127.0.0.1"]
        # a job that is lost with two workers is given up
        environment = {
            "PYTHONPATH": PYTHONPATH,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "DASK_TEMPORARY_DIRECTORY": str(self.folder),
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard", *words],
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End them at once: they keep nothing."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster_in(folder: Path, *options: str) -> Iterator[Cluster]:
    cluster = Cluster(folder, *options)
    try:
        yield cluster
    finally:
        cluster.stop()


def cohort() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """24 participants of one recording, 8 features, 3 targets, one of them with a gap."""
    generator = np.random.default_rng(5)
    index = pd.Index([f"r{number:02d}" for number in range(24)])
    x = pd.DataFrame(generator.normal(size=(24, 8)), index=index)
    y = pd.DataFrame(x.to_numpy()[:, :3] + generator.normal(size=(24, 3)), index, list("abc"))
    y.iloc[7, 1] = np.nan
    return x, y, pd.Series(index, index)


def predictions(run: Runner) -> pd.DataFrame:
    design = Design(n_folds=4, n_repeats=2, n_inner_folds=3, seed=3)
    return cross_validate(*cohort(), design, run=run).predictions
