"""The shipped scales against published facts, typed by hand, and against the known confusions."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from emoclip_clinic import scales
from emoclip_clinic.scale import Scale

SHIPPED = Path(__file__).parents[1] / "protocols" / "scales"
IDS = sorted(path.stem for path in SHIPPED.glob("*.toml"))

# number of items, then the published range of each score: typed from the fact sheet
FACTS: dict[str, tuple[int, dict[str, tuple[float, float]]]] = {
    "panss": (30, {
        "positive": (7, 49), "negative": (7, 49), "general": (16, 112), "total": (30, 210),
        "composite": (-42, 42),
        "marder_negative": (7, 49), "marder_positive": (8, 56), "marder_disorganized": (7, 49),
        "marder_excited": (4, 28), "marder_anxious": (4, 28),
        "wallwork_positive": (4, 28), "wallwork_negative": (6, 42),
        "wallwork_disorganized": (3, 21), "wallwork_excited": (4, 28),
        "wallwork_depressed": (3, 21),
    }),
    "cains": (13, {"map": (0, 36), "exp": (0, 16)}),
    "bnss": (13, {
        "anhedonia": (0, 18), "asociality": (0, 12), "avolition": (0, 12),
        "blunted_affect": (0, 18), "alogia": (0, 12), "total": (0, 78), "total_12": (0, 72),
        "map": (0, 42), "exp": (0, 30),
    }),
    "sans_25": (25, {
        "affect": (0, 35), "alogia": (0, 20), "avolition": (0, 15), "anhedonia": (0, 20),
        "attention": (0, 10), "global_sum": (0, 25), "item_sum": (0, 100), "all_sum": (0, 125),
    }),
    "sans_24": (24, {
        "affect": (0, 30), "alogia": (0, 20), "avolition": (0, 15), "anhedonia": (0, 20),
        "attention": (0, 10), "global_sum": (0, 25), "item_sum": (0, 95), "all_sum": (0, 120),
    }),
    "sans_la5c": (24, {
        "affect": (0, 5), "alogia": (0, 5), "avolition": (0, 5), "anhedonia": (0, 5),
        "attention": (0, 5), "global_sum": (0, 25),
    }),
    "saps": (34, {
        "hallucinations": (0, 30), "delusions": (0, 60), "bizarre_behaviour": (0, 20),
        "thought_disorder": (0, 40), "global_sum": (0, 20), "item_sum": (0, 150),
        "all_sum": (0, 170),
    }),
    "bprs_18": (18, {
        "anxiety_depression": (4, 28), "anergia": (4, 28), "thought_disturbance": (4, 28),
        "activation": (3, 21), "hostile_suspicious": (3, 21), "total": (18, 126),
    }),
    "bprs_24": (24, {
        "total": (24, 168),
        "dazzi_affect": (4, 28), "dazzi_positive": (4, 28), "dazzi_negative": (3, 21),
        "dazzi_activation": (4, 28), "dazzi_disorganized": (4, 28),
        "shafer_affect": (3, 21), "shafer_positive": (3, 21), "shafer_negative": (3, 21),
        "shafer_activation": (3, 21), "shafer_disorganized": (3, 21),
        "cnp_positive": (1, 7), "cnp_negative": (1, 7), "cnp_mania": (1, 7),
        "cnp_depression_anxiety": (1, 7),
    }),
    "cdss": (9, {"total": (0, 27)}),
    "hamd_17": (17, {"total": (0, 52)}),
    "madrs": (10, {"total": (0, 60)}),
    "ymrs": (11, {"total": (0, 60)}),
    "phq_9": (10, {"total": (0, 27)}),
    "phq_8": (8, {"total": (0, 24)}),
    "bdi_ii": (21, {"total": (0, 63)}),
    "gad_7": (7, {"total": (0, 21)}),
    "hama": (14, {"psychic": (0, 28), "somatic": (0, 28), "total": (0, 56)}),
    "cgi_s": (1, {}),
    "gaf": (1, {}),
    "sofas": (1, {}),
}  # fmt: skip


def load(scale_id: str) -> Scale:
    return scales.load_scale(scale_id)


def ranges(scale_id: str) -> dict[str, tuple[float, float]]:
    table = scales.targets(load(scale_id)).set_index("target")
    return {name: (row["minimum"], row["maximum"]) for name, row in table.iterrows()}


def items_of(scale_id: str, score_id: str) -> set[str]:
    scale = load(scale_id)
    return set(next(score.items for score in scale.scores if score.id == score_id))


@pytest.mark.parametrize("scale_id", IDS)
def test_every_shipped_scale_is_sound_and_says_its_sources(scale_id: str) -> None:
    """A scale of the package passes its own check and names sources and what is unverified."""
    assert scales.check(SHIPPED / f"{scale_id}.toml") == []
    scale = load(scale_id)
    assert scale.reference
    assert scale.licence
    assert scale.sources
    assert scale.unverified


@pytest.mark.parametrize("scale_id", IDS)
def test_no_anchor_text_is_shipped(scale_id: str) -> None:
    """Labels are a few words: the anchors belong to the publishers."""
    text = (SHIPPED / f"{scale_id}.toml").read_text(encoding="utf-8")
    for item in tomllib.loads(text)["items"]:
        assert len(item["label"].split()) <= 5


@pytest.mark.parametrize("scale_id", IDS)
def test_items_and_ranges_are_the_published_ones(scale_id: str) -> None:
    """Every score of every file has the range that the fact sheet prints."""
    n_items, published = FACTS[scale_id]
    scale, found = load(scale_id), ranges(scale_id)
    assert len(scale.items) == n_items
    assert {part.id: found[part.id] for part in scale.parts} == published


@pytest.mark.parametrize("scale_id", IDS)
def test_a_missing_rule_and_every_unverified_score_are_named(scale_id: str) -> None:
    """There is a prorating rule with its source, or the file says that none was seen."""
    scale = load(scale_id)
    said = " ".join((*scale.unverified, *scale.notes))
    assert scale.prorating or not scale.parts or "Missing items" in said
    assert (scale.prorating is not None) == (scale_id == "phq_9")


@pytest.mark.parametrize("scale_id", IDS)
def test_bands_of_a_set_share_out_the_whole_range(scale_id: str) -> None:
    """No whole score of a shipped set is in two bands or in none."""
    scale = load(scale_id)
    for name in scale.band_sets:
        own = [band for band in scale.bands if band.band_set == name]
        assert {band.target for band in own} == {"total"}
        assert (own[0].minimum, own[-1].maximum) == ranges(scale_id)["total"]
        assert all(high.minimum == low.maximum + 1 for low, high in pairwise(own))


@pytest.mark.parametrize("scale_id", IDS)
def test_no_shipped_scale_has_reverse_items(scale_id: str) -> None:
    """None of these scales reverses an item; GAF and SOFAS are turned round as a whole."""
    scale = load(scale_id)
    assert not any(item.reverse for item in scale.items)
    assert (scale.direction == "higher is better") == (scale_id in {"gaf", "sofas"})


def test_percent_change_begins_at_the_lowest_total() -> None:
    """Trap 1: 30 on the PANSS, 18 and 24 on the BPRS, 0 where items begin at 0."""
    floors = {scale_id: load(scale_id).percent_change_floor for scale_id in IDS}
    assert floors.pop("panss") == 30
    assert floors.pop("bprs_18") == 18
    assert floors.pop("bprs_24") == 24
    assert [floors.pop(name) for name in ("cgi_s", "gaf", "sofas")] == [None] * 3
    assert set(floors.values()) == {0}


def test_marder_factors_are_a_partition_and_wallwork_factors_are_not() -> None:
    """Trap 2: Marder shares out 30 items; what covers 20 is Wallwork, whatever it is called."""
    scale = load("panss")
    for set_id, n_items in (("marder_", 30), ("wallwork_", 20)):
        factors = [score.items for score in scale.subscales if score.id.startswith(set_id)]
        codes = [code for items in factors for code in items]
        assert len(factors) == 5
        assert len(codes) == len(set(codes)) == n_items
    assert "G9" in items_of("panss", "wallwork_positive")
    assert "P6" not in items_of("panss", "wallwork_positive")


def test_three_negative_scores_of_the_panss() -> None:
    """Trap 3: Marder adds G7 and G16 and drops N5 and N7; Wallwork is Marder without G16."""
    subscale, marder = items_of("panss", "negative"), items_of("panss", "marder_negative")
    assert marder - subscale == {"G7", "G16"}
    assert subscale - marder == {"N5", "N7"}
    assert marder - items_of("panss", "wallwork_negative") == {"G16"}
    assert items_of("panss", "wallwork_negative") < marder
    assert "N5" in items_of("panss", "marder_disorganized")
    assert {"N7", "G1", "G12"} < items_of("panss", "marder_positive")


@pytest.mark.parametrize(
    ("scale_id", "points"),
    [
        ("panss", [58, 75, 95, 116]),
        ("bprs_18", [31, 41, 53]),
        ("ymrs", [6, 12, 20, 30, 40, 52]),
    ],
)
def test_points_linked_to_the_cgi_are_no_bands(scale_id: str, points: list[float]) -> None:
    """Trap 4: they are points, and no band is made of them."""
    scale = load(scale_id)
    assert [point.value for point in scale.reference_points] == points
    assert scale.bands == ()


def test_ymrs_items_with_double_weight() -> None:
    """Trap 5: items 5, 6, 8 and 9 take 0, 2, 4, 6, 8; the others 0-4; 5 and 10 are refused."""
    scale = load("ymrs")
    double = {item.code for item in scale.items if item.allowed}
    assert double == {"5", "6", "8", "9"}
    assert all(scale.item(code).allowed == (0, 2, 4, 6, 8) for code in double)
    assert not scale.item("9").accepts(5)
    assert not scale.item("9").accepts(10)
    assert not scale.item("1").accepts(6)


def test_hamd_counts_weight_once_and_ends_at_item_17() -> None:
    """Trap 6: 16a and 16b are ways to rate item 16; nine items 0-4, eight 0-2; three band sets."""
    scale = load("hamd_17")
    assert scale.codes == tuple(str(number) for number in range(1, 18))
    assert scale.item("16").alternatives == ("16a", "16b")
    assert sorted(item.maximum for item in scale.items) == [2] * 8 + [4] * 9
    assert scale.item("9").maximum == 4
    assert scale.band_sets == ("A", "zimmerman-2013", "rush-2003")
    assert all(band.source for band in scale.bands)


def test_versions_of_the_sans_have_their_own_numbers() -> None:
    """Trap 7: globals stand at other numbers, one form has means, none is the default."""
    assert items_of("sans_25", "global_sum") == {"8", "13", "17", "22", "25"}
    assert items_of("sans_24", "global_sum") == {"7", "12", "16", "21", "24"}
    assert items_of("sans_la5c", "global_sum") == {"7", "11", "16", "21", "24"}
    assert items_of("saps", "global_sum") == {"7", "20", "25", "34"}
    means = {part.id for part in load("sans_la5c").subscales if part.method == "mean"}
    assert means == {"affect", "alogia", "avolition", "anhedonia", "attention"}
    for scale_id in ("sans_25", "sans_24", "saps"):
        sums = items_of(scale_id, "global_sum"), items_of(scale_id, "item_sum")
        assert sums[0].isdisjoint(sums[1])
        assert sums[0] | sums[1] == items_of(scale_id, "all_sum") == set(load(scale_id).codes)
        assert load(scale_id).total is None
        assert all("global" in load(scale_id).item(code).label for code in sums[0])
    labels = [{item.label for item in load(name).items} for name in ("sans_25", "sans_24")]
    assert labels[0] - labels[1] == {"Inappropriate affect"}


def test_bprs_numbers_mean_other_things_in_its_two_versions() -> None:
    """Trap 8: item 4 is disorganization in one and suicidality in the other; 0 is no rating."""
    assert load("bprs_18").item("4").label == "Conceptual disorganization"
    assert load("bprs_24").item("4").label == "Suicidality"
    assert load("bprs_18").not_assessed == (0, 9)
    assert load("bprs_24").not_assessed == (0,)
    usual = [part.items for part in load("bprs_18").subscales]
    assert sorted(int(code) for items in usual for code in items) == list(range(1, 19))


def test_cdss_cut_off_is_above_six() -> None:
    """Trap 9: above 6 on nine items, so 7 or more."""
    (criterion,) = load("cdss").criteria
    assert (criterion.targets, criterion.above) == (("total",), 6)
    assert criterion.range_text == "above 6"
    assert load("cdss").bands == ()


def test_item_lists_of_cains_and_bnss() -> None:
    """Trap 10: item 5 is work, item 10 the face; distress is item 4 and in one total only."""
    cains = load("cains")
    assert "work" in cains.item("5").label.lower()
    assert "recreation" in cains.item("9").label.lower()
    assert "facial" in cains.item("10").label.lower()
    assert cains.total is None
    assert items_of("cains", "map").isdisjoint(items_of("cains", "exp"))
    bnss = load("bnss")
    assert "Distress" in bnss.item("4").label
    assert items_of("bnss", "total") - items_of("bnss", "total_12") == {"4"}
    assert items_of("bnss", "map") | items_of("bnss", "exp") == items_of("bnss", "total_12")


def test_bdi_has_the_bands_of_its_second_version() -> None:
    """Trap 11: 0-13, 14-19, 20-28, 29-63; items 16 and 18 end at 3 though they have 7 options."""
    scale = load("bdi_ii")
    assert [band.minimum for band in scale.bands] == [0, 14, 20, 29]
    assert not scale.item("16").accepts(4)
    assert not scale.item("18").accepts(6)


def test_phq_difficulty_is_outside_and_suicidality_stands_alone() -> None:
    """Trap 12: item 10 is in no score, item 9 is flagged above 0, PHQ-8 ends at 24."""
    assert items_of("phq_9", "total") == {str(number) for number in range(1, 10)}
    flagged = {part.id: (part.targets, part.range_text) for part in load("phq_9").criteria}
    assert flagged == {"cutoff_10": (("total",), "at least 10"), "item_9": (("9",), "above 0")}
    assert load("phq_8").codes == tuple(str(number) for number in range(1, 9))


@pytest.mark.parametrize("scale_id", ["cgi_s", "gaf", "sofas"])
def test_single_ratings_have_no_total(scale_id: str) -> None:
    """One item, no score, no percent change; 0 means not assessed."""
    scale = load(scale_id)
    assert scales.targets(scale)["kind"].tolist() == ["item"]
    assert scale.parts == ()
    assert scale.not_assessed == (0,)
    assert not scale.items[0].accepts(0)
    assert scale.percent_change_floor is None


def test_sentinels_are_ratings_nowhere() -> None:
    """Trap 14: -9999 and 99 are out of range everywhere; 3 is a code of HAM-D item 16 alone."""
    for scale_id in IDS:
        for item in load(scale_id).items:
            assert not item.accepts(-9999)
            assert not item.accepts(999)
            assert bool(item.counts_zero) == ((scale_id, item.code) == ("hamd_17", "16"))
    assert load("hamd_17").item("16").accepts(3)
    assert not load("hamd_17").item("17").accepts(3)


def test_hama_halves_share_out_its_items() -> None:
    """Psychic (1-6 and 14) and somatic (7-13) are a partition."""
    assert items_of("hama", "psychic") == {*"123456", "14"}
    assert items_of("hama", "somatic") == set(load("hama").codes) - items_of("hama", "psychic")


def test_remission_is_of_severity_and_names_its_duration() -> None:
    """Andreasen 2005: eight items, none above 3; the six months stand beside it."""
    (criterion,) = load("panss").criteria
    assert set(criterion.targets) == {"P1", "P2", "P3", "N1", "N4", "N6", "G5", "G9"}
    assert (criterion.minimum, criterion.maximum) == (None, 3)
    assert criterion.duration == "6 months"


@pytest.mark.parametrize("scale_id", IDS)
def test_the_guide_has_the_facts_of_every_scale(scale_id: str) -> None:
    """The table of docs/scales.md is not older than the files."""
    guide = (Path(__file__).parents[1] / "docs" / "scales.md").read_text(encoding="utf-8")
    (row,) = [line for line in guide.splitlines() if line.startswith(f"| `{scale_id}` |")]
    scale, span = load(scale_id), ranges(scale_id)
    floor = scale.percent_change_floor
    assert f"| {'–' if floor is None else f'{floor:g}'} |" in row
    assert all(f"`{name}`" in row for name in scale.band_sets)
    if scale.total is not None:
        assert f"total {span['total'][0]:g}–{span['total'][1]:g}" in row
