"""Columns that are items: by study.toml, by code, by label, or refused."""

from __future__ import annotations

import random

import pytest

from emoclip_clinic.item_columns import ItemColumns, find_columns, mapped_items
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.scale import Item, Scale
from emoclip_clinic.scales import load_scale
from emoclip_clinic.sheets import Column, Sheet
from tests.rating_scales import BPRS, HAMD17, PHQ9, make_scale

PANSS = load_scale("panss")
BDI = make_scale("bdi_2", [Item(str(n), f"Symptom {n}", 0, 3) for n in range(1, 22)], "BDI-II")


def find(
    scale: Scale,
    headings: list[str],
    columns: dict[str, str] | None = None,
    said: dict[str, Column] | None = None,
) -> ItemColumns:
    about = tuple((said or {}).get(heading, Column()) for heading in headings)
    names = ItemNames(scale)
    mapped, problems = mapped_items(columns or {}, names)
    assert problems == []
    return find_columns(Sheet("f.csv", tuple(headings), (), about), names, mapped, ())


def codes(found: ItemColumns) -> dict[int, str]:
    return {number: item.code for number, item in found.items.items()}


@pytest.mark.parametrize(
    ("scale", "headings"),
    [
        (PANSS, ["P{}", "N{}", "G{}"]),
        (PANSS, ["panss_p0{}", "PANSS N{}", "item_g{}"]),
        (HAMD17, ["{}", "hamd{}", "HAMD_q{}", "hamd_17_{}", "hamilton{}", "Hamilton 0{}"]),
        (BPRS, ["bprs{}", "bprs_24_{}", "BPRS-{}", "item{}"]),
        (PHQ9, ["phq{}", "phq9_{}", "PHQ-9 item 0{}", "phq_q{}"]),
    ],
)
def test_an_item_is_its_code_after_any_name_of_the_scale(scale: Scale, headings: list[str]) -> None:
    """Id, abbreviation, either without its number, or the first long word of the name."""
    for pattern in headings:
        found = find(scale, [pattern.format(n) for n in (1, 2, 3)])
        assert [code[-1] for code in codes(found).values()] == ["1", "2", "3"], pattern
        assert found.problems == []


@pytest.mark.parametrize("scale", [PANSS, HAMD17, BPRS, PHQ9, BDI], ids=lambda scale: scale.id)
@pytest.mark.parametrize("prefix", ["{id}_", "", "{letters}"])
def test_shuffled_columns_are_found_as_they_are_called(scale: Scale, prefix: str) -> None:
    """The order of the columns means nothing, also where "bdi21" could be 1 of the BDI-2."""
    start = prefix.format(id=scale.id, letters=scale.id.split("_")[0])
    order = list(scale.codes)
    random.Random(scale.id).shuffle(order)
    found = find(scale, [start + code for code in order])
    assert codes(found) == dict(enumerate(order))
    assert found.problems == []


def test_the_name_of_the_scale_is_its_total_unless_its_neighbours_are_items() -> None:
    """hamd_17 beside q1 is a total, bprs24 beside bprs1 and bprs2 the last item."""
    found = find(HAMD17, ["1", "2", "hamd_17", "hamd_21"])
    assert codes(found) == {0: "1", 1: "2"}
    assert found.scores == {2: "total"}
    assert found.others == ["hamd_21"]
    assert codes(find(BPRS, ["bprs1", "bprs24"])) == {0: "1", 1: "24"}
    found = find(BPRS, ["bprs1", "bprs_total", "bprs_depanx", "SumScore"])
    assert found.scores == {1: "total", 2: "depanx", 3: "total"}


def test_labels_find_what_codes_do_not() -> None:
    """The label as heading, as what the file says, or a number at both ends."""
    said = {"v7": Column("Blunted affect"), "v8": Column("P1. Delusions")}
    found = find(PANSS, ["v7", "v8", "Hostility"], said=said)
    assert codes(found) == {0: "N1", 1: "P1", 2: "P7"}
    said = {"x_7": Column("7. Work and activities"), "y_8": Column("3. Suicide"), "z9": Column("9")}
    assert codes(find(HAMD17, ["x_7", "y_8", "z9"], said=said)) == {0: "7"}


def test_a_heading_and_a_label_that_disagree_are_ambiguous() -> None:
    """Another numbering of the form shows in the labels: nobody guesses which is meant."""
    found = find(PANSS, ["N2"], said={"N2": Column("Blunted affect")})
    assert found.items == {}
    (problem,) = found.problems
    assert "column N2 can be PANSS item N2 (Emotional withdrawal) or N1 (Blunted affect)" in problem
    assert 'columns = {"N2" = "N2"}' in problem
    mapped = find(PANSS, ["N2"], {"n2": "N1"}, {"N2": Column("Blunted affect")})
    assert codes(mapped) == {0: "N1"}


def test_study_toml_has_the_last_word() -> None:
    """A mapped column is what it says; another that looks like the same item is left out."""
    mapping = {"Item1_num": "1", "item2_NUM": "2", "hamd_q3": "hamd_17.3", "N": ""}
    found = find(PHQ9, ["Item1", "Item1_num", "Item2", "Item2_num", "hamd_q3", "Item3"], mapping)
    assert codes(found) == {1: "1", 3: "2", 5: "3"}
    assert found.others == ["Item1", "Item2", "hamd_q3"]
    assert found.problems == []


def test_a_mapping_to_no_item_is_refused() -> None:
    """A code that the named scale lacks is named with those that it has; other scales' are not."""
    names = ItemNames(PHQ9)
    mapped, problems = mapped_items({"a": "phq_9.10", "b": "panss.P1", "c": "10"}, names)
    assert mapped == dict.fromkeys("abc")
    assert len(problems) == 1
    assert "columns: a = 'phq_9.10'; PHQ-9 has the items 1, 2, 3" in problems[0]


def test_two_columns_for_one_item_are_named() -> None:
    """Both headings stand in the message, and neither is read; alternatives may both be there."""
    found = find(PANSS, ["P1", "panss_p01", "P2"])
    assert codes(found) == {2: "P2"}
    assert "columns P1 and panss_p01 are both PANSS item P1" in found.problems[0]
    found = find(HAMD17, ["hamd16a", "hamd16b"])
    assert codes(found) == {0: "16", 1: "16"}
    assert find(HAMD17, ["hamd16a", "hamd16b", "hamd16"]).problems


def test_columns_of_a_longer_version_are_refused_together() -> None:
    """One message has the line for study.toml that leaves them out."""
    found = find(HAMD17, ["hamd1", "hamd2", "hamd18", "hamd19"])
    (problem,) = found.problems
    assert "columns hamd18, hamd19 look like items" in problem
    assert 'columns = {"hamd18" = "", "hamd19" = ""}' in problem
    assert find(HAMD17, ["hamd1", "hamd2", "hamd18"], {"hamd18": ""}).problems == []


def test_a_column_that_the_file_computed_is_no_item() -> None:
    """Derivative columns and boxes of a checkbox are no items, unless study.toml says so."""
    said = {"bprs3": Column(no_item=True)}
    assert codes(find(BPRS, ["bprs1", "bprs2", "bprs3"], said=said)) == {0: "1", 1: "2"}
    found = find(BPRS, ["bprs1", "bprs2", "bprs3"], {"bprs3": "3"}, said)
    assert codes(found) == {0: "1", 1: "2", 2: "3"}


@pytest.mark.parametrize(
    ("column", "problem", "note"),
    [
        (Column(minimum=1, maximum=7), "", ""),
        (Column(minimum=0, maximum=6), "runs from 0 to 6 by the file's dictionary", ""),
        (Column(minimum=1, maximum=8), "", "runs from 1 to 8"),
        (Column(levels={str(n): "" for n in range(7)}), "from 0 to 6", ""),
        (Column(levels={str(n): "" for n in (-9, *range(1, 8))}), "", ""),
        (Column(levels={"1": "absent", "x": "?"}), "", ""),
    ],
)
def test_the_dictionary_is_compared_with_the_scale(column: Column, problem: str, note: str) -> None:
    """Another lowest rating is an error; another highest one a note; a part of the labels none."""
    names = ItemNames(PANSS)
    sheet = Sheet("f.tsv", ("P1",), (), (column,))
    found = find_columns(sheet, names, {}, (), not_rated=(-9.0,))
    assert bool(found.problems) == bool(problem)
    assert problem in "".join(found.problems)
    assert bool(found.notes) == bool(note)
    assert note in "".join(found.notes)
