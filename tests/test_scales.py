"""Scale files: listed, loaded, described; and every way to write one wrongly."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from emoclip_clinic import scales
from emoclip_clinic.errors import ScaleError

SMALL = """
id = "small"
abbreviation = "SMALL"
name = "A small scale"
version = "1"
reference = "none"
licence = "free"
direction = "higher is worse"
items = [
  { code = "A1", label = "first", minimum = 0, maximum = 4 },
  { code = "A2", label = "second", minimum = 0, maximum = 4 },
  { code = "B1", label = "third", minimum = 0, maximum = 8, allowed = [0, 2, 4, 6, 8] },
]
[[subscales]]
id = "a"
label = "A"
items = ["A1", "A2"]
[total]
label = "Total"
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Give an empty study folder with a place for its own scales."""
    (tmp_path / "protocols" / "scales").mkdir(parents=True)
    return tmp_path


def written(study: Path, text: str, name: str = "small") -> Path:
    path = study / "protocols" / "scales" / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_targets_come_in_the_order_of_the_scale(study: Path) -> None:
    """Items first, then subscales, then the total, with ranges made from the items."""
    written(study, SMALL)
    table = scales.targets(scales.load_scale("small", study))
    assert table["target"].tolist() == ["A1", "A2", "B1", "a", "total"]
    assert table["kind"].tolist() == ["item", "item", "item", "subscale", "total"]
    assert table["maximum"].tolist() == [4, 4, 8, 8, 16]


def test_a_mean_has_the_range_of_its_items(study: Path) -> None:
    """The range of a mean score is the mean of the items' ranges."""
    written(study, SMALL.replace('label = "A"', 'label = "A"\nmethod = "mean"'))
    table = scales.targets(scales.load_scale("small", study)).set_index("target")
    assert table.loc["a", "maximum"] == 4


def test_an_unknown_scale_gets_the_close_ones_suggested() -> None:
    """A misspelt id is an error that names what was probably meant, and all that is known."""
    with pytest.raises(ScaleError, match=r"no scale 'pans'. Did you mean panss.*Known: .*cains"):
        scales.load_scale("pans")


@pytest.mark.parametrize("name", ["", "..", "../panss", "/etc/passwd", "PANSS.toml"])
def test_a_path_is_no_scale(name: str) -> None:
    """An id that is a path never leaves the folders of the scales."""
    with pytest.raises(ScaleError, match="no scale"):
        scales.load_scale(name)


def test_a_study_may_add_and_replace_scales(study: Path) -> None:
    """A file in the study's protocols/scales comes before the shipped one."""
    written(study, SMALL)
    written(study, SMALL.replace('"small"', '"panss"'), "panss")
    assert {"small", "panss", "cains"} <= set(scales.list_scales(study))
    assert scales.load_scale("panss", study).codes == ("A1", "A2", "B1")
    assert len(scales.load_scale("panss").codes) == 30


def test_a_total_of_its_own_items(study: Path) -> None:
    """[total] may name its items; the range follows."""
    written(study, SMALL + 'items = ["A1", "B1"]\n')
    table = scales.targets(scales.load_scale("small", study)).set_index("target")
    assert table.loc["total", "maximum"] == 12


def test_allowed_values_leave_the_numbers_between_out(study: Path) -> None:
    """An item with anchors at 0, 2, 4, 6, 8 refuses 5; a whole-number item refuses 2.5."""
    written(study, SMALL)
    scale = scales.load_scale("small", study)
    assert [value for value in range(10) if scale.item("B1").accepts(value)] == [0, 2, 4, 6, 8]
    assert not scale.item("A1").accepts(2.5)
    assert not scale.item("A1").accepts(float("nan"))
    assert scale.item("B1").range_text == "0, 2, 4, 6, 8"


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
    study: Path, old: str, new: str, problem: str
) -> None:
    """`check` says what is wrong and what is allowed, and the file is not loaded."""
    assert old in SMALL
    path = written(study, SMALL.replace(old, new, 1))
    assert scales.check(path)
    with pytest.raises(ScaleError, match=problem):
        scales.load_scale("small", study)


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
def test_a_prorating_rule_must_make_sense(study: Path, table: str, problem: str) -> None:
    """Missing items stand for a mean only within a score whose items have one range."""
    path = written(study, f'{SMALL}\n[prorating]\nsource = "none"\n{table}')
    assert any(problem in text for text in scales.check(path))


def test_bands_and_points_stay_inside_the_range(study: Path) -> None:
    """Bands of a set do not overlap, and no band or point lies outside its score's range."""
    band = '[[bands]]\nband_set = "X"\ntarget = "a"\nsource = "none"\n'
    point = '[[reference_points]]\ntarget = "z"\nlabel = "ill"\nvalue = 1\n'
    text = (
        f'{band}label = "low"\nminimum = 0\nmaximum = 4\n'
        f'{band}label = "high"\nminimum = 4\nmaximum = 9\n{point}'
    )
    assert scales.check(written(study, f"{SMALL}\n{text}")) == [
        "band high: 9 is outside the range 0-8 of a",
        "point ill: there is no item or score 'z'",
        "bands low and high of set X overlap",
    ]


def test_all_mistakes_are_named_at_once(study: Path) -> None:
    """`check` does not stop at the first mistake."""
    text = SMALL.replace('version = "1"', "").replace("maximum = 8", 'maximum = "8"')
    assert len(scales.check(written(study, text))) == 2


def test_a_misspelt_key_hides_no_other_mistake(study: Path) -> None:
    """What a key is called and what the scale says are two things, and both are told."""
    text = SMALL.replace('label = "first"', 'label = "first", anker = "x"')
    text = text.replace('["A1", "A2"]', '["A1", "A9"]').replace(
        'version = "1"', "version = '1'\nfoo = 1"
    )
    band = '[[bands]]\nband_set = "X"\ntarget = "total"\nsource = "s"\nlabel = "low"\n'
    found = scales.check(written(study, f"{text}\n{band}minimum = 5\nmaximum = 99\n"))
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
def test_a_difference_is_of_scores_that_are_there(study: Path, table: str, problem: str) -> None:
    """Both of its parts are subscales or the total."""
    path = written(study, f'{SMALL}\n[[differences]]\nid = "d"\nlabel = "D"\n{table}\n')
    assert any(problem in text for text in scales.check(path))


def test_a_difference_has_the_range_of_its_parts(study: Path) -> None:
    """The lowest is lowest minus highest; it stands before the total."""
    text = '[[differences]]\nid = "d"\nlabel = "D"\nplus = "total"\nminus = "a"\n'
    written(study, f"{SMALL}\n{text}")
    table = scales.targets(scales.load_scale("small", study))
    assert table["target"].tolist()[-3:] == ["a", "d", "total"]
    assert table.iloc[-2].tolist() == ["d", "subscale", "D", -8, 16]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('targets = ["Z"]\nminimum = 1', "criterion c: there is no item or score 'Z'"),
        ('targets = ["a"]\nminimum = 9', "criterion c: 9 is outside the range 0-8 of a"),
        ('targets = ["a"]', "criterion c: give minimum, maximum or both"),
        ('targets = ["a"]\nminimum = 3\nmaximum = 2', "criterion c: minimum is above maximum"),
        ("targets = []\nminimum = 3", "criterion c: there are no targets"),
    ],
)
def test_a_criterion_must_make_sense(study: Path, table: str, problem: str) -> None:
    """Its targets are there, and its limits lie within their range."""
    head = '[[criteria]]\nid = "c"\nlabel = "C"\nsource = "none"\n'
    assert problem in scales.check(written(study, f"{SMALL}\n{head}{table}\n"))


def test_two_criteria_need_two_names(study: Path) -> None:
    """An id stands for one criterion."""
    one = '[[criteria]]\nid = "c"\nlabel = "C"\nsource = "s"\ntargets = ["a"]\nminimum = 3\n'
    found = scales.check(written(study, f"{SMALL}\n{one}{one}"))
    assert found == ["c: two criteria have this name"]


def test_a_percent_change_is_for_scales_where_higher_is_worse(study: Path) -> None:
    """Where higher is better, the lowest score is the worst and no floor."""
    text = SMALL.replace("worse", "better").replace(
        'version = "1"', 'version = "1"\npercent_change_floor = 0'
    )
    (problem,) = scales.check(written(study, text))
    assert "where higher is better there is none" in problem


def test_a_code_that_counts_zero_is_allowed_and_told(study: Path) -> None:
    """The range in words names the code, so that a message about a wrong rating does."""
    written(study, SMALL.replace('code = "A2"', 'code = "A2", counts_zero = [9]'))
    item = scales.load_scale("small", study).item("A2")
    assert item.accepts(9)
    assert not item.accepts(8)
    assert item.range_text == "0-4, or 9 (not assessed: 0 in scores)"


def test_a_code_that_counts_zero_needs_a_zero(study: Path) -> None:
    """On an item of 1-4 a 0 would be no rating."""
    text = SMALL.replace('label = "second", minimum = 0', 'label = "second", minimum = 1')
    text = text.replace('code = "A2"', 'code = "A2", counts_zero = [9]')
    assert scales.check(written(study, text)) == ["item A2: counts_zero, but 0 lies outside 1-4"]


def test_a_scale_of_one_item_needs_no_scores(study: Path) -> None:
    """A global impression is a scale of one item without subscales or total."""
    head = SMALL[: SMALL.index("items")].replace("worse", "better")
    item = 'items = [{ code = "GAF", label = "Functioning", minimum = 1, maximum = 100 }]\n'
    written(study, f"{head}not_assessed = [0]\n{item}")
    table = scales.targets(scales.load_scale("small", study))
    assert table.to_numpy().tolist() == [["GAF", "item", "Functioning", 1, 100]]


def test_a_description_says_what_is_unverified() -> None:
    """What nobody checked against the paper is said wherever a scale is shown."""
    text = "\n".join(scales.describe(scales.load_scale("panss")))
    assert "marder_disorganized: sum of P2 N5" in text
    assert "disagrees on this factor" in text
    assert "(baseline - 30)" in text
    assert "composite: positive minus negative" in text
    assert "total: sum of all items" in text
    assert "at most 3, for 6 months (not judged here)" in text


def test_a_description_says_what_is_special() -> None:
    """Items with gaps, two names or codes, bands by set, codes for not assessed: all are told."""
    hamd = "\n".join(scales.describe(scales.load_scale("hamd_17")))
    assert "item 16: also called 16a or 16b, of which at most one is rated" in hamd
    assert "bands zimmerman-2013: total 0-7 none, 8-16 mild" in hamd
    assert "item 5: allowed 0, 2, 4, 6, 8" in scales.describe(scales.load_scale("ymrs"))
    assert "not assessed: 0 (read as missing)" in scales.describe(scales.load_scale("gaf"))
    bprs = scales.describe(scales.load_scale("bprs_18"))
    assert any(line.startswith("reference points, not edges of bands") for line in bprs)


def test_scores_of_one_origin_share_its_lines(study: Path) -> None:
    """A source that holds for a run of scores is told once, after the last of them."""
    source = 'source = "a paper"\n'
    other = '[[subscales]]\nid = "b"\nlabel = "B"\nitems = ["B1"]\n'
    written(study, SMALL.replace("[total]", f"{source}{other}{source}[total]"))
    lines = scales.describe(scales.load_scale("small", study))
    place = lines.index("a: sum of A1 A2")
    assert lines[place : place + 3] == ["a: sum of A1 A2", "b: sum of B1", "  source: a paper"]


def test_the_overview_has_a_row_a_scale_and_names_what_is_broken(study: Path) -> None:
    """A file of the study that is wrong does not hide the others."""
    written(study, SMALL)
    written(study, "nonsense", "broken")
    table = scales.overview(study).set_index("id")
    assert table.loc["panss"].tolist()[:2] == ["30", "30-210"]
    assert table.loc["cains", "total"] == ""
    assert table.loc["small", "name"] == "A small scale"
    assert "cannot be used" in table.loc["broken", "name"]


def test_the_example_of_the_guide_is_a_sound_scale(tmp_path: Path) -> None:
    """What docs/scales.md tells researchers to write passes the check, every key in use."""
    guide = Path(__file__).parents[1] / "docs" / "scales.md"
    example = guide.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    assert scales.check(path) == []
    assert set(tomllib.loads(example)) == {field.name for field in fields(scales.Scale)}
