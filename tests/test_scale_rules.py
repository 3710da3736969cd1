"""Every way to write a scale file wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from emoclip_clinic import scales
from emoclip_clinic.errors import ScaleError
from tests.small_scale import SMALL, written


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('version = "1"', 'versoin = "1"', r"unknown key 'versoin'. Did you mean version"),
        ('version = "1"', "", "the key 'version' is missing"),
        ('version = "1"', "version = 1", "version = 1; allowed: a text"),
        ("maximum = 4 }", 'maximum = "4" }', "maximum = '4'; allowed: a number"),
        ("maximum = 4 }", "maximum = true }", "maximum = True; allowed: a number"),
        ("maximum = 4 }", "maximum = 4, anchor = 1 }", r"items\[1\]: unknown key 'anchor'"),
        ("minimum = 0, maximum = 4", "minimum = 4, maximum = 4", "A1: minimum 4 is not below"),
        ("[0, 2, 4, 6, 8]", "[0, 4, 2, 8]", "B1: allowed must rise"),
        ("[0, 2, 4, 6, 8]", "[0, 2, 4]", "B1: allowed must begin at the minimum and end"),
        ('code = "A2"', 'code = "a1"', "a1: two items or scores have this name"),
        ('code = "A2"', 'code = "A 2"', "allowed in a code: letters and digits"),
        ('id = "a"', 'id = "total"', "total: two items or scores have this name"),
        ('id = "a"', 'id = "b1"', "b1: two items or scores have this name"),
        ('id = "a"', 'id = "A part"', "allowed in an id"),
        ('["A1", "A2"]', '["A1", "A9"]', "subscale a: there is no item 'A9'; the items are A1"),
        ('["A1", "A2"]', '["A1", "A1"]', "subscale a: item A1 is given twice"),
        ('["A1", "A2"]', "[]", "subscale a: there are no items"),
        ('["A1", "A2"]', '"A1"', "allowed: a list"),
        ('label = "A"', 'label = "A"\nmethod = "median"', "method = 'median'; allowed: sum, mean"),
        ("higher is worse", "worse", "direction = 'worse'; allowed: higher is worse"),
        ('id = "small"', 'id = "large"', "id = 'large', but the file is called small.toml"),
        ('version = "1"', 'version = "1"\nnot_assessed = [0]', "0 is a rating, and in"),
        (
            'version = "1"',
            'version = "1"\npercent_change_floor = 1',
            "percent_change_floor = 1; allowed: 0, as the total runs from 0 to 16",
        ),
        ('code = "A2"', 'code = "A2", alternatives = ["A1"]', "a1: two items or scores have this"),
        ('code = "A2"', 'code = "A2", alternatives = ["A 3"]', "allowed in a code: letters"),
        ('code = "A2"', 'code = "A2", counts_zero = [3]', "3 is a rating, and in counts_zero"),
        ("[total]", "[total", "cannot be read"),
    ],
)
def test_each_mistake_in_a_scale_file_is_named(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    """`check` says what is wrong and what is allowed, and the file is not loaded."""
    assert old in SMALL
    path = written(tmp_path, SMALL.replace(old, new, 1))
    assert scales.check(path)
    with pytest.raises(ScaleError, match=problem):
        scales.load_scale("small", tmp_path)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('maximum_missing = 0\ntargets = ["a"]', "maximum_missing = 0; allowed: 1 or more"),
        ('maximum_missing = 2\ntargets = ["a"]', "a has 2 items; maximum_missing must be fewer"),
        ('maximum_missing = 1\ntargets = ["z"]', "there is no score 'z'; allowed: a, total"),
        ('maximum_missing = 1\ntargets = ["total"]', "the items of total have different ranges"),
        ('maximum_missing = 1.5\ntargets = ["a"]', "= 1.5; allowed: a whole number"),
    ],
)
def test_a_prorating_rule_must_make_sense(tmp_path: Path, table: str, problem: str) -> None:
    """Missing items stand for a mean only within a score whose items have one range."""
    path = written(tmp_path, f'{SMALL}\n[prorating]\nsource = "none"\n{table}')
    assert any(problem in text for text in scales.check(path))


def test_bands_and_points_stay_inside_the_range(tmp_path: Path) -> None:
    """Bands of a set do not overlap, and no band or point lies outside its score's range."""
    band = '[[bands]]\nband_set = "X"\ntarget = "a"\nsource = "none"\n'
    point = '[[reference_points]]\ntarget = "z"\nlabel = "ill"\nvalue = 1\n'
    text = (
        f'{band}label = "low"\nminimum = 0\nmaximum = 4\n'
        f'{band}label = "high"\nminimum = 4\nmaximum = 9\n{point}'
    )
    assert scales.check(written(tmp_path, f"{SMALL}\n{text}")) == [
        "band high: 9 is outside the range 0-8 of a",
        "point ill: there is no item or score 'z'",
        "bands low and high of set X overlap",
    ]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """`check` does not stop at the first mistake."""
    text = SMALL.replace('version = "1"', "").replace("maximum = 8", 'maximum = "8"')
    found = scales.check(written(tmp_path, text))
    assert found[:2] == [
        "the key 'version' is missing",
        "items[3]: maximum = '8'; allowed: a number",
    ]
    assert "correct these first" in found[2]


def test_a_missing_word_hides_no_other_mistake(tmp_path: Path) -> None:
    """Without a version, and with a number for a name, the scores are looked at too."""
    text = SMALL.replace('version = "1"', "").replace('["A1", "A2"]', '["A1", "A9"]')
    found = scales.check(written(tmp_path, text.replace('"A small scale"', "7")))
    assert found == [
        "the key 'version' is missing",
        "name = 7; allowed: a text",
        "subscale a: there is no item 'A9'; the items are A1, A2, B1",
    ]


def test_a_misspelt_key_hides_no_other_mistake(tmp_path: Path) -> None:
    """What a key is called and what the scale says are two things, and both are told."""
    text = SMALL.replace('label = "first"', 'label = "first", anker = "x"')
    text = text.replace('["A1", "A2"]', '["A1", "A9"]').replace(
        'version = "1"', "version = '1'\nfoo = 1"
    )
    band = '[[bands]]\nband_set = "X"\ntarget = "total"\nsource = "s"\nlabel = "low"\n'
    found = scales.check(written(tmp_path, f"{text}\n{band}minimum = 5\nmaximum = 99\n"))
    assert len(found) == 4
    for words in (
        "items[1]: unknown key 'anker'",
        "unknown key 'foo'",
        "no item 'A9'",
        "band low: 99",
    ):
        assert any(words in text for text in found)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('plus = "a"\nminus = "b"', "difference d: there is no score 'b'; allowed: a, total"),
        ('plus = "a"\nminus = "A1"', "difference d: there is no score 'A1'"),
        ('plus = "a"', "differences[1]: the key 'minus' is missing"),
    ],
)
def test_a_difference_is_of_scores_that_are_there(tmp_path: Path, table: str, problem: str) -> None:
    """Both of its parts are subscales or the total."""
    path = written(tmp_path, f'{SMALL}\n[[differences]]\nid = "d"\nlabel = "D"\n{table}\n')
    assert any(problem in text for text in scales.check(path))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('targets = ["Z"]\nminimum = 1', "criterion c: there is no item or score 'Z'"),
        ('targets = ["a"]\nminimum = 9', "criterion c: 9 is outside the range 0-8 of a"),
        ('targets = ["a"]', "criterion c: give minimum or above, maximum, or both"),
        ('targets = ["a"]\nminimum = 3\nmaximum = 2', "criterion c: minimum is above maximum"),
        ("targets = []\nminimum = 3", "criterion c: there are no targets"),
        ('targets = ["a"]\nminimum = 3\nabove = 2', "criterion c: give minimum or above, not both"),
        ('targets = ["a"]\nabove = 9', "criterion c: 9 is outside the range 0-8 of a"),
    ],
)
def test_a_criterion_must_make_sense(tmp_path: Path, table: str, problem: str) -> None:
    """Its targets are there, and its limits lie within their range."""
    head = '[[criteria]]\nid = "c"\nlabel = "C"\nsource = "none"\n'
    assert problem in scales.check(written(tmp_path, f"{SMALL}\n{head}{table}\n"))


def test_two_criteria_need_two_names(tmp_path: Path) -> None:
    """An id stands for one criterion."""
    one = '[[criteria]]\nid = "c"\nlabel = "C"\nsource = "s"\ntargets = ["a"]\nminimum = 3\n'
    found = scales.check(written(tmp_path, f"{SMALL}\n{one}{one}"))
    assert found == ["c: two criteria have this name"]


def test_a_percent_change_is_for_scales_where_higher_is_worse(tmp_path: Path) -> None:
    """Where higher is better, the lowest score is the worst and no floor."""
    text = SMALL.replace("worse", "better").replace(
        'version = "1"', 'version = "1"\npercent_change_floor = 0'
    )
    (problem,) = scales.check(written(tmp_path, text))
    assert "where higher is better there is none" in problem


def test_a_code_that_counts_zero_needs_a_zero(tmp_path: Path) -> None:
    """On an item of 1-4 a 0 would be no rating."""
    text = SMALL.replace('label = "second", minimum = 0', 'label = "second", minimum = 1')
    text = text.replace('code = "A2"', 'code = "A2", counts_zero = [9]')
    assert scales.check(written(tmp_path, text)) == ["item A2: counts_zero, but 0 lies outside 1-4"]
