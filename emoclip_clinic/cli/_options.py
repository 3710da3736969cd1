"""The options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ClusterOption",
    "DataOption",
    "DatasetArgument",
    "DeviceOption",
    "EncoderOption",
    "FoldOption",
    "FolderArgument",
    "PatternOption",
    "ScaleOption",
    "SectionOption",
    "SpeakerOption",
    "TurnsOption",
    "WeightsOption",
]

WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="Folder of weights.", metavar="DIR", envvar="EMOCLIP_CLINIC_WEIGHTS"
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
ScaleOption = Annotated[
    str, typer.Option("--scale", help="A rating scale: see 'scales list'.", metavar="ID")
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        help="emoclip, clip-mean, emoclip-demo, or the path of a checkpoint.", metavar="NAME"
    ),
]
ClusterOption = Annotated[
    str,
    typer.Option(
        "--cluster",
        help="Who does the work: cores:N (processes of this machine), cores (all of them), "
        "dask:ADDRESS, dask:scheduler-file=PATH, or slurm, sge, pbs with :FILE.toml. Video is "
        "never sent: workers that encode read it themselves.",
        metavar="WHERE",
    ),
]
"""Its default is "cores:1": this process."""
DatasetArgument = Annotated[
    str,
    typer.Argument(
        help="mafw, mafw-compound, dfew, ferv39k, afew, or the path of a manifest (CSV).",
        metavar="NAME|MANIFEST",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder that the dataset was unpacked into.", metavar="DIR"),
]
FoldOption = Annotated[
    int | None, typer.Option(help="One fold, from 1; all of them if not given.", metavar="N")
]
FolderArgument = Annotated[Path, typer.Argument(help="Folder of recordings.", metavar="FOLDER")]
PatternOption = Annotated[
    str | None,
    typer.Option(
        help="Where the ids stand in a recording's path, such as "
        "'{participant}/{session}/{*}'. Without it: BIDS names, else one folder a participant.",
    ),
]
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
