"""emoclip-clinic review."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import SectionOption, SpeakerOption, TurnsOption, WeightsOption


@command()
def review(
    view: Screen,
    faces: Annotated[str | None, typer.Option(help="yunet or haar, as for 'encode'.")] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Sampling and windows, as for 'encode'.")
    ] = None,
    participant: Annotated[
        str | None, typer.Option(help="The rule, as for 'encode'.", metavar="RULE")
    ] = None,
    turns: TurnsOption = None,
    speaker: SpeakerOption = None,
    section: SectionOption = None,
    weights: WeightsOption = None,
    clean: Annotated[bool, typer.Option("--clean", help="Remove the page with the faces.")] = False,
) -> None:
    """Write a page with everybody in view, to choose the participant by hand.

    Open review/review.html in a browser, tick the participant or exclude stretches, download
    review.csv into the study folder, and run 'encode' again. The page shows faces: remove it with
    --clean.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    if clean:
        view.show(pipeline.clean_review(study), study)
        return
    result = pipeline.review(
        study,
        faces=faces,
        protocol=protocol,
        participant=participant,
        turns=turns,
        speaker=speaker,
        sections=section,
        weights=weights,
        progress=view.progress,
    )
    view.show(result, study)
