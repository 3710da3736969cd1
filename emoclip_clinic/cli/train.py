"""emoclip-clinic train."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import (
    DataOption,
    DatasetArgument,
    DeviceOption,
    FoldOption,
    WeightsOption,
)


@command()
def train(
    view: Screen,
    dataset: DatasetArgument,
    data: DataOption = None,
    fold: FoldOption = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="A file of protocols/encoding/training/, or its path.", metavar="NAME|FILE"
        ),
    ] = "captions",
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to begin with, in place of the recipe's: clip-mean (CLIP), emoclip, "
            "emoclip-demo, or the path of a checkpoint.",
            metavar="NAME",
        ),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            "--leave-out", help="A class that is not trained on: leave-one-emotion-out.",
            metavar="CLASS",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the training; training/DATASET_RECIPE of the study if not given.",
            metavar="DIR",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin again, not where it was stopped.")
    ] = False,
    max_broken: Annotated[
        float,
        typer.Option(
            "--max-broken", min=0, max=1, help="Share of clips that may fail to decode.",
            metavar="SHARE",
        ),
    ] = 0.01,
    save_minutes: Annotated[
        float,
        typer.Option(
            "--save-minutes", min=0, help="The state to go on from is written so often.",
            metavar="MINUTES",
        ),
    ] = 10.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads that read clips ahead.")] = 2,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
) -> None:  # fmt: skip
    """Train EmoCLIP on captioned clips, or on descriptions of their classes.

    Trains on the split "train" and never looks at "test". Stopped at any moment (Ctrl-C, SIGTERM, a
    power cut), the same command goes on to the same weights. On several GPUs:
    torchrun --standalone --nproc-per-node N -m emoclip_clinic train ...
    """
    from emoclip_clinic import pipeline
    from emoclip_clinic.cli._dashboard import dashboard
    from emoclip_clinic.pipeline.training import TrainingOptions

    if int(os.environ.get("RANK", 0)):
        # the first process speaks for all
        view.quiet = True
    with dashboard(view) as shown:
        result = pipeline.train(
            dataset,
            data,
            study=view.study_path,
            options=TrainingOptions(
                fold=fold,
                recipe=recipe,
                leave_out=leave_out,
                start=start,
                seed=view.seed,
                output=output,
                restart=restart,
                max_broken=max_broken,
                save_minutes=save_minutes,
                threads=threads,
                device=device,
                weights=weights,
            ),
            progress=view.progress,
            say=view.say,
            watch=shown,
        )
    if not int(os.environ.get("RANK", 0)):
        view.show(result)
