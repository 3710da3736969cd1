"""The shipped scales against the published facts, and every way to write a scale file wrongly."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from emoclip_clinic import scales
from emoclip_clinic.errors import ScaleError

SHIPPED = Path(__file__).parents[1] / "protocols" / "scales"

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


def ranges(scale_id: str) -> dict[str, tuple[float, float]]:
    table = scales.targets(scales.load_scale(scale_id)).set_index("target")
    return {name: (row["minimum"], row["maximum"]) for name, row in table.iterrows()}


def items_of(scale_id: str, score_id: str) -> set[str]:
    scale = scales.load_scale(scale_id)
    return set(next(score.items for score in scale.scores if score.id == score_id))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Give an empty study folder with a place for its own scales."""
    (tmp_path / "protocols" / "scales").mkdir(parents=True)
    return tmp_path


def written(study: Path, text: str, name: str = "small") -> Path:
    path = study / "protocols" / "scales" / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_scale_is_sound_and_says_its_sources(path: Path) -> None:
    """A scale of the package passes its own check and names sources and what is unverified."""
    assert scales.check(path) == []
    scale = scales.load_scale(path.stem)
    assert scale.reference
    assert scale.licence
    assert scale.sources
    assert scale.unverified


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_no_anchor_text_is_shipped(path: Path) -> None:
    """Labels are a few words: the anchors belong to the publishers."""
    for item in tomllib.loads(path.read_text(encoding="utf-8"))["items"]:
        assert len(item["label"].split()) <= 5


def test_panss_has_the_published_ranges() -> None:
    """Kay 1987: 7-49, 7-49, 16-112 and 30-210; the Marder factors 8/7/7/4/4 items of 1-7."""
    found = ranges("panss")
    assert found["N1"] == (1, 7)
    assert len(scales.load_scale("panss").items) == 30
    assert found["positive"] == found["negative"] == (7, 49)
    assert found["general"] == (16, 112)
    assert found["total"] == (30, 210)
    assert found["marder_positive"] == (8, 56)
    assert found["marder_negative"] == found["marder_disorganized"] == (7, 49)
    assert found["marder_excited"] == found["marder_anxious"] == (4, 28)


def test_marder_factors_are_a_partition_of_the_items() -> None:
    """Each of the 30 items is in one Marder factor (a Wallwork factor set covers only 20)."""
    scale = scales.load_scale("panss")
    factors = [score.items for score in scale.subscales if score.id.startswith("marder_")]
    assert len(factors) == 5
    assert sorted(code for items in factors for code in items) == sorted(scale.codes)


def test_marder_negative_is_not_the_negative_subscale() -> None:
    """Marder adds G7 and G16 and leaves out N5 (disorganized) and N7 (positive)."""
    subscale, factor = items_of("panss", "negative"), items_of("panss", "marder_negative")
    assert factor - subscale == {"G7", "G16"}
    assert subscale - factor == {"N5", "N7"}
    assert "N5" in items_of("panss", "marder_disorganized")
    assert {"N7", "G1", "G12"} < items_of("panss", "marder_positive")


def test_panss_percent_change_begins_at_thirty() -> None:
    """The floor of percent change is the total of a person without symptoms."""
    assert scales.load_scale("panss").percent_change_floor == ranges("panss")["total"][0] == 30


def test_panss_reference_points_are_no_bands() -> None:
    """The totals linked to the CGI (58, 75, 95, 116) are points; no band is made of them."""
    scale = scales.load_scale("panss")
    assert [point.value for point in scale.reference_points] == [58, 75, 95, 116]
    assert scale.bands == ()


def test_cains_has_map_and_exp() -> None:
    """Kring 2013: 13 items, MAP 9 (0-36) and EXP 4 (0-16); item 5 is work, item 10 the face."""
    scale, found = scales.load_scale("cains"), ranges("cains")
    assert len(scale.items) == 13
    assert found["10"] == (0, 4)
    assert found["map"] == (0, 36)
    assert found["exp"] == (0, 16)
    assert scale.total is None
    assert "work" in scale.item("5").label.lower()
    assert "facial" in scale.item("10").label.lower()
    assert items_of("cains", "map").isdisjoint(items_of("cains", "exp"))


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
            'version = "1"\npercent_change_floor = 17',
            "the total runs from 0 to 16",
        ),
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


def test_the_example_of_the_guide_is_a_sound_scale(tmp_path: Path) -> None:
    """What docs/scales.md tells researchers to write passes the check, every key in use."""
    guide = Path(__file__).parents[1] / "docs" / "scales.md"
    example = guide.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    assert scales.check(path) == []
    assert set(tomllib.loads(example)) == {field.name for field in fields(scales.Scale)}
