"""A name is found however it is written, a date in common writings, and nothing else."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.mentions import dates_in, names_in, squeezed

LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789äöüßéñçÅø")
BETWEEN = st.sampled_from(["", "", "", " ", ".", ". ", "-", "_", ", ", "'", "/"])
CASES = st.sampled_from([str, str.lower, str.upper, str.title, str.swapcase])
FORMS = st.sampled_from(["NFC", "NFD"])


@given(
    st.lists(st.tuples(LETTERS, BETWEEN), min_size=2, max_size=12), st.data(), CASES, FORMS,
    st.sampled_from([("", ""), ("Pilot of ", ""), ("(", "), 2"), ("a_", ".mp4"), ("Re: ", "!")]),
)  # fmt: skip
def test_a_name_is_found_in_any_case_and_punctuation(
    parts: list[tuple[str, str]],
    data: st.DataObject,
    case: object,
    form: str,
    around: tuple[str, str],
) -> None:
    """As the study writes it, and with any other signs between its letters."""
    name = "".join(letter + gap for letter, gap in parts)
    gaps = [data.draw(BETWEEN) for _ in parts]
    gaps[-1] = ""
    letters = "".join(letter + gap for (letter, _), gap in zip(parts, gaps, strict=True))
    written = unicodedata.normalize(form, case(letters))  # type: ignore[operator]
    before, after = around
    assert names_in(before + written + after, {squeezed(name)})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Anna Mueller", "Pilot of anna m\u00fcller"), ("M\u00fcller", "MUELLER"),
        ("Anna Mueller", "Anna-Muller"), ("P01", "p 01"), ("Dr Schmidt", "by Dr. Schmidt, 2024"),
        ("\u738b\u4f1f", "\u5173\u4e8e\u738b\u4f1f\u7684\u7814\u7a76"),
        ("\u0141ukasz", "lukasz"), ("S\u00f8ren", "SOREN"),
    ],
)  # fmt: skip
def test_other_spellings_are_the_same_name(name: str, text: str) -> None:
    """Umlauts with an e, without, and letters with a stroke; Chinese needs no spaces."""
    assert names_in(text, {squeezed(name)})


@pytest.mark.parametrize("text", ["planned", "Annapolis", "P011", "banana", "Pilot 2024", ""])
def test_a_part_of_a_word_is_no_name(text: str) -> None:
    """Ann is not in planned, and P01 not in P011."""
    assert not names_in(text, {squeezed("Ann"), squeezed("P01")})


WORDS = [
    "Pilot", "of", "negative symptoms", "in schizophrenia", "a cohort study", "follow-up",
    "phase 2", "wave 3", "2019-2022", "(n = 60)", "CAINS", "HAMD-17", "v1.2.10", "12-14 weeks",
    "2024", "5 to 9", "NCT02012345", "DRKS00012345", "24/7", "T1/T2", "marches", "decision",
    "50 Augsburg patients",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=8, unique=True))
def test_titles_of_other_things_pass(words: list[str]) -> None:
    """Years, ranges, versions and numbers of registers are neither names nor dates."""
    title = ", ".join(words)
    assert not dates_in(title)
    assert not names_in(
        title, set(map(squeezed, ["Anna Mueller", "P01", "Dr Schmidt", "20240305"]))
    )


DATES = (
    "%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d%m%Y", "%d.%m.%y",
    "%m-%d-%y", "%d%b%Y", "%d %B %Y", "%B %d, %Y", "%b %Y", "%d. %B", "%B %d", "%Y_%m_%d",
    "%Y-%m-%dT%H:%M:%S", "VID%Y%m%d_%H%M%S", "%Y%m%d%H%M%S", "%d %m %Y", "%dth of %B %Y",
)  # fmt: skip
"""As people and cameras write them."""


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(DATES),
    st.sampled_from(["{}", "Pilot of {}", "a_{}_b", "({})", "{}, n = 3"]),
    CASES,
)
def test_a_date_is_found(day: datetime, form: str, around: str, case: object) -> None:
    """In any common writing, in any case."""
    text = around.format(case(day.strftime(form)))  # type: ignore[operator]
    assert dates_in(text), text


@pytest.mark.parametrize(
    "text",
    ["5. M\u00e4rz 2024", "Maerz 2024", "le 5 ao\u00fbt", "5 de mayo de 2024", "1er juillet 2024",
     "2024\u5e743\u67085\u65e5", "31. Dez. 2024", "5.3.24", "3/5/24"],
)  # fmt: skip
def test_dates_of_other_languages_are_found(text: str) -> None:
    """Those that reports can be written in."""
    assert dates_in(text)
