"""emoclip-clinic fit."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import EncoderOption, ScaleOption, Screen, command


@command()
def fit(
    view: Screen,
    scale: ScaleOption,
    cv: Annotated[
        str | None,
        typer.Option(help="repeated (k-fold over participants) or lopo (leave one out)."),
    ] = None,
    encoder: EncoderOption = None,
) -> None:
    """Predict every item, subscale and total, validated across participants.

    Nested cross-validation, grouped by participant outside and inside. Writes the out-of-fold
    predictions, the performance of each target with intervals, the folds, and the final model.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    view.show(pipeline.fit(study, scale, cv=cv, encoder=encoder, progress=view.progress), study)
