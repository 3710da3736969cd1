"""emoclip-clinic predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import (
    DeviceOption,
    FolderArgument,
    PatternOption,
    SectionOption,
    SpeakerOption,
    TurnsOption,
    WeightsOption,
)


@command()
def predict(
    view: Screen,
    folder: FolderArgument,
    model: Annotated[
        Path, typer.Option(help="Folder of a fitted model, such as models/panss.", metavar="DIR")
    ],
    output: Annotated[Path, typer.Option(help="The CSV to write.", metavar="FILE")] = Path(
        "predictions.csv"
    ),
    drivers: Annotated[
        Path | None,
        typer.Option(help="Also a CSV of how much each window moves each score.", metavar="FILE"),
    ] = None,
    descriptions: Annotated[
        str,
        typer.Option(
            help="With --drivers: the sentences that each window is compared with, a file of "
            "protocols/encoding/descriptions/.",
            metavar="NAME|FILE",
        ),
    ] = "symptoms",
    pattern: PatternOption = None,
    turns: TurnsOption = None,
    speaker: SpeakerOption = None,
    section: SectionOption = None,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
) -> None:
    """Score new recordings with a fitted model, with intervals.

    The recordings are encoded as the model's were, in a study folder of their own (--study). A
    model that was made from turns predicts from turns: --turns and --speaker say where these are,
    and of whom.
    """
    from emoclip_clinic import pipeline

    study = pipeline.open_or_create(
        view.study_path, recordings=folder, seed=view.seed, pattern=pattern
    )
    result = pipeline.predict(
        study,
        folder,
        model,
        output,
        pattern=pattern,
        turns=turns,
        speaker=speaker or (),
        sections=section or (),
        device=device,
        weights=weights,
        drivers=drivers,
        descriptions=descriptions,
        progress=view.progress,
    )
    view.show(result, study)
