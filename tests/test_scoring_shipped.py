"""Scores of every shipped scale: what must hold for whatever is rated, and real data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.ratings import COLUMNS, read_ratings, template
from emoclip_clinic.scale import Item, Prorating, Scale
from emoclip_clinic.scales import list_scales, load_scale, targets
from emoclip_clinic.scoring import bands, consensus, criteria, percent_changes, score

IDS = list_scales()
PHQ, HAMD, PANSS = load_scale("phq_9"), load_scale("hamd_17"), load_scale("panss")


def tidy(scale: Scale, sheet: Mapping[str, float | None], **keys: str) -> pd.DataFrame:
    own = {"participant": "1", "session": "01", "rater": "A"} | keys
    rows = [
        (own["participant"], own["session"], own["rater"], scale.id, code, float(value))
        for code, value in sheet.items()
        if value is not None
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def scored(scale: Scale, sheet: Mapping[str, float | None]) -> dict[str, float]:
    table = score(tidy(scale, sheet), scale)
    return dict(zip(table["target"], table["value"], strict=True))


def answers(item: Item) -> list[float]:
    return list(item.allowed) or [float(v) for v in range(int(item.minimum), int(item.maximum) + 1)]


def sheets(scale: Scale, missing: bool) -> st.SearchStrategy[dict[str, float | None]]:
    """Draw whole sheets of allowed ratings; with `missing`, any cell may be empty."""
    cells = {item.code: st.sampled_from(answers(item)) for item in scale.items}
    if missing:
        return st.fixed_dictionaries({code: st.none() | cell for code, cell in cells.items()})
    return st.fixed_dictionaries(cells)


@pytest.mark.parametrize("scale_id", IDS)
@settings(max_examples=25)
@given(st.data())
def test_scores_stay_in_range_and_missing_is_never_zero(scale_id: str, data: st.DataObject) -> None:
    """A score is there if its items are, or its rule allows; it is in range, and no plain sum."""
    scale = load_scale(scale_id)
    sheet = data.draw(sheets(scale, missing=True))
    if not any(value is not None for value in sheet.values()):
        return
    found, span = scored(scale, sheet), targets(scale).set_index("target")
    for name, value in found.items():
        assert span.loc[name, "minimum"] - 1e-9 <= value <= span.loc[name, "maximum"] + 1e-9
    for part in scale.scores:
        absent = [code for code in part.items if sheet[code] is None]
        there = [sheet[code] or 0.0 for code in part.items if sheet[code] is not None]
        rule = scale.prorating
        tolerated = rule.maximum_missing if rule and part.id in rule.targets else 0
        assert (part.id in found) == (len(absent) <= tolerated)
        if part.id in found:
            share = len(part.items) if part.method == "sum" else 1
            assert found[part.id] == pytest.approx(np.mean(there) * share)


@pytest.mark.parametrize("scale_id", IDS)
def test_lowest_and_highest_sheets_give_the_ends(scale_id: str) -> None:
    """Every item at its lowest gives the lowest of each sum and mean; so at the highest."""
    scale = load_scale(scale_id)
    span = targets(scale).set_index("target")
    names = [*scale.codes, *(part.id for part in scale.scores)]
    lowest = scored(scale, {item.code: item.minimum for item in scale.items})
    highest = scored(scale, {item.code: item.maximum for item in scale.items})
    assert {name: lowest[name] for name in names} == span.loc[names, "minimum"].to_dict()
    assert {name: highest[name] for name in names} == span.loc[names, "maximum"].to_dict()


@pytest.mark.parametrize("scale_id", [name for name in IDS if load_scale(name).scores])
@settings(max_examples=10)
@given(st.data())
def test_prorating_says_nothing_of_complete_sheets(scale_id: str, data: st.DataObject) -> None:
    """With every item rated, a rule changes no score."""
    scale = load_scale(scale_id)
    table = tidy(scale, data.draw(sheets(scale, missing=False)))
    rule = Prorating(1, tuple(part.id for part in scale.scores), "a paper")
    with_rule = score(table, replace(scale, prorating=rule))
    pd.testing.assert_frame_equal(with_rule, score(table, replace(scale, prorating=None)))


@pytest.mark.parametrize("scale_id", IDS)
@settings(max_examples=10)
@given(st.data())
def test_reversed_twice_is_as_it_was(scale_id: str, data: st.DataObject) -> None:
    """Reversing items and turning their ratings round gives the same sums and means."""
    scale = load_scale(scale_id)
    sheet = data.draw(sheets(scale, missing=False))
    turned = {item.code: item.minimum + item.maximum - sheet[item.code] for item in scale.items}
    reversed_scale = replace(
        scale, items=tuple(replace(item, reverse=True) for item in scale.items)
    )
    once, twice = scored(scale, sheet), scored(reversed_scale, turned)
    for part in scale.parts:
        assert twice[part.id] == pytest.approx(once[part.id])


SUMS = ("global_sum", "item_sum")


@pytest.mark.parametrize(
    ("scale_id", "begins", "whole"),
    [
        ("panss", ("marder_",), "total"),
        ("panss", ("positive", "negative", "general"), "total"),
        ("bprs_18", ("",), "total"),
        ("hama", ("",), "total"),
        ("sans_25", SUMS, "all_sum"),
        ("sans_24", SUMS, "all_sum"),
        ("saps", SUMS, "all_sum"),
    ],
)
@settings(max_examples=15)
@given(st.data())
def test_parts_add_up_to_the_whole(
    scale_id: str, begins: tuple[str, ...], whole: str, data: st.DataObject
) -> None:
    """Marder's factors make the PANSS total; globals and items make all of SANS or SAPS."""
    scale = load_scale(scale_id)
    found = scored(scale, data.draw(sheets(scale, missing=False)))
    parts = [part.id for part in scale.subscales if part.id.startswith(begins)]
    assert sum(found[name] for name in parts) == found[whole]


@settings(max_examples=25)
@given(sheets(PANSS, missing=False))
def test_composite_is_positive_minus_negative(sheet: dict[str, float]) -> None:
    """So says the manual's third score; it is between -42 and 42."""
    found = scored(PANSS, sheet)
    assert found["composite"] == found["positive"] - found["negative"]
    assert "composite" not in scored(PANSS, {**sheet, "N1": None})


def test_weight_rated_in_two_ways_is_refused_and_in_one_is_counted() -> None:
    """HAM-D: 16a, 16b or 16 is item 16; both would count it twice, and the cure is named."""
    sheet = {code: 1.0 for code in HAMD.codes if code != "16"}
    for name in ("16", "16a", "16b"):
        found = scored(HAMD, sheet | {name: 2.0})
        assert found["16"] == 2
        assert found["total"] == 18
    with pytest.raises(RatingsError, match=r"item 16 is rated as 16a and as 16b.*keep one of them"):
        scored(HAMD, sheet | {"16a": 2.0, "16b": 0.0})
    with pytest.raises(RatingsError, match="item 16 is rated as 16 and as 16a"):
        scored(HAMD, sheet | {"16": 2.0, "16a": 0.0})


def test_weight_not_assessed_counts_zero_by_its_rule() -> None:
    """Code 3 of HAM-D item 16 is 0 in the total (ECDEU) and no rating; an empty cell, no total."""
    sheet = {code: 1.0 for code in HAMD.codes if code != "16"}
    found = scored(HAMD, sheet | {"16": 3.0})
    assert found["total"] == 16
    assert "16" not in found
    assert "total" not in scored(HAMD, sheet)


def test_codes_and_sentinels_never_enter_a_sum() -> None:
    """Trap 14: 0 and 9 of the BPRS are missing; -9999 is refused, whoever made the table."""
    scale = load_scale("bprs_18")
    sheet = dict.fromkeys(scale.codes, 2.0)
    for code in (0.0, 9.0):
        found = scored(scale, sheet | {"1": code})
        assert "1" not in found
        assert "total" not in found
        assert found["anergia"] == 8
    with pytest.raises(RatingsError, match=r"BPRS-18 item 1 = -9999; allowed 1-7"):
        scored(scale, sheet | {"1": -9999.0})


@pytest.mark.parametrize("scale_id", IDS)
def test_the_empty_sheet_of_a_scale_is_read_back(scale_id: str, tmp_path: Path) -> None:
    """Headings that `scales template` writes are understood, and nothing is left out."""
    scale = load_scale(scale_id)
    sheet = template(scale, ["7"])
    sheet.loc[0, list(sheet.columns[3:])] = [f"{item.maximum:g}" for item in scale.items]
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    notes: list[str] = []
    found = read_ratings(tmp_path / "sheet.csv", scale, notes.append)
    assert notes == []
    assert found["value"].tolist() == [item.maximum for item in scale.items]


def test_phq_total_is_prorated_and_item_9_is_not() -> None:
    """Two of nine missing: mean times nine; item 9 missing is said, however the total is made."""
    sheet = {str(n): 2.0 for n in range(1, 10)} | {"8": None, "9": None}
    table = score(tidy(PHQ, sheet), PHQ)
    assert table.set_index("target").loc["total", "value"] == 18
    status = criteria(table, PHQ).set_index("criterion")["status"].to_dict()
    assert status == {"cutoff_10": "met", "item_9": "missing"}
    assert "total" not in scored(PHQ, sheet | {"7": None})
    for rating, expected in ((0.0, "not met"), (1.0, "met")):
        table = score(tidy(PHQ, sheet | {"9": rating}), PHQ)
        assert criteria(table, PHQ)["status"].tolist()[1] == expected


@pytest.mark.parametrize(
    ("scale_id", "band_set", "edges"),
    [
        ("hamd_17", "A", [(7, "none"), (8, "mild"), (14, "moderate"), (19, "severe"),
                          (23, "very severe")]),
        ("hamd_17", "zimmerman-2013", [(16, "mild"), (17, "moderate"), (24, "severe")]),
        ("hamd_17", "rush-2003", [(19, "moderate"), (20, "severe"), (26, "very severe")]),
        ("madrs", "snaith-1986", [(6, "none"), (7, "mild"), (34, "moderate"), (35, "severe")]),
        ("hama", "A", [(17, "mild"), (24, "mild-moderate"), (31, "severe")]),
        ("hama", "matza-2010", [(7, "none"), (14, "mild"), (24, "severe")]),
        ("gad_7", "gad-7", [(4, "minimal"), (10, "moderate"), (15, "severe")]),
        ("bdi_ii", "bdi-ii", [(13, "minimal"), (14, "mild"), (29, "severe")]),
    ],
)  # fmt: skip
def test_published_edges_of_bands(
    scale_id: str, band_set: str, edges: list[tuple[float, str]]
) -> None:
    """Scores at the edges that the sources print fall into the bands that they name."""
    scale = load_scale(scale_id)
    rows = [(str(n), "01", "A", scale.id, "total", "total", v) for n, (v, _) in enumerate(edges)]
    columns = ["participant", "session", "rater", "scale", "target", "kind", "value"]
    table = bands(pd.DataFrame(rows, columns=columns), scale, band_set)
    assert table["band"].tolist() == [label for _, label in edges]
    assert set(table["band_set"]) == {band_set}


def test_percent_change_of_the_panss_has_a_floor_for_each_score() -> None:
    """From all 4 to all 1 is 100 % of everything: 30, 7, 16, 8 and 1 are the floors."""
    table = pd.concat(
        [
            tidy(PANSS, dict.fromkeys(PANSS.codes, 4.0)),
            tidy(PANSS, dict.fromkeys(PANSS.codes, 1.0), session="02"),
        ]
    )
    found = percent_changes(score(table, PANSS), PANSS).set_index("target")
    published = {"total": 30, "positive": 7, "negative": 7, "general": 16, "P1": 1}
    published |= {"marder_positive": 8, "marder_negative": 7, "marder_disorganized": 7}
    published |= {"wallwork_positive": 4, "wallwork_negative": 6, "wallwork_depressed": 3}
    assert {name: found.loc[name, "floor"] for name in published} == published
    assert (found.drop("composite")["percent"] == 100).all()
    assert np.isnan(found.loc["composite", "percent"])


@pytest.mark.parametrize("scale_id", ["gaf", "sofas"])
def test_a_better_functioning_is_no_fall(scale_id: str) -> None:
    """Trap 13: from 40 to 60 the score did not fall, and it has no percent."""
    scale = load_scale(scale_id)
    code = scale.codes[0]
    table = pd.concat([tidy(scale, {code: 40.0}), tidy(scale, {code: 60.0}, session="02")])
    (row,) = percent_changes(score(table, scale), scale).to_dict("records")
    assert row["fall"] == -20
    assert np.isnan(row["percent"])


@pytest.fixture
def cnp(shared: Path) -> Path:
    """Find the clinician ratings of the UCLA CNP study."""
    return shared / "formats" / "bids" / "ds000030" / "phenotype"


def melted(path: Path, prefix: str, scale: Scale) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a BIDS table as it is, and its items as tidy ratings without what is missing."""
    wide = pd.read_csv(path, sep="\t", na_values=["n/a", -9999]).set_index("participant_id")
    codes = [code for item in scale.items for code in (item.code, *item.alternatives)]
    columns = {f"{prefix}{code}": code for code in codes if f"{prefix}{code}" in wide}
    long = wide[list(columns)].rename(columns=columns).melt(
        var_name="item", value_name="value", ignore_index=False
    )  # fmt: skip
    long = long.dropna(subset="value").rename_axis("participant").reset_index()
    return wide, long.assign(session="01", rater="A", scale=scale.id)[COLUMNS]


def test_real_bprs_has_its_published_consistency(cnp: Path) -> None:
    """139 complete sheets: mean total 44.928058, Cronbach's alpha 0.811018; their own means."""
    scale = load_scale("bprs_24")
    wide, ratings = melted(cnp / "bprs.tsv", "bprs", scale)
    found = score(ratings, scale).pivot(index="participant", columns="target", values="value")
    assert len(found) == 142
    whole = found.dropna(subset="total")
    items = whole[list(scale.codes)]
    alpha = 24 / 23 * (1 - items.var().sum() / whole["total"].var())
    assert len(whole) == 139
    assert whole["total"].mean() == pytest.approx(44.928058, abs=1e-6)
    assert alpha == pytest.approx(0.811018, abs=1e-6)
    own = wide.loc[whole.index]
    for name, column in [
        ("cnp_positive", "bprs_positive"), ("cnp_negative", "bprs_negative"),
        ("cnp_mania", "bprs_mania"), ("cnp_depression_anxiety", "bprs_depanx"),
    ]:  # fmt: skip
        np.testing.assert_allclose(whole[name], own[column], atol=0.006)


def test_real_hamd_counts_weight_twice_and_missing_as_zero(cnp: Path) -> None:
    """Their hamd_17 sums 16a and 16b; ours refuses both, and with 16a alone is less by 16b."""
    wide, ratings = melted(cnp / "hamilton.tsv", "hamilton", HAMD)
    with pytest.raises(RatingsError, match="rated as 16a and as 16b"):
        score(ratings, HAMD)
    table = score(ratings[ratings["item"] != "16b"], HAMD)
    total = table[table["target"] == "total"].set_index("participant")["value"]
    rated = wide.dropna(subset="hamd_17")
    assert len(rated) == 142
    assert rated["hamd_17"].sum() == 1401
    codes = [f"hamilton{code}" for code in (*range(1, 16), "16a", 17)]
    complete = rated[rated[codes].notna().all(axis="columns")]
    assert set(total.index) == set(complete.index)
    expected = complete["hamd_17"] - complete["hamilton16b"].fillna(0)
    assert total.to_dict() == expected.to_dict()
    assert len(complete) < len(rated)


def test_real_phq_sums_and_flags(shared: Path) -> None:
    """1000 sheets: their sums, mean 11.963, 629 at 10 or more, 259 with item 9 above 0."""
    wide = pd.read_csv(shared / "formats" / "scales" / "PHQ9_data.first1000.csv")
    columns = {f"Item{n}_num": str(n) for n in range(1, 10)}
    long = wide.rename(columns=columns).melt("ObservationID", list(columns.values()), "item")
    long = long.assign(participant=long["ObservationID"].astype(str), session="01", rater="A")
    table = score(long.assign(scale="phq_9", value=long["value"].astype(float))[COLUMNS], PHQ)
    total = table[table["target"] == "total"].set_index("participant")["value"]
    assert total.to_dict() == dict(
        zip(wide["ObservationID"].astype(str), wide["SumScore"], strict=True)
    )
    assert total.mean() == pytest.approx(11.963)
    met = criteria(consensus(table), PHQ).query("status == 'met'")
    assert met["criterion"].value_counts().to_dict() == {"cutoff_10": 629, "item_9": 259}
