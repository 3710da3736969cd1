"""emoclip-clinic fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command, runner_of
from emoclip_clinic.cli._options import ClusterOption, EncoderOption, ScaleOption


@command()
def fit(
    view: Screen,
    scale: ScaleOption,
    cv: Annotated[
        str | None,
        typer.Option(
            help="repeated (k-fold over participants), lopo (leave one participant out) or loso "
            "(leave one site out)."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="ESTIMATOR[@POOLING][+covariates|-covariates], such as ridge or svr@quantiles. "
            "Give it several times to compare; the first is saved and reported.",
            metavar="MODEL",
        ),
    ] = None,
    permutations: Annotated[
        int | None,
        typer.Option(help="Exchanges behind each p-value; 0: no p-values.", min=0, metavar="N"),
    ] = None,
    on: Annotated[
        str, typer.Option(help="Use this part of the cohort alone.", metavar="COLUMN=VALUE")
    ] = "",
    test_on: Annotated[
        str,
        typer.Option(
            help="With --on: train there, and predict this other part once.", metavar="COLUMN=VALUE"
        ),
    ] = "",
    open_holdout: Annotated[
        bool,
        typer.Option(
            "--open-holdout", help="Predict the locked hold-out, by models of all others."
        ),
    ] = False,
    splits: Annotated[
        Path | None,
        typer.Option(help="A split manifest to use again: models/<scale>/splits.csv."),
    ] = None,
    encoder: EncoderOption = None,
    cluster: ClusterOption = "cores:1",
) -> None:
    """Predict every item, subscale and total, validated across participants.

    Nested cross-validation, grouped by participant outside and inside. Writes the out-of-fold
    predictions, the performance of each target with intervals and p-values, the folds, and the
    final model with its card.
    """
    from emoclip_clinic import pipeline
    from emoclip_clinic.pipeline.cohorts import Question

    study = view.study()
    with runner_of(view, cluster) as run:
        result = pipeline.fit(
            study,
            scale,
            cv=cv,
            encoder=encoder,
            models=model or (),
            permutations=permutations,
            question=Question(on, test_on, open_holdout),
            splits=splits,
            run=run,
            progress=view.progress,
        )
    view.show(result, study)
