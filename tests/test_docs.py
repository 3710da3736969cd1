"""The documentation knows every command and option, and the commands explain themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import emoclip_clinic
from emoclip_clinic.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def commands(
    command: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Give every command, with the words that call it."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))
IDS = [" ".join(path) for path, _ in COMMANDS]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_command_is_documented_with_its_options(
    path: tuple[str, ...], command: object
) -> None:
    """docs/cli.md has a heading for the verb, names the sub-command and every option."""
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    general, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    section = next((part for part in sections if part.startswith(f"`{path[0]}`")), None)
    assert section is not None, f"docs/cli.md has no section on {path[0]}"
    if len(path) > 1:
        assert f"`{path[1]}" in section
    for parameter in command.params:  # type: ignore[attr-defined]
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in section or option in general, option


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_command_and_option_has_help(path: tuple[str, ...], command: object) -> None:
    """`--help` leaves nothing unexplained."""
    assert command.help, path  # type: ignore[attr-defined]
    for parameter in command.params:  # type: ignore[attr-defined]
        assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_reachable(page: Path) -> None:
    """A page that the navigation lacks is found by nobody."""
    assert f" {page.name}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_readme_shows_the_two_commands_and_the_three_verbs() -> None:
    """What a newcomer needs stands in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for words in (
        "make demo", "make test", "emoclip-clinic encode interviews/",
        "emoclip-clinic fit --scale panss", "emoclip-clinic report --scale panss",
        "not a diagnosis",
    ):  # fmt: skip
        assert words in text


def test_versions_agree() -> None:
    """The package, its metadata and the citation name one version."""
    for name in ("pyproject.toml", "CITATION.cff"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.search(
            rf'^version[:=\s]+"?{re.escape(emoclip_clinic.__version__)}"?$', text, re.M
        )
