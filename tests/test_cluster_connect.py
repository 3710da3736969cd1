from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from emoclip_clinic.cli._app import Screen, command, runner_of
from emoclip_clinic.cli._options import ClusterOption
from emoclip_clinic.cluster import connect, scheduler
from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.jobs import serially
from tests.dask_cluster import PYTHONPATH, cluster_in, predictions


def test_a_scheduler_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon, with the address and what to check; a file that no scheduler wrote, too.

    Nor does another service, such as a page, that takes the call and waits for more.
    """
    monkeypatch.setattr(scheduler, "CONNECT_S", 0.3)
    with socket.socket() as free, socket.socket() as silent:
        free.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        nobody, other = (f"tcp://127.0.0.1:{one.getsockname()[1]}" for one in (free, silent))
        for text, words in {
            f"dask:{nobody}": rf"no Dask scheduler answers at {nobody} within 0.3 s .*firewall",
            f"dask:{other}": rf"answers at {other} .*says nothing.* \(not its dashboard's\)",
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


SUBMIT = """#!{python}
import subprocess, sys
# like the true one, it has read the script when it returns
script = open(sys.argv[-1]).read()
open("{script}", "w").write(script)
job = subprocess.Popen(["sh", "-c", script], stdout=open("{log}", "a"), stderr=subprocess.STDOUT,
                       start_new_session=True)
print("{answer}".format(job.pid))
"""
CANCEL = """#!{python}
import os, signal, sys
os.killpg(int(sys.argv[-1]), signal.SIGKILL)
open("{log}", "a").write("cancelled " + sys.argv[-1])
"""
QUEUES = {
    "slurm": (
        ("sbatch", "scancel", "Submitted batch job {}"),
        'directives = ["--gres=gpu:1"]',
        "#SBATCH",
        ["-p short", "-A clinic", "--cpus-per-task=1", "--mem=954M", "-t 00:10:00", "--gres=gpu:1"],
    ),
    "sge": (
        ("qsub", "qdel", "Your job {} has been submitted"),
        'resource_spec = "h_vmem=1G,gpu=1"\ndirectives = ["-pe smp 1"]',
        "#$",
        ["-q short", "-P clinic", "-l h_vmem=1G,gpu=1", "-l h_rt=00:10:00", "-pe smp 1"],
    ),
    "pbs": (
        ("qsub", "qdel", "{}.server"),
        'resource_spec = "select=1:ncpus=1:mem=1gb:ngpus=1"',
        "#PBS",
        ["-q short", "-A clinic", "-l select=1:ncpus=1:mem=1gb:ngpus=1", "-l walltime=00:10:00"],
    ),
}
"""Commands and their answer, what is asked for besides, and what the script says as the manuals of
the three want it: 1 GB are 954 of the MiB that SLURM calls M."""


@pytest.mark.parametrize("kind", QUEUES)
def test_a_queue_starts_workers_and_ends_them(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a submit command that runs the script here, in place of a cluster's."""
    (submit, cancel, answer), besides, sign, asked = QUEUES[kind]
    log, script = tmp_path / "log.txt", tmp_path / "script.sh"
    for name, text in {submit: SUBMIT, cancel: CANCEL}.items():
        words = {"python": sys.executable, "log": log, "script": script, "answer": answer}
        (tmp_path / name).write_text(text.format(**words))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    (tmp_path / "queue.toml").write_text(
        'workers = 1\ncores = 1\nmemory = "1 GB"\ninterface = "lo"\nwait_minutes = 1\n'
        'walltime = "00:10:00"\nqueue = "short"\naccount = "clinic"\n'
        f"prologue = ['export DASK_TEMPORARY_DIRECTORY={tmp_path}']\n"
        f"{besides}\n[resources]\nGPU = 1\n"
    )
    # no job begins but with a worker that has a GPU
    with connect(f"{kind}:queue.toml", tmp_path) as run:
        found = predictions(run)
    pd.testing.assert_frame_equal(found, predictions(serially), rtol=1e-12, atol=1e-12)
    assert "cancelled" in log.read_text()
    lines = script.read_text().splitlines()
    assert {f"{sign} {words}" for words in asked} <= set(lines)
    assert lines[-1].endswith("--no-dashboard --resources GPU=1 --interface lo")


def test_slurm_takes_no_resource_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no such line: what would be asked for in vain is an error."""
    (tmp_path / "sbatch").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "queue.toml").write_text('resource_spec = "gpu=1"')
    words = "resource_spec is for sge and pbs. Use directives"
    with pytest.raises(SettingsError, match=words), connect("slurm:queue.toml", tmp_path):
        pass
