"""A report's template: which sections, which blocks in them, on which paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.report.blocks import BLOCKS
from emoclip_clinic.report.texts import Texts, read_texts
from emoclip_clinic.report.theme import PAGES
from emoclip_clinic.resources import close_matches, find, read_toml
from emoclip_clinic.schema import from_table

__all__ = ["BlockUse", "Section", "Template", "load_template", "parse_template"]

FORMAT = 1


@dataclass(frozen=True)
class BlockUse:
    """A block where a section has it, with its options."""

    name: str
    """A key of `blocks.BLOCKS`."""
    options: Any
    """An instance of the block's own dataclass of options."""


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str = ""
    """Numbered, and listed in the contents; empty: the blocks follow without a heading."""
    blocks: tuple[BlockUse, ...] = ()
    """In the order of the page."""
    new_page: bool = False
    """Whether the section starts on a page of its own."""


@dataclass(frozen=True)
class Template:
    """What a report looks like, whatever the data."""

    texts: Texts
    """The fixed words, in the report's language."""
    sections: tuple[Section, ...] = ()
    """In the order of the report."""
    title: str = ""
    """Of the kind of report; empty: as the language has it."""
    page: str = "a4"
    """A key of `theme.PAGES`."""


@dataclass(frozen=True)
class _Head:
    format: int = FORMAT
    title: str = ""
    page: str = "a4"
    language: str = "en"
    section: tuple[Any, ...] = field(default_factory=tuple)


def load_template(name: str = "cohort", study: Path | None = None, language: str = "") -> Template:
    """Read templates/<name>.toml, the study's own first.

    Parameters
    ----------
    name
        Of the file, without its suffix.
    study
        The study folder.
    language
        In place of the template's.

    Raises
    ------
    ClinicError
        There is no such template.
    SettingsError
        A key, a block or an option is unknown, or a value is not allowed.
    """
    path = find("templates", name, study)
    table = read_toml(path)
    return parse_template({**table, "language": language} if language else table, path.name, study)


def parse_template(table: Mapping[str, Any], where: str, study: Path | None = None) -> Template:
    """Make a template from what its TOML says.

    Raises
    ------
    SettingsError
        A key, a block or an option is unknown, or a value is not allowed.
    """
    sections = table.get("section", [])
    head = from_table(_Head, {k: v for k, v in table.items() if k != "section"}, where)
    if head.format != FORMAT:
        raise SettingsError(f"{where}: format = {head.format}; allowed: {FORMAT}")
    if head.page not in PAGES:
        raise SettingsError(f"{where}: page = {head.page!r}; allowed: {', '.join(PAGES)}")
    if not isinstance(sections, list) or not all(isinstance(each, dict) for each in sections):
        raise SettingsError(f"{where}: section must be written [[section]], once for each section")
    return Template(
        texts=read_texts(head.language, study),
        sections=tuple(
            _section(each, f"{where}, section {n}") for n, each in enumerate(sections, 1)
        ),
        title=head.title,
        page=head.page,
    )


def _section(table: dict[str, Any], where: str) -> Section:
    blocks = table.get("blocks", [])
    if not isinstance(blocks, list):
        raise SettingsError(f"{where}: blocks = {blocks!r}; allowed: a list of block names")
    section = from_table(Section, {k: v for k, v in table.items() if k != "blocks"}, where)
    return Section(section.title, tuple(_block(each, where) for each in blocks), section.new_page)


def _block(entry: Any, where: str) -> BlockUse:
    options = dict(entry) if isinstance(entry, dict) else {}
    name = options.pop("block", None) if isinstance(entry, dict) else entry
    if not isinstance(name, str):
        raise SettingsError(
            f'{where}: {entry!r} is not a block; allowed: a name, or {{ block = "name", ... }}'
        )
    if name not in BLOCKS:
        raise SettingsError(
            f"{where}: there is no block {name!r}. {close_matches(name, list(BLOCKS))}"
            f"Allowed: {', '.join(BLOCKS)}."
        )
    return BlockUse(name, from_table(BLOCKS[name].options, options, f"{where}: block {name!r}"))
