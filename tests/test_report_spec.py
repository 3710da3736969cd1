from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.report.blocks import BLOCKS
from emoclip_clinic.report.spec import load_template, parse_template
from emoclip_clinic.report.texts import Texts, read_texts


def test_the_shipped_template_can_be_used() -> None:
    """The cohort's template names blocks that there are, on a sheet that there is."""
    template = load_template("cohort")
    used = {use.name for section in template.sections for use in section.blocks}
    assert used <= set(BLOCKS)
    assert {"title", "limits", "summary", "flow", "agreement", "methods", "provenance"} <= used


@pytest.mark.parametrize(
    ("toml", "given", "allowed"),
    [
        ("pgae = 'a4'", "pgae", "page"),
        ("page = 'a5'", "a5", "letter"),
        ("page = 4", "4", "a text"),
        ("format = 2", "2", "1"),
        ("language = 'xx'", "xx", "en"),
        ("section = 3", "section", "[[section]]"),
        ("[[section]]\ntitel = 'x'", "titel", "title"),
        ("[[section]]\nblocks = 'summary'", "summary", "a list"),
        ("[[section]]\nblocks = ['sumary']", "sumary", "summary"),
        ("[[section]]\nblocks = [4]", "4", "a name"),
        ("[[section]]\nblocks = [{ name = 'scatter' }]", "name", "block"),
        ("[[section]]\nblocks = [{ block = 'scatter', target = ['N1'] }]", "target", "targets"),
        ("[[section]]\nblocks = [{ block = 'methods', kinds = [] }]", "kinds", "methods"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(toml: str, given: str, allowed: str) -> None:
    """An unknown key, block, option or value is an error that names the allowed ones."""
    with pytest.raises(SettingsError) as error:
        parse_template(tomllib.loads(toml), "mine.toml")
    message = str(error.value)
    assert given in message
    assert allowed in message
    assert "mine.toml" in message or "language" in message


def test_a_section_is_added_without_python(tmp_path: Path) -> None:
    """A study's own template comes before the shipped one."""
    (tmp_path / "templates").mkdir()
    own = "[[section]]\ntitle = 'Ours'\nblocks = [{ block = 'text', text = 'Words of ours.' }]"
    (tmp_path / "templates" / "cohort.toml").write_text(own)
    (section,) = load_template("cohort", tmp_path).sections
    assert section.title == "Ours"
    assert section.blocks[0].options.text == "Words of ours."


def test_an_unknown_template_suggests_the_close_one() -> None:
    """The message names the templates there are."""
    with pytest.raises(ClinicError, match="cohort"):
        load_template("cohrot")


def test_a_language_must_have_every_sentence_and_place() -> None:
    """A missing sentence, or a place that nothing fills, names the key."""
    texts = Texts("xx", {"page": {"number": "Seite {page} von {total}"}})
    with pytest.raises(SettingsError, match=r"page\.number.*\{pages\}"):
        texts("page.number", page=1, pages=2)
    with pytest.raises(SettingsError, match=r"page\.use"):
        texts("page.use")


def test_no_sentence_of_the_english_file_is_without_words() -> None:
    """Every entry is a text, none is empty."""

    def leaves(entry: Any) -> list[Any]:
        if isinstance(entry, dict):
            return [leaf for each in entry.values() for leaf in leaves(each)]
        if isinstance(entry, list):
            return [leaf for each in entry for leaf in leaves(each)]
        return [entry]

    assert all(isinstance(leaf, str) and leaf.strip() for leaf in leaves(read_texts().words))
