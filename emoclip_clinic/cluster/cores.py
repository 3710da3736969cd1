"""Jobs on the cores of this machine, a process each."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from typing import Any

from emoclip_clinic.cluster.flight import JOBS_A_CORE, Future, earliest, in_flight
from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.jobs import Apart, Runner, serially

__all__ = ["on_cores"]

ONE_THREAD = dict.fromkeys(
    (
        "BLIS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)  # fmt: skip
"""A process a core, a thread a process: more threads than cores would wait for one another."""

CHECK_S = 1.0


def on_cores(n_jobs: int | None = None) -> Runner:
    """Make a runner that does jobs in processes of this machine.

    The function, with the data it holds, is sent to each process once. What a job raises arrives
    as it is. The processes end with the last result, with an error and with Ctrl-C.

    Parameters
    ----------
    n_jobs
        Processes; the cores that this process may use, if it is not given. 1 is `serially`: no
        process is started.

    Returns
    -------
        The runner. Its results are those of `serially` to 1e-12 or better: a process has one
        thread, and linear algebra on another number of threads may round the last bit otherwise.

    Raises
    ------
    ClinicError
        `n_jobs` is below 1; or, when it runs, a process was killed.
    """
    import loky

    n = loky.cpu_count() if n_jobs is None else n_jobs
    if n < 1:
        raise ClinicError(f"{n} cores; allowed: 1 or more. This machine has {os.cpu_count()}.")
    return serially if n == 1 else partial(_run, n)


def _run(n_jobs: int, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    import cloudpickle
    import loky

    # a function of a notebook or script can be packed by value alone
    packed = cloudpickle.dumps(function)
    pool = loky.ProcessPoolExecutor(
        min(n_jobs, max(len(jobs), 1)),
        initializer=_receive,
        initargs=(packed, os.getpid()),
        env=ONE_THREAD,
    )
    try:
        submit = partial(pool.submit, _do)
        choose = _first_done if isinstance(function, Apart) else earliest
        yield from in_flight(submit, jobs, lambda: JOBS_A_CORE * n_jobs, _collect, choose)
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _first_done(futures: Sequence[Any]) -> Any:
    return next(iter(wait(futures, return_when=FIRST_COMPLETED).done))


def _collect(future: Future, job: Any) -> Any:
    from loky.process_executor import TerminatedWorkerError

    try:
        return future.result()
    except TerminatedWorkerError as error:
        raise ClinicError(
            f"a process was killed at job {job} or one of the next; the system does so where "
            "memory is short. Use fewer cores (--cluster cores:N), or a machine with more memory."
        ) from error


_received: list[Callable[[Any], Any]] = []
"""In a worker process: the function whose jobs it does."""


def _receive(packed: bytes, parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # Ctrl-C reaches the whole group of processes; the parent alone decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _received[:] = [pickle.loads(packed)]


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which cannot say so when it is killed."""
    while os.getppid() == parent:
        time.sleep(CHECK_S)
    os._exit(1)


def _do(job: Any) -> Any:
    return _received[0](job)
