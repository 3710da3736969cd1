"""doctor: what this machine can do, and whether its numbers are right."""

from __future__ import annotations

import importlib
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from emoclip_clinic import __version__, weights
from emoclip_clinic.study import LIBRARIES

__all__ = ["Check", "examine"]

OK, MISSING, WRONG = "ok", "missing", "wrong"
OPTIONAL = {
    "decord": "PyAV reads all frames instead",
    "onnxruntime": "no '--precision int8': python -m pip install 'emoclip-clinic[int8]'",
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    """What it is."""
    state: str
    """"ok", "missing" (something cannot be done) or "wrong" (numbers would not be right)."""
    detail: str
    """A version, a place, or what to do."""


def examine(weights_folder: Path | None = None) -> list[Check]:
    """Look at the libraries, the devices, the weights, the disk and a stored embedding."""
    return [
        Check("emoclip-clinic", OK, __version__),
        Check("Python", OK, f"{platform.python_version()} on {platform.system()}"),
        *(_library(name) for name in LIBRARIES),
        _device(),
        *(
            Check(f"weights {state.file.name}", state.state, str(state.path))
            for state in weights.table(weights_folder)
        ),
        _disk(),
        _embedding(),
    ]


def _library(name: str) -> Check:
    try:
        return Check(name, OK, version(name))
    except PackageNotFoundError:
        return Check(name, MISSING, OPTIONAL.get(name, "install emoclip-clinic again"))


def _device() -> Check:
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        return Check("device", OK, f"cuda: {torch.cuda.get_device_name()}")
    return Check("device", OK, f"cpu, {torch.get_num_threads()} threads; no CUDA device")


def _disk() -> Check:
    free = shutil.disk_usage(Path()).free
    return Check("free disk here", OK, f"{free / 1e9:.1f} GB")


def _embedding() -> Check:
    from emoclip_clinic.demo.encoder import check_encoder

    found = check_encoder()
    return Check(
        "stored embedding",
        OK if found["ok"] else WRONG,
        f"differs by {found['max_relative_difference']:.1e} of its largest value",
    )
