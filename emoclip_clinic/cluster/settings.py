"""What a cluster's TOML file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.resources import read_toml
from emoclip_clinic.schema import from_table

__all__ = ["DaskSettings", "QueueSettings", "Tls", "read"]

T = TypeVar("T")


@dataclass(frozen=True)
class Tls:
    """Files of an encrypted connection, relative to the TOML's folder or absolute."""

    ca_file: str
    """The certificate authority that both sides trust (PEM)."""
    cert: str
    """Our certificate (PEM)."""
    key: str
    """Its private key (PEM)."""


@dataclass(frozen=True)
class DaskSettings:
    """A Dask cluster that exists: one of its address and its scheduler file."""

    address: str = ""
    """tcp://HOST:PORT, or tls://HOST:PORT with the table [tls]."""
    scheduler_file: str = ""
    """What `dask scheduler --scheduler-file` wrote, relative to the TOML's folder or absolute."""
    resources: dict[str, float] = field(default_factory=dict)
    """What a job takes of a worker's while it runs, such as GPU = 1."""
    tls: Tls | None = None
    """Without it, tls:// takes the files that Dask's own configuration names."""


@dataclass(frozen=True)
class QueueSettings:
    """A cluster with a queue; what is not given here is as ~/.config/dask/jobqueue.yaml says."""

    workers: int = 4
    """Worker processes in all, a core each."""
    cores: int | None = None
    """Cores that one job of the queue asks for, and worker processes that it starts."""
    memory: str = ""
    """Memory that one job of the queue asks for, such as "8 GB"."""
    walltime: str = ""
    """As the queue writes it, such as "02:00:00"."""
    queue: str = ""
    """Queue or partition."""
    account: str = ""
    """Account or project that pays."""
    interface: str = ""
    """Network interface between the nodes, such as "ib0"."""
    python: str = ""
    """The interpreter on the nodes; the one that runs here, if not given."""
    prologue: tuple[str, ...] = ()
    """Lines of shell before the worker starts, such as "module load python"."""
    directives: tuple[str, ...] = ()
    """Further lines for the queue, such as "--constraint=avx2"."""
    wait_minutes: int = 60
    """How long to wait for the first worker, or for another after the last is lost."""
    resource_spec: str = ""
    """SGE and PBS: what one job of the queue asks for, as their -l takes it."""
    resources: dict[str, float] = field(default_factory=dict)
    """What a job takes of a worker's while it runs, such as GPU = 1; each worker has that much."""
    tls: Tls | None = None
    """Encrypts what scheduler and workers say; the nodes must see these files."""


def read(kind: type[T], path: Path) -> T:
    """Read a cluster's TOML file.

    Raises
    ------
    SettingsError
        It cannot be read, has a key or value that is not allowed, or names a file that is absent.
    """
    table = read_toml(path)
    tls = table.get("tls")
    if isinstance(tls, dict):
        table["tls"] = {key: _beside(path, value) for key, value in tls.items()}
    if "scheduler_file" in table:
        table["scheduler_file"] = _beside(path, table["scheduler_file"])
    settings = from_table(kind, table, path.name)
    _check(settings, path.name)
    return settings


def _beside(path: Path, value: Any) -> Any:
    return str(path.absolute().parent / value) if isinstance(value, str) else value


def _check(settings: Any, where: str) -> None:
    for name in ("workers", "cores", "wait_minutes"):
        value = getattr(settings, name, None)
        if value is not None and value < 1:
            raise SettingsError(f"{where}: {name} = {value}; allowed: 1 or more")
    for name, amount in settings.resources.items():
        if not amount > 0:
            raise SettingsError(f"{where}: resources: {name} = {amount:g}; allowed: above 0")
    if settings.tls is not None:
        for part in fields(settings.tls):
            file = Path(getattr(settings.tls, part.name))
            if not file.is_file():
                raise SettingsError(f"{where}: tls: {part.name}: there is no file {file}.")
