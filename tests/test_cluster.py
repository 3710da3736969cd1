from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic.cluster import connect, on_cores, scheduler
from emoclip_clinic.errors import ClinicError, StudyError, TooFewError
from emoclip_clinic.regression.jobs import Apart, Runner, serially
from tests.dask_cluster import Cluster, cluster_in, predictions, until
from tests.guard.passed_on import ROOT


@pytest.fixture(scope="module")
def one_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def cluster(one_cluster: Cluster) -> Cluster:
    """Two workers, whatever the test before did to them."""
    one_cluster.have(2)
    return one_cluster


@pytest.fixture(params=["cores", "dask"])
def run(request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Two processes of either kind."""
    with ExitStack() as stack:
        text = "cores:2"
        if request.param == "dask":
            text = f"dask:scheduler-file={request.getfixturevalue('cluster').file}"
        yield stack.enter_context(connect(text))


def squared(job: tuple[int, str]) -> tuple[int, str, int, set[int]]:
    """Square the number; say who did it, and the threads of every pool of linear algebra there.

    The earlier job takes longer, so that order is not by chance.
    """
    from threadpoolctl import threadpool_info

    number, name = job
    sum(range((8 - number) * 100_000))
    np.linalg.svd(np.eye(3))
    return number**2, name, os.getpid(), {pool["num_threads"] for pool in threadpool_info()}


def fails(job: Exception) -> None:
    raise job


def asks_the_network(address: tuple[str, int]) -> str:
    try:
        socket.create_connection(address).close()
    except OSError as error:
        return str(error)
    return "reached"


@dataclass
class Counted(Sequence[int]):
    """Jobs that count how many of them were asked for."""

    n: int
    asked: int = 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, place: Any) -> Any:
        if place >= self.n:
            raise IndexError
        self.asked += 1
        return place


class Heavy:
    """A function with data, that leaves files in a folder: its process's, one each unpacking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (self.folder / f"{os.getpid()}").touch()
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, job: int) -> str:
        """Say who does it."""
        return str(os.getpid())


@dataclass
class Stalls:
    """Leaves its process's number at one job, and never ends, unless it was there before."""

    function: Callable[[Any], Any]
    at: Any
    file: Path

    def __call__(self, job: Any) -> Any:
        """Do it, or stall."""
        if str(job) == str(self.at) and not self.file.exists():
            unfinished = self.file.with_suffix(".tmp")
            unfinished.write_text(str(os.getpid()))
            unfinished.rename(self.file)
            threading.Event().wait()
        return self.function(job)


@dataclass
class AfterAll:
    """Does the first job when a file is there, and any other at once."""

    file: Path

    def __call__(self, job: int) -> int:
        """Give the job."""
        if job == 0:
            until(self.file.exists)
        return job


@dataclass
class Dies:
    """Ends its process at one recording."""

    function: Callable[[Any], Any]
    name: str

    def __call__(self, row: Any) -> Any:
        """Encode it, or die."""
        if row["recording"] == self.name:
            dies(0)
        return self.function(row)


def within(function: Any, around: Callable[[Any], Any]) -> Any:
    """Put something around a function, which stays of its kind."""
    if isinstance(function, Apart):
        return replace(function, function=around(function.function))
    return around(function)


def dies(job: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_results_are_those_of_one_process(run: Runner) -> None:
    """Every prediction of a cross-validation, and the order of the rows."""
    found, expected = predictions(run), predictions(serially)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, atol=1e-12)


def test_results_come_in_order_from_two_processes_of_one_thread(run: Runner) -> None:
    """Though the first jobs take longest; none is done here, and processes share the cores."""
    jobs = [(number, f"job {number}") for number in range(8)]
    results = list(run(squared, jobs))
    assert [result[:2] for result in results] == [(number**2, name) for number, name in jobs]
    # one may do all of them while the other is still starting
    processes = {process for _, _, process, _ in results}
    assert os.getpid() not in processes
    assert len(processes) in (1, 2)
    assert set().union(*(threads for *_, threads in results)) == {1}
    assert list(run(squared, [])) == []


def test_what_stands_apart_waits_for_nothing_else(run: Runner, tmp_path: Path) -> None:
    """The first job ends when all others are handed over: none is held back by it."""
    results = run(Apart(AfterAll(tmp_path / "go")), range(8))
    others = {next(results) for _ in range(7)}
    (tmp_path / "go").touch()
    assert (others, list(results)) == ({1, 2, 3, 4, 5, 6, 7}, [0])


def test_a_function_of_a_notebook_is_sent_by_value(run: Runner) -> None:
    """The other processes cannot import it."""
    beyond = 40
    assert list(run(lambda job: job + beyond, [1, 2])) == [41, 42]


def test_workers_do_not_reach_the_network(run: Runner) -> None:
    """The guard is in every process that a test starts, and in theirs."""
    # a number that is kept for examples
    (answer,) = run(asks_the_network, [("192.0.2.1", 9)])
    assert "a test asked for the network: 192.0.2.1" in answer


@pytest.mark.parametrize("error", [TooFewError("3; allowed: 4 or more."), TimeoutError("late")])
def test_what_a_job_raises_arrives_as_it_is(run: Runner, error: Exception) -> None:
    """Its type and its words; a job's own TimeoutError is not taken for the cluster's."""
    with pytest.raises(type(error)) as caught:
        list(run(fails, [error]))
    assert type(caught.value) is type(error)
    assert caught.value.args == error.args


def test_few_jobs_are_under_way_at_a_time_and_do_not_carry_the_data(
    run: Runner, tmp_path: Path
) -> None:
    """Two a core beyond those that were handed over: a long list of jobs fills no memory.

    The data are unpacked once a process; Dask's workers may get them from one another as well.
    """
    jobs = Counted(40)
    results = run(Heavy(tmp_path), jobs)
    for done in range(1, 31):
        assert (tmp_path / next(results)).exists()
        assert jobs.asked <= done - 1 + 4
    results.close()  # type: ignore[attr-defined] # a generator
    unpacked = [path for path in tmp_path.iterdir() if "-" in path.name]
    assert len(unpacked) <= 4


def test_one_core_starts_no_process_and_none_is_an_error() -> None:
    """`cores` alone takes what this process may use."""
    assert on_cores(1) is serially
    assert list(on_cores()(abs, [])) == []
    with pytest.raises(ClinicError, match="0 cores; allowed: 1 or more"):
        on_cores(0)


def test_a_process_that_is_killed_is_an_error_that_says_what_to_do() -> None:
    """As the system does where memory is short."""
    with pytest.raises(ClinicError, match=r"killed at job 0 .* Use fewer cores"):
        list(on_cores(2)(dies, range(2)))


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    """Stopped while a job is under way, which would never end by itself."""
    file = tmp_path / "begun"
    # a shell that runs the tests in the background has Ctrl-C ignored
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from emoclip_clinic.cluster import on_cores; "
        "from tests.test_cluster import Stalls; "
        "list(on_cores(2)(Stalls(abs, 1, Path(sys.argv[1])), range(4)))"
    )
    words = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(
        words, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        until(lambda: file.exists() or process.poll() is not None)
        assert process.poll() is None
        # as a terminal does: to the whole group
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said
    assert not alive(int(file.read_text()))


@contextmanager
def one_killed(cluster: Cluster, file: Path) -> Iterator[Runner]:
    """Give a runner whose worker is killed within the job in the middle."""

    def kill() -> None:
        until(file.exists)
        os.kill(int(file.read_text()), signal.SIGKILL)

    def stalling(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
        job = jobs[len(jobs) // 2]
        return run(within(function, lambda inner: Stalls(inner, job, file)), jobs)

    killer = threading.Thread(target=kill)
    killer.start()
    with connect(f"dask:scheduler-file={cluster.file}") as run:
        yield stalling
    killer.join()
    assert sum(worker.wait() == -signal.SIGKILL for worker in cluster.workers if worker.poll()) == 1


def test_a_worker_that_is_killed_half_way_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """It is killed within a fold; the other worker does that fold, and the result is the same."""
    with one_killed(cluster, tmp_path / "begun") as run:
        found = predictions(run)
    pd.testing.assert_frame_equal(found, predictions(serially), rtol=1e-12, atol=1e-12)


def test_recordings_are_encoded_on_a_cluster_as_here(
    cluster: Cluster, encoded_study: Path, tmp_path: Path
) -> None:
    """Byte by byte, although a worker is killed within a recording."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")
    with one_killed(cluster, tmp_path / "begun") as run:
        ec.pipeline.encode(study, study.path / "interviews", run=run)
    made = sorted(path for path in (encoded_study / "features").rglob("*") if path.is_file())
    assert len(made) > 12
    for path in made:
        assert (study.path / path.relative_to(encoded_study)).read_bytes() == path.read_bytes()


def test_a_worker_that_does_not_see_the_recordings_is_an_error(
    encoded_study: Path, tmp_path: Path
) -> None:
    """It is not the recording's fault: no row says that it cannot be read."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")

    def elsewhere(function: Any, jobs: Sequence[Any]) -> Iterator[Any]:
        hidden = study.path.rename(tmp_path / "hidden")
        try:
            yield from serially(function, jobs)
        finally:
            hidden.rename(study.path)

    with pytest.raises(StudyError, match=r"does not see .*put the study and its recordings where"):
        ec.pipeline.encode(study, study.path / "interviews", run=elsewhere)


def test_a_job_that_kills_its_workers_is_named(cluster: Cluster) -> None:
    """It is given up after the second, and the third worker stays."""
    cluster.have(3)
    with (
        connect(f"dask:scheduler-file={cluster.file}") as run,
        pytest.raises(ClinicError, match=r"job 7 was lost with tcp.* more memory"),
    ):
        list(run(dies, [7]))
    until(lambda: sum(worker.poll() is None for worker in cluster.workers) == 1)


def test_a_recording_that_kills_its_workers_costs_its_row(
    cluster: Cluster, encoded_study: Path, tmp_path: Path
) -> None:
    """The other is encoded, and the next run, here, makes of both what they were.

    Both may have been given to the workers that end, and so be done again, one by one.
    """
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    (made := sorted((study.path / "features").rglob("*.safetensors")))[2:] = []
    before = [path.read_bytes() for path in made]
    for path in made:
        path.unlink()
    cluster.have(5)
    with connect(f"dask:scheduler-file={cluster.file}") as run:

        def deadly(function: Any, jobs: Sequence[Any]) -> Iterator[Any]:
            return run(within(function, lambda inner: Dies(inner, made[0].stem)), jobs)

        result = ec.pipeline.encode(study, study.path / "interviews", run=deadly)
    row = result.exclusions.set_index("id").loc[made[0].stem]
    assert row["reason"] == (
        "it ended 2 cluster workers, one after the other (out of memory?); the next run tries again"
    )
    assert made[1].read_bytes() == before[1]
    again = ec.pipeline.encode(study, study.path / "interviews")
    assert made[0].stem not in set(again.exclusions["id"])
    assert [path.read_bytes() for path in made] == before


def test_the_data_outlive_the_workers_that_hold_them(cluster: Cluster, tmp_path: Path) -> None:
    """Both are killed within a job, and what comes later has the data and does it."""
    late = threading.Thread(target=lambda: (until(file.exists), replace()))
    file = tmp_path / "begun"

    def replace() -> None:
        for worker in cluster.workers:
            worker.kill()
            worker.wait()
        cluster.have(1)

    late.start()
    with connect(f"dask:scheduler-file={cluster.file}") as run:
        assert list(run(Stalls(abs, -1, file), [-1])) == [1]
    late.join()


def test_a_job_waits_for_a_worker_that_has_what_it_takes(
    one_cluster: Cluster, tmp_path: Path
) -> None:
    """Such as a GPU: the others, though idle, do none; where nobody has it, it is an error."""
    one_cluster.have(2)
    text = f'scheduler_file = "{one_cluster.file}"\n[resources]\nGPU = 1\n'
    (tmp_path / "gpu.toml").write_text(text)
    with (
        pytest.raises(ClinicError, match=r"takes GPU = 1, and no worker .*--resources \"GPU=1\""),
        connect("dask:gpu.toml", tmp_path),
    ):
        pass
    one_cluster.have(3, "--resources", "GPU=1")
    with connect("dask:gpu.toml", tmp_path) as run:
        done = list(run(Heavy(tmp_path), range(12)))
    assert set(done) == {str(one_cluster.workers[-1].pid)}


def test_other_versions_are_refused_before_work_starts(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs and ours are named; a worker that comes later is seen at its first job."""
    where = f"dask:scheduler-file={cluster.file}"
    with connect(where) as run:
        monkeypatch.setattr(ec, "__version__", "0.0.9")
        with pytest.raises(ClinicError, match=r"worker tcp://.*package 0.1.0 .*here 0.0.9"):
            list(run(abs, [1]))
    monkeypatch.undo()
    installed(tmp_path, monkeypatch, "numpy", "1.26.0")
    with (
        pytest.raises(ClinicError, match=r"numpy 2\S+, here 1.26.0: its results could differ"),
        connect(where),
    ):
        pass


def test_a_worker_without_the_package_is_named(cluster: Cluster, tmp_path: Path) -> None:
    """With what to install there."""
    (tmp_path / "without.py").write_text("import sys; sys.modules['emoclip_clinic'] = None")
    cluster.have(3, "--preload", str(tmp_path / "without.py"))
    words = r"worker tcp://\S+ cannot say its versions \(.*\)\. Install emoclip-clinic 0.1.0 "
    with (
        pytest.raises(ClinicError, match=words),
        connect(f"dask:scheduler-file={cluster.file}"),
    ):
        pass
    cluster.workers[-1].kill()


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str) -> None:
    """Have another version of a library than the one that is there, by what its folder says."""
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(folder)


def test_what_decodes_and_encodes_is_of_one_version_too(
    cluster: Cluster, encoded_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with another PyAV encodes nothing; a fit, which needs none, is done there."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    shutil.rmtree(study.path / "features")
    interviews = study.path / "interviews"
    for name in ("av", "onnxruntime"):
        installed(tmp_path, monkeypatch, name, "1.0")
    found = r"worker tcp://\S+ has av \d\S+, here 1.0"
    with connect(f"dask:scheduler-file={cluster.file}") as run:
        assert list(run(abs, [-1])) == [1]
        with pytest.raises(ClinicError, match=rf"{found}: .* Install the same"):
            ec.pipeline.encode(study, interviews, run=run)
        with pytest.raises(ClinicError, match=rf"{found}; onnxruntime \d\S+, here 1.0: "):
            ec.pipeline.encode(study, interviews, precision="int8", run=run)
    assert not list(study.path.rglob("*.safetensors"))


def test_a_cluster_that_loses_every_worker_is_an_error(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not a wait without end, where no other comes."""
    monkeypatch.setattr(scheduler, "WORKERS_S", 2.0)
    # a result may be on its way when the worker that has it is killed
    monkeypatch.setattr(scheduler, "FETCH_S", 2.0)
    file = tmp_path / "begun"

    def kill() -> None:
        until(file.exists)
        for worker in cluster.workers:
            worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with (
        connect(f"dask:scheduler-file={cluster.file}") as run,
        # the scheduler may hand a job to one after the other before it knows of both
        pytest.raises(
            ClinicError, match=r"(job \d was|jobs are) lost.* then run the same command again"
        ),
    ):
        list(run(Stalls(abs, 3, file), range(8)))
    killer.join()
