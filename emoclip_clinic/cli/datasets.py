"""emoclip-clinic datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, app, command
from emoclip_clinic.cli._options import DataOption, DatasetArgument, FoldOption

datasets_app = typer.Typer(no_args_is_help=True, help="Check datasets of labelled clips.")
app.add_typer(datasets_app, name="datasets")


@command(datasets_app, "check")
def check(
    view: Screen,
    dataset: DatasetArgument,
    data: DataOption = None,
    fold: FoldOption = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Decode every image, not three of each clip.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Also a CSV with a row a clip.", metavar="FILE")
    ] = None,
) -> None:
    """Say what of a dataset is missing, mis-encoded, of zero length or in two splits.

    Every list is read and every clip opened; what cannot be used is listed with its reason.
    """
    from emoclip_clinic import pipeline

    result = pipeline.check_dataset(
        dataset, data, fold=fold, every_frame=every_frame, output=output, progress=view.progress
    )
    view.show(result)
