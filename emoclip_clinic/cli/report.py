"""emoclip-clinic report."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import ScaleOption


@command()
def report(
    view: Screen,
    scale: ScaleOption,
    cohort: Annotated[
        str,
        typer.Option(
            help="A part of the cohort, by a column of participants.csv.", metavar="COLUMN=VALUE"
        ),
    ] = "",
    participant: Annotated[
        str,
        typer.Option(
            help="One participant in place of a cohort: predictions by models that never saw them.",
            metavar="ID",
        ),
    ] = "",
    show_id: Annotated[
        bool,
        typer.Option("--show-id", help="Have a participant's report name them in its heading."),
    ] = False,
    template: Annotated[
        str | None, typer.Option(help="A file of templates/, without its suffix.", metavar="NAME")
    ] = None,
) -> None:
    """Write the report of the cohort, or of one participant, after 'agree' where that is stale."""
    from emoclip_clinic import pipeline

    study = view.study()
    result = pipeline.report(
        study,
        scale,
        cohort=cohort,
        participant=participant,
        named=show_id,
        template=template,
        progress=view.progress,
    )
    view.show(result, study)
