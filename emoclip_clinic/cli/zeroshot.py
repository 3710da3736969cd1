"""emoclip-clinic zeroshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import DataOption, DeviceOption, FoldOption, WeightsOption


@command()
def zeroshot(
    view: Screen,
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="mafw, mafw-compound, dfew, ferv39k, afew, or the path of a manifest (CSV).",
            metavar="NAME|MANIFEST",
        ),
    ] = None,
    data: DataOption = None,
    fold: FoldOption = None,
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    encoder: Annotated[
        str,
        typer.Option(
            help="emoclip, clip-mean, emoclip-demo, or the path of a checkpoint.", metavar="NAME"
        ),
    ] = "emoclip",
    prompts: Annotated[
        str,
        typer.Option(
            help="A file of protocols/encoding/descriptions/, or its path.", metavar="NAME|FILE"
        ),
    ] = "emotions",
    baseline: Annotated[
        str,
        typer.Option(
            help="Whose frames are averaged: an encoder; own (the encoder's towers); none; or "
            "auto: CLIP where its weights are here.",
            metavar="NAME",
        ),
    ] = "auto",
    windows: Annotated[
        int, typer.Option(min=1, help="1: the centre of a clip; more: so many over all of it.")
    ] = 1,
    every_nth: Annotated[
        int, typer.Option("--every-nth", min=1, help="Every n-th frame of a clip is taken.")
    ] = 4,
    frames: Annotated[int, typer.Option(min=1, help="Frames in a window.")] = 32,
    max_broken: Annotated[
        float,
        typer.Option(
            "--max-broken", min=0, max=1, help="Share of clips that may fail to decode.",
            metavar="SHARE",
        ),
    ] = 0.01,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the results; zeroshot/DATASET_ENCODER of the study if not given. With "
            "--compare, the CSV.",
            metavar="PATH",
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Two folders of results: the paired difference.", metavar="A B"),
    ] = None,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
) -> None:  # fmt: skip
    """Recognise clips by words alone, beside CLIP on averaged frames.

    Accuracy (WAR), mean recall (UAR), recalls and the confusion matrix, with intervals over
    participants where they are known. Clips are always the same frames: nothing is random but the
    resamples. Stopped at any moment, the same command goes on.
    """
    from emoclip_clinic import pipeline

    if (dataset is None) == (compare is None):
        raise typer.BadParameter("give a dataset, or --compare A B.")
    if compare is not None:
        view.show(pipeline.compare_zeroshot(*compare, output=output, seed=view.seed))
        return
    from emoclip_clinic.training.zeroshot import Sampling

    result = pipeline.zeroshot(
        str(dataset),
        data,
        study=view.study_path,
        fold=fold,
        split=split,
        encoder=encoder,
        prompts=prompts,
        baseline=baseline,
        sampling=Sampling(frames, every_nth, windows),
        output=output,
        max_broken=max_broken,
        seed=view.seed,
        device=device,
        weights=weights,
        progress=view.progress,
    )
    view.show(result)
