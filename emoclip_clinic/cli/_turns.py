"""The options that say whose turns are encoded."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["SectionOption", "SpeakerOption", "TurnsOption"]

TurnsOption = Annotated[
    str | None,
    typer.Option(
        help="Files of speech turns, such as 'turns/{recording}.eaf', from the study folder on: "
        "only the participant's turns are encoded. CSV, TSV, ELAN, TextGrid, RTTM, BIDS events.",
        metavar="PATTERN",
    ),
]
SpeakerOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What the participant is called in the files of turns: a speaker, a tier. May be "
        "given several times.",
        metavar="NAME",
    ),
]
SectionOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A part of the interview, by its name in the files of turns. May be given several "
        "times; all parts if it is not given.",
        metavar="NAME",
    ),
]
