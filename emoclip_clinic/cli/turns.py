"""emoclip-clinic turns."""

from __future__ import annotations

from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, app, command
from emoclip_clinic.cli._options import SectionOption, SpeakerOption, TurnsOption

turns_app = typer.Typer(no_args_is_help=True, help="Check files of speech turns and sections.")
app.add_typer(turns_app, name="turns")


@command(turns_app, "check")
def check(
    view: Screen,
    turns: TurnsOption = None,
    speaker: SpeakerOption = None,
    section: SectionOption = None,
    protocol: Annotated[
        str | None, typer.Option(help="As for encode: turns may be too short for its windows.")
    ] = None,
) -> None:
    """Say of each ingested recording what its file of turns holds, or what is wrong with it.

    Reads the files as encode does, and decodes nothing.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    result = pipeline.check_turns(
        study, turns=turns, speaker=speaker, sections=section, protocol=protocol
    )
    view.show(result, study)
