"""emoclip-clinic describe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import (
    DeviceOption,
    EncoderOption,
    SectionOption,
    SpeakerOption,
    WeightsOption,
)


@command()
def describe(
    view: Screen,
    recording: Annotated[Path, typer.Argument(help="A video.", metavar="RECORDING")],
    descriptions: Annotated[
        str,
        typer.Option(
            help="A file of protocols/encoding/descriptions/, or its path.", metavar="NAME|FILE"
        ),
    ] = "symptoms",
    encoder: EncoderOption = None,
    faces: Annotated[
        str | None,
        typer.Option(help="yunet, haar, or none where the recording is a face crop already."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Sampling and windows: a file of protocols/encoding/.")
    ] = None,
    participant: Annotated[
        str | None,
        typer.Option(
            help="Whose face: largest, longest, left, right, or 'region x,y,w,h'.", metavar="RULE"
        ),
    ] = None,
    turns: Annotated[
        Path | None,
        typer.Option(
            help="The recording's file of speech turns: only the participant's are described.",
            metavar="FILE",
        ),
    ] = None,
    speaker: SpeakerOption = None,
    section: SectionOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The CSV, the figure goes beside it; describe/RECORDING_SET.csv of the study if "
            "not given.",
            metavar="FILE",
        ),
    ] = None,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
) -> None:
    """Show what a recording resembles, in words, window by window. Exploratory.

    The similarity of each window to each description, beside that to neutral sentences: its floor.
    It was not validated against ratings, and is no measure of a symptom.
    """
    from emoclip_clinic import pipeline

    result = pipeline.describe(
        recording,
        study=view.study_path,
        encoder=encoder,
        faces=faces,
        protocol=protocol,
        participant=participant,
        turns=turns,
        speaker=speaker or (),
        sections=section or (),
        descriptions=descriptions,
        output=output,
        device=device,
        weights=weights,
        progress=view.progress,
    )
    view.show(result)
