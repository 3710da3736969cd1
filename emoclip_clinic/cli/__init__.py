"""The command line: one file a verb, each a thin word over a function of the pipeline."""

from __future__ import annotations

# each module adds its commands to the app; the order is that of --help
# isort: off
from emoclip_clinic.cli import demo, init, ingest, review, encode, fit, predict, agree, report, run
from emoclip_clinic.cli import weights, scales, ratings, turns, doctor
from emoclip_clinic.cli import datasets, train, zeroshot, describe
from emoclip_clinic.cli import quality

# isort: on
from emoclip_clinic.cli._app import app

__all__ = [
    "agree", "app", "datasets", "demo", "describe", "doctor", "encode", "fit", "ingest", "init",
    "main", "predict", "quality", "ratings", "report", "review", "run", "scales", "train", "turns",
    "weights",
    "zeroshot",
]  # fmt: skip


def main() -> None:
    """Run the command that the arguments name."""
    app()
