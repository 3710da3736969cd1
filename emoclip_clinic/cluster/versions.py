"""What computes here and on the workers of a cluster: the same, or the results could differ."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from emoclip_clinic.errors import ClinicError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["compare", "compare_all", "versions", "versions_here"]

LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas")
"""What decides the results of every job beside this package and Python; `Apart` may name more."""


def versions(libraries: tuple[str, ...] = ()) -> dict[str, str]:
    """Say what computes here: this package (with a digest of its code), Python and libraries.

    Parameters
    ----------
    libraries
        Names on PyPI of others than `LIBRARIES`.
    """
    import emoclip_clinic

    return {
        "package": f"{emoclip_clinic.__version__} (code {_digest()})",
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{name: _version(name) for name in (*LIBRARIES, *libraries)},
    }


def _version(library: str) -> str:
    try:
        # behind a "+" stands which device it was built for: a login node has no GPU
        return metadata.version(library).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "none"


# a worker is asked at every job; it has what it was started with
versions_here = cache(versions)


@cache
def _digest() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def compare_all(client: Client, libraries: tuple[str, ...]) -> None:
    """Compare the versions of all workers that are there with those of this machine."""
    ours = versions(libraries)
    for worker, found in client.run(versions, libraries, on_error="return").items():
        if isinstance(found, OSError):
            # it is lost meanwhile, and no worker any more
            continue
        if isinstance(found, Exception):
            raise ClinicError(
                f"worker {worker} cannot say its versions ({found}). Install emoclip-clinic "
                f"{ours['package']} there, and start it again."
            ) from found
        compare(ours, found, worker)


def compare(ours: dict[str, str], theirs: dict[str, str], worker: str) -> None:
    """Refuse a worker that has other versions than this machine.

    Raises
    ------
    ClinicError
        One is another; the message names them and says what to do.
    """
    other = [
        f"{name} {theirs[name]}, here {ours[name]}" for name in ours if theirs[name] != ours[name]
    ]
    if other:
        raise ClinicError(
            f"worker {worker} has {'; '.join(other)}: its results could differ. Install the same "
            "versions there (constraints.txt lists the tested ones), and start it again."
        )
