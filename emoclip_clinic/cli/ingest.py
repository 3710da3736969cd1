"""emoclip-clinic ingest."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import FolderArgument, PatternOption


@command()
def ingest(
    view: Screen,
    folder: FolderArgument,
    pattern: PatternOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not decode every frame to count it.")
    ] = False,
) -> None:
    """Probe, hash and check every recording of a folder.

    Writes recordings.csv (one row a recording; what cannot be used has its reason) and
    quality.csv. The recordings themselves are only read.
    """
    from emoclip_clinic import pipeline

    study = pipeline.open_or_create(
        view.study_path, recordings=folder, seed=view.seed, pattern=pattern
    )
    result = pipeline.ingest(
        study, folder, pattern=pattern, decode=not quick, progress=view.progress
    )
    view.show(result, study)
