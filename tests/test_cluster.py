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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import emoclip_clinic
from emoclip_clinic.cli._app import ClusterOption, Screen, command, runner_of
from emoclip_clinic.cluster import connect, on_cores, scheduler
from emoclip_clinic.errors import ClinicError, SettingsError, TooFewError
from emoclip_clinic.regression import Design, cross_validate
from emoclip_clinic.regression.jobs import Runner, serially

ROOT = Path(__file__).parents[1]
# workers unpack the functions of this module
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
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

    def have(self, n_workers: int) -> None:
        """Start as many workers as are missing, and wait until the scheduler knows them."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for _ in range(n_workers - len(self.workers)):
            self.n_started += 1
            words = ("--scheduler-file", str(self.file), "--no-nanny", "--nthreads", "1")
            self.workers.append(self._start("dask_worker", *words))
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
        if job == self.at and not self.file.exists():
            unfinished = self.file.with_suffix(".tmp")
            unfinished.write_text(str(os.getpid()))
            unfinished.rename(self.file)
            threading.Event().wait()
        return self.function(job)


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
    assert len({process for _, _, process, _ in results} - {os.getpid()}) == 2
    assert set().union(*(threads for *_, threads in results)) == {1}
    assert list(run(squared, [])) == []


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
    script = (
        "import sys; from pathlib import Path; from emoclip_clinic.cluster import on_cores; "
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


def test_a_worker_that_is_killed_half_way_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """It is killed within a fold; the other worker does that fold, and the result is the same."""
    file = tmp_path / "begun"

    def kill() -> None:
        until(file.exists)
        os.kill(int(file.read_text()), signal.SIGKILL)

    def stalling(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
        return run(Stalls(function, jobs[len(jobs) // 2], file), jobs)

    killer = threading.Thread(target=kill)
    killer.start()
    with connect(f"dask:scheduler-file={cluster.file}") as run:
        found = predictions(stalling)
    killer.join()
    pd.testing.assert_frame_equal(found, predictions(serially), rtol=1e-12, atol=1e-12)
    assert sum(worker.wait() == -signal.SIGKILL for worker in cluster.workers if worker.poll()) == 1


def test_a_job_that_kills_its_workers_is_named(cluster: Cluster) -> None:
    """It is given up after the second, and the third worker stays."""
    cluster.have(3)
    with (
        connect(f"dask:scheduler-file={cluster.file}") as run,
        pytest.raises(ClinicError, match=r"job 7 was lost with tcp.* more memory"),
    ):
        list(run(dies, [7]))


def test_other_versions_are_refused_before_work_starts(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs and ours are named; a worker that comes later is seen at its first job."""
    where = f"dask:scheduler-file={cluster.file}"
    with connect(where) as run:
        monkeypatch.setattr(emoclip_clinic, "__version__", "0.0.9")
        with pytest.raises(ClinicError, match=r"worker tcp://.*package 0.1.0 .*here 0.0.9"):
            list(run(abs, [1]))
    monkeypatch.undo()
    monkeypatch.setattr(np, "__version__", "1.26.0")
    with (
        pytest.raises(ClinicError, match=r"numpy 2\S+, here 1.26.0: its results could differ"),
        connect(where),
    ):
        pass


def test_a_cluster_that_loses_every_worker_is_an_error(cluster: Cluster, tmp_path: Path) -> None:
    """And not a wait without end: the data that they held are gone."""
    file = tmp_path / "begun"

    def kill() -> None:
        until(file.exists)
        for worker in cluster.workers:
            worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with (
        connect(f"dask:scheduler-file={cluster.file}") as run,
        pytest.raises(ClinicError, match=r"job \d is lost: .* then run the same command again"),
    ):
        list(run(Stalls(abs, 3, file), range(8)))
    killer.join()


def test_a_scheduler_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon, with the address and what to check; a file that no scheduler wrote, too."""
    monkeypatch.setattr(scheduler, "CONNECT_S", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for text, words in {
        f"dask:{address}": rf"no Dask scheduler answers at {address} within 0.3 s .*firewall",
        "dask:scheduler-file=no.json": "no.json is not the file of a running scheduler",
    }.items():
        with pytest.raises(ClinicError, match=words), connect(text, tmp_path):
            pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate that is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which is absent here")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_tls_takes_its_files_from_a_toml(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has them is let in, and told that there is no worker; who has not is kept out."""
    monkeypatch.setattr(scheduler, "WORKERS_S", 0.2)
    monkeypatch.setattr(scheduler, "CONNECT_S", 2.0)
    files = ("--tls-ca-file", "cert.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    options = [str(certificate / word) if word.endswith("pem") else word for word in files]
    (certificate / "mine.toml").write_text(
        'scheduler_file = "scheduler.json"\n[tls]\nca_file = "cert.pem"\ncert = "cert.pem"\n'
        'key = "key.pem"\n'
    )
    with cluster_in(certificate, "--protocol", "tls", *options):
        for text, words in {
            "dask:mine.toml": r"no worker after 0.2 s. Start some",
            "dask:scheduler-file=scheduler.json": "no Dask scheduler answers at tls://",
        }.items():
            with pytest.raises(ClinicError, match=words), connect(text, certificate):
                pass


@pytest.mark.parametrize(
    "text", ["", "core", "cores:0", "cores:two", "cores:-1", "dask", "dask:", "dask:host", "lsf:x"]
)
def test_another_text_is_an_error_that_lists_what_is_allowed(text: str) -> None:
    """Before anything is started."""
    with pytest.raises(SettingsError, match="allowed: cores, cores:N"), connect(text):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wokers = 3", r"unknown key 'wokers'. Did you mean workers"),
        ("workers = 0", "workers = 0; allowed: 1 or more"),
        ("cores = '2'", "cores = '2'; allowed: a whole number"),
        ("[tls]\nca_file = 'a'\ncert = 'a'\nkey = 'a'", "ca_file: there is no file .*a"),
        ("[tls]\nca_file = 'a'", "the key 'cert' is missing"),
    ],
)
def test_a_wrong_toml_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    """An unknown key, a value that is not allowed, a file that is absent."""
    (tmp_path / "queue.toml").write_text(text)
    with pytest.raises(SettingsError, match=words), connect("slurm:queue.toml", tmp_path):
        pass


def test_what_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither library is needed by who has one machine."""
    for library, text in {"distributed": "dask:tcp://host:1", "dask_jobqueue": "slurm"}.items():
        monkeypatch.setitem(sys.modules, library, None)
        with (
            pytest.raises(ClinicError, match=r"install 'emoclip-clinic\[cluster\]'"),
            connect(text),
        ):
            pass


def test_a_queue_without_its_command_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop is no login node."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ClinicError, match="there is no qsub here"), connect("sge"):
        pass


def test_the_option_reads_the_cluster_relative_to_the_study(tmp_path: Path) -> None:
    """A wrong one is a message and exit code 1; without it, this process does the work."""
    app = typer.Typer()

    @command(app)
    def work(view: Screen, cluster: ClusterOption = "cores:1") -> None:
        """Count."""
        with runner_of(view, cluster) as run:
            view.say(f"here: {run is serially}")

    (tmp_path / "near.toml").write_text("workers = 0")
    for words, code, said in [
        ([], 0, "here: True"),
        (["--cluster", "cores:2"], 0, "here: False"),
        (["--cluster", "sge:near.toml"], 1, "near.toml: workers = 0; allowed: 1 or more"),
    ]:
        answer = CliRunner().invoke(app, [*words, "--study", str(tmp_path)])
        assert (answer.exit_code, said in answer.stderr) == (code, True), answer.stderr
    assert "--cluster" in CliRunner().invoke(app, ["--help"]).stdout


SBATCH = """#!{python}
import subprocess, sys
# like the true one, it has read the script when it returns
words = ["sh", "-c", open(sys.argv[-1]).read()]
job = subprocess.Popen(words, stdout=open("{log}", "a"), stderr=subprocess.STDOUT,
                       start_new_session=True)
print("Submitted batch job", job.pid)
"""
SCANCEL = """#!{python}
import os, signal, sys
os.killpg(int(sys.argv[-1]), signal.SIGKILL)
open("{log}", "a").write("cancelled " + sys.argv[-1])
"""


def test_slurm_starts_workers_and_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an sbatch that runs the script here, in place of a cluster's."""
    log = tmp_path / "log.txt"
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(text.format(python=sys.executable, log=log))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    (tmp_path / "slurm.toml").write_text(
        'workers = 1\ncores = 1\nmemory = "1 GB"\ninterface = "lo"\nwait_minutes = 1\n'
        f"prologue = ['export DASK_TEMPORARY_DIRECTORY={tmp_path}']\n"
    )
    with connect("slurm:slurm.toml", tmp_path) as run:
        found = predictions(run)
    pd.testing.assert_frame_equal(found, predictions(serially), rtol=1e-12, atol=1e-12)
    assert "cancelled" in log.read_text()
