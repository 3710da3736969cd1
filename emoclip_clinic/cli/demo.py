"""emoclip-clinic demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, command, keep_inside


@command()
def demo(
    view: Screen,
    folder: Annotated[
        Path, typer.Argument(help="Where the synthetic study goes.", metavar="[DIR]")
    ] = Path("demo-study"),
) -> None:
    """Make a synthetic study whose truth is known and run every stage on it, offline.

    Drawn faces, invented ratings, and a small encoder that is fit for the demonstration only.
    """
    from emoclip_clinic import pipeline

    keep_inside(folder)
    for result in pipeline.demo(folder, seed=view.seed, progress=view.progress):
        view.show(result, more_follows=True)
    # the demonstration leaves some things out on purpose, and says so
    view.exit_code = 0
    if not view.quiet and not view.as_json:
        _summarise(folder)
    view.say(f"The report: {result.written[0]}")
    view.say(f"Next: emoclip-clinic run --study {folder}")


def _summarise(folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from emoclip_clinic.pipeline.demonstrating import summary

    table = Table(title="What was put into the demonstration, and what was found")
    for column in ("", "known truth", "found", "95 % interval"):
        table.add_column(column)
    for row in summary(folder):
        table.add_row(*row)
    console = Console(stderr=True)
    console.print(table)
