"""Jobs on the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoclip_clinic.cluster.flight import JOBS_A_CORE, Future, earliest, in_flight
from emoclip_clinic.cluster.settings import DaskSettings, Tls
from emoclip_clinic.cluster.versions import compare, compare_all, versions, versions_here
from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.jobs import Apart, Lost, Runner

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security
    from threadpoolctl import ThreadpoolController

__all__ = ["on_dask", "ready", "require", "runner_of", "security_of"]

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""
WORKERS_S = 30.0
"""How long a cluster that exists may take to show a worker, or another after the last is lost."""
STEP_S = 1.0
"""While a job is waited for, it is seen so often whether there are workers."""
FETCH_S = 300.0
"""How long the result of a job that is done may take to come here, before that is seen again."""


def require(library: str) -> None:
    """Check that a library of the extra "cluster" is there.

    Raises
    ------
    ClinicError
        It is not installed.
    """
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise ClinicError(
            f"a cluster needs {error.name}, which is not installed. "
            "Run: python -m pip install 'emoclip-clinic[cluster]'"
        ) from error


@contextlib.contextmanager
def runner_of(settings: DaskSettings) -> Iterator[Runner]:
    """Connect to a cluster that exists, and see that its workers compute as this machine does.

    Raises
    ------
    ClinicError
        There is no answer, no worker, another version, or no worker has what a job takes.
    """
    require("distributed")
    from distributed import Client

    address = settings.address or _address_in(settings.scheduler_file)
    security = security_of(settings.tls)
    try:
        _greet(address, security)
        client = Client(address, security=security, timeout=CONNECT_S)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ClinicError(
            f"no Dask scheduler answers at {address} within {CONNECT_S:g} s "
            f"({str(error) or 'what is there says nothing'}). Check that it runs, that host and "
            "port are those it printed (not its dashboard's), that no firewall is between, and "
            "that both sides use tcp:// or both tls://."
        ) from error
    with client:
        ready(client, WORKERS_S)
        yield on_dask(client, settings.resources, WORKERS_S)


def _address_in(path: str) -> str:
    if not path:
        raise SettingsError("neither address nor scheduler_file is given; allowed: one of them.")
    try:
        return str(json.loads(Path(path).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClinicError(
            f"{path} is not the file of a running scheduler ({type(error).__name__}). "
            "Start one: dask scheduler --scheduler-file PATH"
        ) from error


def _greet(address: str, security: Security) -> None:
    """See that Dask answers: for who takes the call and says nothing, its client waits for ever."""
    from distributed.comm.core import connect

    async def greet() -> None:
        call = connect(address, timeout=CONNECT_S, **security.get_connection_args("client"))
        comm = await asyncio.wait_for(call, CONNECT_S)
        comm.abort()

    # a notebook has a loop of its own in this thread
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, greet()).result()


def security_of(tls: Tls | None) -> Security:
    """Make Dask's security settings; without `tls`, those of Dask's own configuration."""
    from distributed.security import Security

    if tls is None:
        return Security()
    own = {
        f"tls_{role}_{part}": getattr(tls, part)
        for role in ("client", "scheduler", "worker")
        for part in ("cert", "key")
    }
    return Security(tls_ca_file=tls.ca_file, require_encryption=True, **own)


def ready(client: Client, wait_s: float) -> None:
    """Wait for the first worker, and compare its versions, and those of all that are there.

    Raises
    ------
    ClinicError
        There is no worker in `wait_s`, or one has other versions than this machine.
    """
    try:
        client.wait_for_workers(1, timeout=wait_s)
    except TimeoutError as error:
        raise ClinicError(
            f"the scheduler has no worker after {wait_s:g} s. Start some (dask worker ADDRESS), "
            "or see in the queue why they wait."
        ) from error
    compare_all(client, ())


@dataclass(frozen=True, eq=False)
class _Task:
    """What workers hold: the function with its data, and the versions that it was sent from."""

    function: Callable[[Any], Any]
    libraries: tuple[str, ...]
    versions: dict[str, str]

    def __call__(self, job: Any) -> Any:
        """Do a job on one thread; a worker that came later has its versions compared here."""
        from distributed import get_worker

        compare(self.versions, versions_here(self.libraries), get_worker().address)
        with _pools().limit(limits=1):
            return self.function(job)


@cache
def _pools() -> ThreadpoolController:
    # asked once, since finding them takes milliseconds, when all is imported that has some
    import scipy.linalg  # noqa: F401
    import sklearn  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def on_dask(client: Client, resources: Mapping[str, float], patience_s: float) -> Runner:
    """Make a runner that does jobs on the workers of a cluster.

    The function, with the data it holds, is sent to the cluster once, and workers have it from one
    another. Jobs of a worker that is lost are done by another. What a job raises arrives as it is.

    Parameters
    ----------
    client
        Connected, and `ready`.
    resources
        What a job takes while it runs, such as {"GPU": 1}, of what workers were started with.
    patience_s
        How long there may be no worker, when the last one is lost.

    Returns
    -------
        The runner. Its results are those of `serially` to 1e-12 or better.

    Raises
    ------
    ClinicError
        No worker has the resources; or, when it runs: a job, if it is not `Apart`, was lost with
        one worker after another, the scheduler or every worker is gone, or a worker has other
        versions.
    """
    _require_resources(client, resources)

    def run(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
        import cloudpickle
        import dask

        apart = isinstance(function, Apart)
        libraries = function.libraries if isinstance(function, Apart) else ()
        if libraries:
            compare_all(client, libraries)
        # a function of a notebook or script can be packed by value alone
        packed = cloudpickle.dumps(_Task(function, libraries, versions(libraries)))
        # a result and no scattered data: where the workers that hold it are lost, it is made again
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            held = client.submit(pickle.loads, packed, pure=False)

        def submit(job: Any) -> Any:
            return client.submit(_do, held, job, pure=False, resources=resources)

        # a job that waits at a worker is lost with the one that ends it
        each = 1 if apart else JOBS_A_CORE
        collect = partial(_collect, client, patience_s, apart)
        choose = partial(_first_done, client, patience_s) if apart else earliest
        results = in_flight(
            submit, jobs, lambda: each * max(_places(client, resources), 1), collect, choose
        )
        try:
            yield from _tell_apart(results, lambda lost: in_flight(submit, lost, _one, collect))
        except (CancelledError, _GoneError) as error:
            raise ClinicError(
                "the scheduler, or every worker, is gone, or this machine was cut off from them, "
                "as in its sleep: jobs are lost. See their logs, start them, then run the same "
                "command again."
            ) from error

    return run


def _one() -> int:
    return 1


def _tell_apart(
    results: Iterator[Any], alone: Callable[[Sequence[Any]], Iterator[Any]]
) -> Iterator[Any]:
    """Have jobs that were lost with one worker done alone: one of them ended it, not all."""
    lost = []
    for result in results:
        if isinstance(result, Lost):
            lost.append(result)
        else:
            yield result
    n_with = Counter(one.last for one in lost)
    yield from (one for one in lost if n_with[one.last] == 1)
    yield from alone([one.job for one in lost if n_with[one.last] > 1])


def _places(client: Client, resources: Mapping[str, float]) -> int:
    """Count the jobs that the workers can do at a time."""
    try:
        if not resources:
            return sum(client.nthreads().values())
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
    except OSError as error:
        raise _GoneError from error
    return sum(_fit(worker, resources) for worker in workers)


def _fit(worker: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    has = worker["resources"]
    # 0.3 / 0.1 is a bit below 3
    most = [has.get(name, 0) / amount + 1e-9 for name, amount in resources.items()]
    return int(min(worker["nthreads"], *most))


def _require_resources(client: Client, resources: Mapping[str, float]) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    for name, amount in resources.items():
        most = max((worker["resources"].get(name, 0) for worker in workers), default=0)
        if most < amount:
            raise ClinicError(
                f"a job takes {name} = {amount:g}, and no worker has more than {most:g}. Start "
                f'workers with: dask worker ADDRESS --resources "{name}={amount:g}"'
            )


def _do(task: _Task, job: Any) -> Any:
    return task(job)


def _collect(client: Client, patience_s: float, apart: bool, future: Future, job: Any) -> Any:
    from distributed import KilledWorker

    try:
        return _result(client, future, patience_s)
    except KilledWorker as error:
        if apart:
            n = error.allowed_failures + 1
            reason = f"it ended {n} cluster workers, one after the other (out of memory?)"
            return Lost(job, reason, error.last_worker.address)
        raise ClinicError(
            f"job {job} was lost with {error.last_worker.address} and with every worker that had "
            "it before: their memory may be too small. See the workers' logs, give each worker "
            "more memory, then run the same command again."
        ) from error


class _GoneError(Exception):
    """There is no worker any more, or no scheduler."""


def _result(client: Client, future: Any, patience_s: float) -> Any:
    """Wait for a result as long as there are workers: the one that has it may be lost, too."""
    from distributed import wait

    for _ in _while_workers(client, patience_s):
        try:
            wait(future, timeout=STEP_S)
            return future.result(timeout=FETCH_S)
        except TimeoutError:
            # a job's own is its result
            if future.status == "error":
                raise
    raise _GoneError


def _first_done(client: Client, patience_s: float, futures: Sequence[Any]) -> Any:
    """Wait for any of the results as long as there are workers."""
    from distributed import wait

    for _ in _while_workers(client, patience_s):
        with contextlib.suppress(TimeoutError):
            wait(futures, timeout=STEP_S, return_when="FIRST_COMPLETED")
            return next(future for future in futures if future.done())
    raise _GoneError


def _while_workers(client: Client, patience_s: float) -> Iterator[None]:
    """Go on as long as there are workers, or not too long since there were.

    Raises
    ------
    _GoneError
        There is no scheduler.
    """
    without_s = 0.0
    while without_s <= patience_s:
        yield
        try:
            without_s = 0.0 if client.nthreads() else without_s + STEP_S
        except OSError as error:
            raise _GoneError from error
