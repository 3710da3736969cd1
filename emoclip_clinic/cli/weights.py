"""emoclip-clinic weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, app, command
from emoclip_clinic.cli._options import WeightsOption

weights_app = typer.Typer(
    no_args_is_help=True, help="List, fetch, import and verify weights: EmoCLIP, CLIP, YuNet."
)
app.add_typer(weights_app, name="weights")

NameArgument = Annotated[str, typer.Argument(help="A name of 'weights list'.", metavar="NAME")]


@command(weights_app, "list")
def list_weights(view: Screen, weights: WeightsOption = None) -> None:
    """List the known weights and whether they are here and whole."""
    from emoclip_clinic.weights import folder, table

    if not view.as_json:
        typer.echo(f"Folder: {folder(weights)}")
    view.table(
        ["name", "state", "file", "licence", "what it is"],
        [
            [
                row.file.name,
                row.state,
                row.path if view.as_json else row.path.name,
                row.file.licence,
                row.file.description,
            ]
            for row in table(weights)
        ],
    )


@command(weights_app, "fetch")
def fetch(view: Screen, name: NameArgument, weights: WeightsOption = None) -> None:
    """Download weights: the only command that uses the network.

    A download that was cut goes on where it stopped; the SHA-256 is checked before use.
    """
    from emoclip_clinic import weights as store

    path = store.fetch(
        name,
        weights,
        progress=lambda done, total: view.progress(f"fetching {name}", done, total),
    )
    view.say(f"Fetched and verified {name}: {path}")


@command(weights_app, "import")
def import_weights(
    view: Screen,
    source: Annotated[
        Path,
        typer.Argument(help="A file or folder of known weights, or a checkpoint.", metavar="FILE"),
    ],
    name: Annotated[
        str | None, typer.Option("--as", help="What a checkpoint is: emoclip.", metavar="NAME")
    ] = None,
    weights: WeightsOption = None,
) -> None:
    """Bring weights from a local file, for machines without a network.

    Known files are recognised by their SHA-256. With --as emoclip, a checkpoint in either of the
    reference's layouts is read strictly, without running code in it, and kept as safetensors.
    """
    if name is None:
        from emoclip_clinic.weights import install

        imported = install(source, weights)
    else:
        from emoclip_clinic.encoder.checkpoints import import_checkpoint

        imported = [import_checkpoint(source, name, weights)]
    for path in imported:
        view.say(f"Imported {path}")


@command(weights_app, "verify")
def verify(view: Screen, name: NameArgument, weights: WeightsOption = None) -> None:
    """Hash weights again and compare with what is published or was recorded."""
    from emoclip_clinic.weights import path

    view.say(f"{name} is whole: {path(name, weights)}")


@command(weights_app, "path")
def path(view: Screen, name: NameArgument, weights: WeightsOption = None) -> None:
    """Print where verified weights lie."""
    from emoclip_clinic import weights as store

    found = store.path(name, weights)
    if view.as_json:
        view.table(["name", "path"], [[name, found]])
    else:
        typer.echo(found)
