"""study.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.settings import Settings, read_settings, to_toml


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Defaults survive the round trip through TOML."""
    assert read_settings(write(tmp_path, to_toml(Settings()))) == Settings()


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    """Every setting has a default."""
    assert read_settings(write(tmp_path, "")) == Settings()


def test_tables_and_mixed_lists_survive(tmp_path: Path) -> None:
    """A mapping of headings, and codes that are numbers or texts."""
    text = """[ratings]
columns = {"HAMD q1" = "1", 'a"b' = ""}
missing = [-9999, 9.5, "not done"]
consensus = "rater:Anna Ö."
"""
    settings = read_settings(write(tmp_path, text))
    assert settings.ratings.columns == {"HAMD q1": "1", 'a"b': ""}
    assert settings.ratings.missing == (-9999.0, 9.5, "not done")
    assert read_settings(write(tmp_path, to_toml(settings))) == settings


DOCS = Path(__file__).parents[1] / "docs"
TURNS_GUIDE = (DOCS / "turns.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", TURNS_GUIDE, re.DOTALL))
def test_every_example_of_the_guide_to_turns_is_allowed(tmp_path: Path, block: str) -> None:
    """What a reader copies from docs/turns.md is a study.toml without mistakes."""
    assert read_settings(write(tmp_path, block)).encode.turns


GUIDE = (DOCS / "ratings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL))
def test_every_example_of_the_guide_to_ratings_is_allowed(tmp_path: Path, block: str) -> None:
    """What a reader copies from docs/ratings.md is a study.toml without mistakes."""
    assert read_settings(write(tmp_path, block)).ratings.files


def test_text_of_any_language_survives(tmp_path: Path) -> None:
    """Titles hold quotes, backslashes and accents."""
    title = 'Étude "négative" \\ 研究'
    text = to_toml(Settings()).replace('"Untitled study"', "'''" + title + "'''")
    settings = read_settings(write(tmp_path, text))
    assert settings.study.title == title
    assert read_settings(write(tmp_path, to_toml(settings))) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fit]\nfold = 5", "unknown key 'fold'.*Did you mean folds"),
        ("[fits]\nfolds = 5", "unknown key 'fits'"),
        ("[fit]\nfolds = 'ten'", "'ten'; allowed: a whole number"),
        ("[fit]\nfolds = 1", "folds = 1; allowed: 2 or more"),
        ("[fit]\nfolds = true", "True; allowed"),
        ("[fit]\ncv = 'random'", "allowed: repeated, lopo"),
        ("[encode]\nfaces = 'mtcnn'", "allowed: yunet, haar, none"),
        ("[ratings]\nfiles = 'ratings.csv'", "allowed: a list"),
        ("[ratings]\nduplicates = 'both'", "allowed: error, first, last, mean"),
        ("[ratings]\nconsensus = 'rater:'", "allowed: mean, rater:NAME"),
        ("[ratings]\nheader_row = -1", "allowed: 0 or more"),
        ("[ratings]\ncolumns = {a = 1}", r"columns\.a = 1; allowed: a text"),
        (
            "[ratings]\nmissing = [true]",
            r"missing\[1\] = True; allowed: a number or a text",
        ),
        ("fit = 3", "fit = 3; allowed: a table"),
        ("[fit\n", "cannot be read.*line 1"),
        ("[study]\nseed = 0", "1 or more"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(tmp_path: Path, text: str, message: str) -> None:
    """Unknown keys and wrong values say what may stand there."""
    with pytest.raises(SettingsError, match=message):
        read_settings(write(tmp_path, text))
