"""The command line: one file a verb, each a thin word over a function of the pipeline."""

from __future__ import annotations

from emoclip_clinic.cli import (  # noqa: F401 - each adds its command to the app, in this order
    demo,
    init,
    ingest,
    encode,
    fit,
    predict,
    agree,
    report,
    run,
    weights,
    scales,
    doctor,
)  # isort: skip
from emoclip_clinic.cli._app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command that the arguments name."""
    app()
