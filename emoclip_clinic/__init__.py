"""Symptom ratings from clinical interview video, and their agreement with clinicians."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emoclip_clinic import agreement, pipeline
    from emoclip_clinic.study import Study

__all__ = ["Study", "__version__", "agreement", "pipeline"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # on first use: importing the package must cost nothing, and torch least of all
    if name == "Study":
        return importlib.import_module("emoclip_clinic.study").Study
    if name in __all__:
        return importlib.import_module(f"emoclip_clinic.{name}")
    raise AttributeError(f"module 'emoclip_clinic' has no attribute {name!r}")
