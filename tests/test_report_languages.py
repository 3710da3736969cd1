"""The fixed words in every language: nothing is missing, and every place for a value is there."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emoclip_clinic.report.texts import LANGUAGES
from emoclip_clinic.resources import find, names

OTHERS = [name for name in names(LANGUAGES) if name != "en"]


def sentences(table: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Give every sentence of a file with its dotted key."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield from sentences(value, f"{place}.{key}")
    elif isinstance(table, list):
        for number, value in enumerate(table):
            yield from sentences(value, f"{place}[{number}]")
    else:
        yield place, str(table)


def words(language: str) -> dict[str, str]:
    text = Path(find(LANGUAGES, language)).read_text(encoding="utf-8")
    return dict(sentences(tomllib.loads(text)))


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_of_the_english_one(language: str) -> None:
    """Neither one less, of which nobody would know, nor one that is never printed."""
    english, other = words("en"), words(language)
    assert set(other) == set(english)


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_has_the_places_of_the_english_one(language: str) -> None:
    """A number that is left out of a sentence would be lost."""
    english = words("en")
    for key, sentence in words(language).items():
        assert places(sentence) == places(english[key]), key
