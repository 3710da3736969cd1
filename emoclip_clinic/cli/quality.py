"""emoclip-clinic quality."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command, runner_of
from emoclip_clinic.cli._options import ClusterOption, EncoderOption


@command()
def quality(
    view: Screen,
    scale: Annotated[
        str,
        typer.Option(help="Fit this scale again at the limits of --measure.", metavar="ID"),
    ] = "",
    measure: Annotated[
        str,
        typer.Option(help="Of quality_windows.csv, such as face_size_px.", metavar="NAME"),
    ] = "",
    at: Annotated[
        list[float] | None,
        typer.Option(
            help="A limit to try, in the measure's unit; several times for several. Its usual ones "
            "if absent.",
            metavar="VALUE",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="What is predicted; the primary targets, or the total, if absent.", metavar="ID"
        ),
    ] = None,
    encoder: EncoderOption = None,
    cluster: ClusterOption = "cores:1",
) -> None:
    """How good the windows are, and whether the results hang on it.

    Alone, it shows why windows were left out, the worst recordings, and what would remain at other
    limits. With --scale and --measure it cross-validates the scale again at several limits, and
    writes models/SCALE/quality_MEASURE.csv, which the report shows.
    """
    from emoclip_clinic import pipeline
    from emoclip_clinic.errors import SettingsError

    if bool(scale) != bool(measure):
        raise SettingsError("--scale and --measure go together: give both, or neither.")
    study = view.study()
    if not scale:
        view.show(pipeline.quality(study, encoder=encoder), study)
        return
    with runner_of(view, cluster) as run:
        result = pipeline.sensitivity(
            study,
            scale,
            measure,
            thresholds=at or (),
            targets=target or (),
            encoder=encoder,
            run=run,
            progress=view.progress,
        )
    view.show(result, study)
