"""emoclip-clinic scales."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from emoclip_clinic.cli._app import Screen, app, command
from emoclip_clinic.errors import ScaleError

scales_app = typer.Typer(no_args_is_help=True, help="List, show and check rating scales.")
app.add_typer(scales_app, name="scales")

IdArgument = Annotated[str, typer.Argument(help="A scale, such as panss.", metavar="ID")]


@command(scales_app, "list")
def list_scales(view: Screen) -> None:
    """List the scales that are known here: the package's and the study's own."""
    from emoclip_clinic import scales

    known = scales.overview(view.study_path)
    view.table(list(known.columns), known.to_numpy().tolist())
    view.say("'emoclip-clinic scales show ID' shows one: items, scores, sources, open points.")


@command(scales_app, "show")
def show(view: Screen, scale: IdArgument) -> None:
    """Show a scale's items, ranges, subscales, sources and what of it is unverified."""
    from emoclip_clinic import scales

    found = scales.load_scale(scale, view.study_path)
    targets = scales.targets(found)
    rows = [
        [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row]
        for row in targets.to_numpy().tolist()
    ]
    view.table(list(targets.columns), rows, title=found.name)
    width = shutil.get_terminal_size().columns
    for line in scales.describe(found):
        indent = " " * (4 if line.startswith(" ") else 2)
        view.say(textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False))


@command(scales_app, "check")
def check(
    view: Screen,
    file: Annotated[
        Path,
        typer.Argument(help="A scale's TOML file.", metavar="FILE", exists=True, dir_okay=False),
    ],
) -> None:
    """Check a scale file of your own, and say everything that is wrong with it."""
    from emoclip_clinic import scales

    problems = scales.check(file)
    if problems:
        raise ScaleError(f"{file} is not a valid scale:\n  " + "\n  ".join(problems))
    view.say(f"{file} is a valid scale.")


@command(scales_app, "template")
def template(
    view: Screen,
    scale: IdArgument,
    output: Annotated[
        Path | None, typer.Option(help="The CSV to write; never over an existing one.")
    ] = None,
) -> None:
    """Make the empty rating sheet that raters fill in."""
    from emoclip_clinic import files, ratings, scales

    target = output or Path(f"{scale}.csv")
    if target.exists():
        raise ScaleError(f"{target} exists and may hold ratings: name another with --output.")
    files.write_csv(target, ratings.template(scales.load_scale(scale, view.study_path)))
    view.say(f"Wrote {target}.")
