"""emoclip-clinic encode."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import (
    ClusterOption,
    DeviceOption,
    EncoderOption,
    FolderArgument,
    PatternOption,
    Screen,
    WeightsOption,
    command,
    runner_of,
)


@command()
def encode(
    view: Screen,
    folder: FolderArgument,
    encoder: EncoderOption = None,
    faces: Annotated[
        str | None,
        typer.Option(help="yunet, haar, or none where the recordings are face crops already."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Sampling and windows: a file of protocols/encoding/.")
    ] = None,
    pattern: PatternOption = None,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
    frames: Annotated[
        bool | None,
        typer.Option(
            "--frames/--no-frames",
            help="Also keep the embeddings of frames, for 'fit --model head_tuned'.",
        ),
    ] = None,
    cluster: ClusterOption = "cores:1",
) -> None:
    """Encode the participant's face in windows of each recording.

    Ingests what is new, then writes features/ENCODER/RECORDING.safetensors and segments.csv.
    Stopped at any moment, the same command goes on with the next recording.
    """
    from emoclip_clinic import pipeline

    study = pipeline.open_or_create(
        view.study_path,
        recordings=folder,
        seed=view.seed,
        encoder=encoder,
        faces=faces,
        protocol=protocol,
        pattern=pattern,
        frames=frames,
    )
    with runner_of(view, cluster) as run:
        result = pipeline.encode(
            study,
            folder,
            encoder=encoder,
            faces=faces,
            protocol=protocol,
            pattern=pattern,
            device=device,
            weights=weights,
            keep_frames=frames,
            # this process has the model at hand, and every core
            run=None if cluster == "cores:1" else run,
            progress=view.progress,
        )
    view.show(result, study)
