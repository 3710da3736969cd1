"""emoclip-clinic init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command


@command()
def init(
    view: Screen,
    folder: Annotated[Path, typer.Argument(help="The new study folder.", metavar="DIR")],
    scale: Annotated[
        list[str] | None,
        typer.Option(help="A rating scale of the study; may be given again. Default: panss."),
    ] = None,
    title: Annotated[str, typer.Option(help="Printed on the report.")] = "Untitled study",
) -> None:
    """Make a new study: study.toml, a place for the recordings, a rating sheet a scale."""
    from emoclip_clinic import pipeline

    view.show(pipeline.init(folder, scale or ["panss"], title=title, seed=view.seed))
