"""emoclip-clinic export, pseudonymise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command

KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="File of the key that makes the codes, outside the study; made if it is absent.",
        metavar="FILE",
        envvar="EMOCLIP_CLINIC_KEY",
    ),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        help="Also share this column of participants.csv; may be given several times.",
        metavar="COLUMN",
    ),
]
CrosswalkOption = Annotated[
    bool, typer.Option("--crosswalk", help="Write which code is whose, beside the key.")
]
TitleOption = Annotated[
    str | None,
    typer.Option(
        help="In place of the title in study.toml, which may tell too much.", metavar="TEXT"
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace an older bundle, or write into the study folder.")
]


@command()
def export(
    view: Screen,
    output: Annotated[Path, typer.Argument(help="A new .zip, or a new folder.", metavar="OUTPUT")],
    key: KeyOption = None,
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="Leave ids as they are: no codes, no key.")
    ] = False,
    keep: KeepOption = None,
    crosswalk: CrosswalkOption = False,
    title: TitleOption = None,
    force: ForceOption = False,
) -> None:
    """Make a bundle that can be shared: features, predictions, ratings, agreement, provenance.

    Ids are replaced by codes. Recordings, paths, dates and free text are left out. What
    features of a face may still reveal is said in it.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    result = pipeline.export(
        study,
        output,
        key=key,
        keep_ids=keep_ids,
        keep=keep or (),
        crosswalk=crosswalk,
        title=title,
        force=force,
        progress=view.progress,
    )
    view.show(result)


@command()
def pseudonymise(
    view: Screen,
    output: Annotated[Path, typer.Argument(help="A new folder.", metavar="OUTPUT")],
    key: KeyOption = None,
    keep: KeepOption = None,
    crosswalk: CrosswalkOption = False,
    title: TitleOption = None,
    force: ForceOption = False,
) -> None:
    """Copy the study with codes in place of ids of participants, recordings and raters.

    The copy is a study: 'fit', 'agree' and 'report' work in it. The same key
    gives the same codes in every study.
    """
    from emoclip_clinic import pipeline

    study = view.study()
    result = pipeline.pseudonymise(
        study,
        output,
        key=key,
        keep=keep or (),
        crosswalk=crosswalk,
        title=title,
        force=force,
        progress=view.progress,
    )
    view.show(result)
