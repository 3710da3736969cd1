"""emoclip-clinic agree."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command
from emoclip_clinic.cli._options import ScaleOption


@command()
def agree(
    view: Screen,
    scale: ScaleOption,
    cohort: Annotated[
        str, typer.Option(help="A part of the participants.", metavar="COLUMN=VALUE")
    ] = "",
) -> None:
    """Agreement of the raters among themselves and of the model with the raters.

    Shows the model beside the clinicians on the same visits, with the test against the margin of
    study.toml. Writes agreement/SCALE.csv (every pair: ICC, CCC, bias, limits of agreement) and
    agreement/SCALE/: reliability, pairs, raters, limits, equivalence, groups, change, each
    statistic with its interval, and all of it as agreement.json.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    view.show(pipeline.agree(study, scale, cohort=cohort, progress=view.progress), study)
