"""Scale files: listed, loaded, described."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from emoclip_clinic import scales
from emoclip_clinic.errors import ScaleError
from tests.small_scale import SMALL, written


def test_targets_come_in_the_order_of_the_scale(tmp_path: Path) -> None:
    """Items first, then subscales, then the total, with ranges made from the items."""
    written(tmp_path, SMALL)
    table = scales.targets(scales.load_scale("small", tmp_path))
    assert table["target"].tolist() == ["A1", "A2", "B1", "a", "total"]
    assert table["kind"].tolist() == ["item", "item", "item", "subscale", "total"]
    assert table["maximum"].tolist() == [4, 4, 8, 8, 16]


def test_a_mean_has_the_range_of_its_items(tmp_path: Path) -> None:
    """The range of a mean score is the mean of the items' ranges."""
    written(tmp_path, SMALL.replace('label = "A"', 'label = "A"\nmethod = "mean"'))
    table = scales.targets(scales.load_scale("small", tmp_path)).set_index("target")
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


def test_a_study_may_add_and_replace_scales(tmp_path: Path) -> None:
    """A file in the study's protocols/scales comes before the shipped one."""
    written(tmp_path, SMALL)
    written(tmp_path, SMALL.replace('"small"', '"panss"'), "panss")
    assert {"small", "panss", "cains"} <= set(scales.list_scales(tmp_path))
    assert scales.load_scale("panss", tmp_path).codes == ("A1", "A2", "B1")
    assert len(scales.load_scale("panss").codes) == 30


def test_a_total_of_its_own_items(tmp_path: Path) -> None:
    """[total] may name its items; the range follows."""
    written(tmp_path, SMALL + 'items = ["A1", "B1"]\n')
    table = scales.targets(scales.load_scale("small", tmp_path)).set_index("target")
    assert table.loc["total", "maximum"] == 12


def test_allowed_values_leave_the_numbers_between_out(tmp_path: Path) -> None:
    """An item with anchors at 0, 2, 4, 6, 8 refuses 5; a whole-number item refuses 2.5."""
    written(tmp_path, SMALL)
    scale = scales.load_scale("small", tmp_path)
    assert [value for value in range(10) if scale.item("B1").accepts(value)] == [0, 2, 4, 6, 8]
    assert not scale.item("A1").accepts(2.5)
    assert not scale.item("A1").accepts(float("nan"))
    assert scale.item("B1").range_text == "0, 2, 4, 6, 8"


def test_a_difference_has_the_range_of_its_parts(tmp_path: Path) -> None:
    """The lowest is lowest minus highest; it stands before the total."""
    text = '[[differences]]\nid = "d"\nlabel = "D"\nplus = "total"\nminus = "a"\n'
    written(tmp_path, f"{SMALL}\n{text}")
    table = scales.targets(scales.load_scale("small", tmp_path))
    assert table["target"].tolist()[-3:] == ["a", "d", "total"]
    assert table.iloc[-2].tolist() == ["d", "subscale", "D", -8, 16]


def test_a_code_that_counts_zero_is_allowed_and_told(tmp_path: Path) -> None:
    """The range in words names the code, so that a message about a wrong rating does."""
    written(tmp_path, SMALL.replace('code = "A2"', 'code = "A2", counts_zero = [9]'))
    item = scales.load_scale("small", tmp_path).item("A2")
    assert item.accepts(9)
    assert not item.accepts(8)
    assert item.range_text == "0-4, or 9 (not assessed: 0 in scores)"


def test_a_scale_of_one_item_needs_no_scores(tmp_path: Path) -> None:
    """A global impression is a scale of one item without subscales or total."""
    head = SMALL[: SMALL.index("items")].replace("worse", "better")
    item = 'items = [{ code = "GAF", label = "Functioning", minimum = 1, maximum = 100 }]\n'
    written(tmp_path, f"{head}not_assessed = [0]\n{item}")
    table = scales.targets(scales.load_scale("small", tmp_path))
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


def test_scores_of_one_origin_share_its_lines(tmp_path: Path) -> None:
    """A source that holds for a run of scores is told once, after the last of them."""
    source = 'source = "a paper"\n'
    other = '[[subscales]]\nid = "b"\nlabel = "B"\nitems = ["B1"]\n'
    written(tmp_path, SMALL.replace("[total]", f"{source}{other}{source}[total]"))
    lines = scales.describe(scales.load_scale("small", tmp_path))
    place = lines.index("a: sum of A1 A2")
    assert lines[place : place + 3] == ["a: sum of A1 A2", "b: sum of B1", "  source: a paper"]


def test_the_overview_has_a_row_a_scale_and_names_what_is_broken(tmp_path: Path) -> None:
    """A file of the study that is wrong does not hide the others."""
    written(tmp_path, SMALL)
    written(tmp_path, "nonsense", "broken")
    table = scales.overview(tmp_path).set_index("id")
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
