"""emoclip-clinic encode."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command, runner_of
from emoclip_clinic.cli._options import (
    ClusterOption,
    EncoderOption,
    FolderArgument,
    PatternOption,
    SectionOption,
    SpeakerOption,
    TurnsOption,
    WeightsOption,
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
    participant: Annotated[
        str | None,
        typer.Option(
            help="Whose face: largest, longest, left, right, 'region x,y,w,h' in fractions of the "
            "picture, or the path of a photo, such as 'photos/{participant}.jpg'. review.csv goes "
            "first.",
            metavar="RULE",
        ),
    ] = None,
    pattern: PatternOption = None,
    turns: TurnsOption = None,
    speaker: SpeakerOption = None,
    section: SectionOption = None,
    device: Annotated[
        str,
        typer.Option(
            help="auto, cpu, cuda (every GPU), cuda:N, or several with commas between: each has "
            "recordings of its own.",
        ),
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="fp32; bf16 or fp16, faster on a GPU; int8, faster on a CPU (extra 'int8').",
            metavar="NAME",
        ),
    ] = None,
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
        participant=participant,
        pattern=pattern,
        turns=turns,
        speaker=speaker,
        sections=section,
        precision=precision,
        frames=frames,
    )
    with runner_of(view, cluster) as run:
        result = pipeline.encode(
            study,
            folder,
            encoder=encoder,
            faces=faces,
            protocol=protocol,
            participant=participant,
            pattern=pattern,
            turns=turns,
            speaker=speaker,
            sections=section,
            device=device,
            precision=precision,
            weights=weights,
            keep_frames=frames,
            # this process has the model at hand, and every core
            run=None if cluster == "cores:1" else run,
            progress=view.progress,
        )
    view.show(result, study)
