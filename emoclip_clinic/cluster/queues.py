"""Workers from the queue of a cluster: SLURM, SGE or PBS."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from emoclip_clinic.cluster.scheduler import on_dask, ready, require, security_of
from emoclip_clinic.cluster.settings import QueueSettings
from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.jobs import Runner

__all__ = ["QUEUES", "runner_of"]

QUEUES = {"slurm": "SLURMCluster", "sge": "SGECluster", "pbs": "PBSCluster"}


@contextlib.contextmanager
def runner_of(kind: str, settings: QueueSettings) -> Iterator[Runner]:
    """Start a scheduler here and workers through the queue; end all of them afterwards.

    Raises
    ------
    SettingsError
        SLURM is given a resource_spec.
    ClinicError
        The queue has no command here, wants a setting that is not given, or starts no worker.
    """
    require("dask_jobqueue")
    import dask_jobqueue
    from distributed import Client

    cluster_type = getattr(dask_jobqueue, QUEUES[kind])
    command = cluster_type.job_cls.submit_command
    if shutil.which(command) is None:
        raise ClinicError(f"{kind}: there is no {command} here. Run this where jobs are submitted.")
    try:
        cluster = cluster_type(**_options(kind, settings))
    except (ValueError, RuntimeError) as error:
        raise ClinicError(f"{kind}: {error}. See docs/cluster.md for the keys.") from error
    with cluster, Client(cluster) as client:
        cluster.scale(settings.workers)
        wait_s = 60.0 * settings.wait_minutes
        ready(client, wait_s)
        yield on_dask(client, settings.resources, wait_s)


def _options(kind: str, settings: QueueSettings) -> dict[str, Any]:
    """Name what is given as dask-jobqueue does; the rest is left to Dask's configuration."""
    import dask

    if kind == "slurm" and settings.resource_spec:
        raise SettingsError(
            "slurm: resource_spec is for sge and pbs. Use directives, such as "
            'directives = ["--gres=gpu:1"].'
        )
    configured = dask.config.get(f"jobqueue.{kind}.worker-extra-args", None) or []
    given = {
        "cores": settings.cores,
        "processes": settings.cores,
        "memory": settings.memory,
        "walltime": settings.walltime,
        "queue": settings.queue,
        "project" if kind == "sge" else "account": settings.account,
        "interface": settings.interface,
        "python": settings.python,
        "job_script_prologue": list(settings.prologue),
        "job_extra_directives": list(settings.directives),
        "resource_spec": settings.resource_spec,
        # pages of the running jobs are for nobody else on the network to see
        "worker_extra_args": [*configured, "--no-dashboard", *_resource_words(settings.resources)],
        "security": settings.tls and security_of(settings.tls),
    }
    page = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    return {key: value for key, value in given.items() if value} | {"scheduler_options": page}


def _resource_words(resources: Mapping[str, float]) -> list[str]:
    """Say as `dask worker` wants it what a worker has: as much as a job takes."""
    words = ",".join(f"{name}={amount:g}" for name, amount in resources.items())
    return ["--resources", words] if words else []
