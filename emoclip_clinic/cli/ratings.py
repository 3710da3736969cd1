"""emoclip-clinic ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, app, command
from emoclip_clinic.cli._options import ScaleOption

ratings_app = typer.Typer(no_args_is_help=True, help="Make rating sheets, and check filled ones.")
app.add_typer(ratings_app, name="ratings")


@command(ratings_app, "template")
def template(
    view: Screen,
    scale: ScaleOption,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The .xlsx or .csv to write, never over an existing one; ratings/SCALE.xlsx of "
            "the study if it is not given."
        ),
    ] = None,
    rater: Annotated[
        list[str] | None,
        typer.Option(help="A rater who gets a row a visit; may be given several times."),
    ] = None,
) -> None:
    """Make the sheet that raters fill in, with a row for each recording that is known.

    The cells of an .xlsx take only what the scale allows.
    """
    from emoclip_clinic import pipeline

    raters = {"raters": rater} if rater else {}
    view.show(pipeline.rating_template(view.study_path, scale, output=output, **raters))


@command(ratings_app, "check")
def check(view: Screen, scale: ScaleOption) -> None:
    """Read the ratings as fit does, and say what was found: who, when, by whom, what is missing.

    Every problem is named with its row; visits without a recording are listed.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    view.show(pipeline.check_ratings(study, scale), study)
