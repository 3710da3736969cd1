"""The same work on many cores of this machine or on a Dask cluster, with the same results."""

from __future__ import annotations

from emoclip_clinic.cluster.connect import connect
from emoclip_clinic.cluster.cores import on_cores

__all__ = ["connect", "on_cores"]
