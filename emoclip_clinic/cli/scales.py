"""emoclip-clinic scales."""

from __future__ import annotations

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

    known = [
        scales.load_scale(name, view.study_path) for name in scales.list_scales(view.study_path)
    ]
    view.table(
        ["id", "name", "items", "version"],
        [[scale.id, scale.name, len(scale.items), scale.version] for scale in known],
    )


@command(scales_app, "show")
def show(view: Screen, scale: IdArgument) -> None:
    """Show a scale's items, ranges, subscales, sources and what of it is unverified."""
    from emoclip_clinic import scales

    found = scales.load_scale(scale, view.study_path)
    targets = scales.targets(found)
    view.table(list(targets.columns), targets.to_numpy().tolist(), title=found.name)
    for line in scales.describe(found):
        view.say(line)


@command(scales_app, "check")
def check(
    view: Screen,
    file: Annotated[Path, typer.Argument(help="A scale's TOML file.", metavar="FILE")],
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
