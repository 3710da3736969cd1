"""Who does the work, in words: "cores:4", "dask:tcp://HOST:PORT", "slurm:cluster.toml"."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from emoclip_clinic.cluster import queues, scheduler
from emoclip_clinic.cluster.cores import on_cores
from emoclip_clinic.cluster.settings import DaskSettings, QueueSettings, read
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.jobs import Runner

__all__ = ["connect"]

SCHEDULER_FILE = "scheduler-file="
ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")


@contextlib.contextmanager
def connect(text: str, folder: Path = Path()) -> Iterator[Runner]:
    """Connect to what `text` names, give its runner, and let go of it at the end.

    Parameters
    ----------
    text
        "cores": every core of this machine; "cores:N": N of them.
        "dask:ADDRESS", "dask:scheduler-file=PATH" or "dask:TOML": a Dask cluster that exists.
        "slurm", "sge" or "pbs", alone or with ":TOML": workers from that queue, as long as they
        are needed.
    folder
        Where relative paths begin: the study.

    Raises
    ------
    SettingsError
        The text, or the TOML that it names, is not as above.
    ClinicError
        The cluster cannot be reached, has no worker, or has other versions than this machine.
    """
    kind, _, rest = text.partition(":")
    if kind == "cores":
        yield on_cores(_count(rest, text))
    elif kind == "dask" and rest:
        with scheduler.runner_of(_dask(rest, folder)) as run:
            yield run
    elif kind in queues.QUEUES:
        settings = read(QueueSettings, folder / rest) if rest else QueueSettings()
        with queues.runner_of(kind, settings) as run:
            yield run
    else:
        raise _unknown(text)


def _count(rest: str, text: str) -> int | None:
    if not rest:
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", rest):
        raise _unknown(text)
    return int(rest)


def _dask(rest: str, folder: Path) -> DaskSettings:
    if rest.startswith(SCHEDULER_FILE):
        return DaskSettings(scheduler_file=str(folder / rest.removeprefix(SCHEDULER_FILE)))
    if rest.endswith(".toml"):
        return read(DaskSettings, folder / rest)
    if not ADDRESS.fullmatch(rest):
        raise _unknown(f"dask:{rest}")
    return DaskSettings(address=rest)


def _unknown(text: str) -> SettingsError:
    return SettingsError(
        f"cluster = {text!r}; allowed: cores, cores:N (1 to 9999), dask:tcp://HOST:PORT, "
        "dask:tls://HOST:PORT, dask:scheduler-file=PATH, dask:FILE.toml, and slurm, sge or pbs, "
        "alone or followed by :FILE.toml."
    )
