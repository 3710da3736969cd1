"""The fixed words in every language: nothing is missing, and every place for a value is there."""

from __future__ import annotations

import io
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.report import fonts, load_template, make
from emoclip_clinic.report.texts import LANGUAGES
from emoclip_clinic.resources import find, names
from tests.report_data import report_data

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


def made_in(language: str) -> pypdf.PdfReader:
    template = load_template("cohort", language=language)
    small = report_data(n_participants=20, n_targets=3)
    return pypdf.PdfReader(io.BytesIO(make(small, template)[0]))


def has_chinese_font() -> bool:
    return any(Path(path).is_file() for path in fonts.KNOWN)


@pytest.mark.parametrize("language", ["de", "es", "zh"])
def test_a_report_speaks_the_language_with_embedded_fonts(language: str) -> None:
    """Fixed words, headings and the writing of numbers; every font is in the file."""
    if language == "zh" and not has_chinese_font():
        pytest.skip("needs a font with Chinese letters, which this machine has not")
    reader, said = made_in(language), words(language)
    text = "".join("".join(page.extract_text() for page in reader.pages).split())
    assert text.count("".join(said[".page.use"].split())) >= len(reader.pages)
    assert "".join(said[".sections.Glossary"].split()) in text
    assert reader.trailer["/Root"]["/Lang"] == language
    point = said[".numbers.point"]
    assert f"0{point}" in text
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].get_object().values():
            assert "/FontFile2" in font.get_object()["/FontDescriptor"].get_object()


def test_chinese_letters_without_a_font_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; a font that is no font, too."""
    monkeypatch.setattr(fonts, "KNOWN", ())
    with pytest.raises(SettingsError, match=r"no known font that has them\. Install one"):
        fonts.use_fonts(["评定者"])
    with pytest.raises(SettingsError, match=r"report: font: there is no file nowhere.ttf"):
        fonts.use_fonts(["评定者"], "nowhere.ttf")
    with pytest.raises(SettingsError, match="is no font that can be read"):
        fonts.use_fonts(["评定者"], __file__)
    fonts.use_fonts()


def test_another_language_in_between_changes_no_byte() -> None:
    """Fonts and the writing of numbers are set anew for each report."""
    small = report_data(n_participants=20, n_targets=3)
    first = make(small, load_template("cohort"))[0]
    make(small, load_template("cohort", language="de"))
    if has_chinese_font():
        make(small, load_template("cohort", language="zh"))
    assert make(small, load_template("cohort"))[0] == first
