"""Scores against arithmetic that is known from the scales themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.ratings import COLUMNS
from emoclip_clinic.scale import Item, Prorating, Scale, Subscale
from emoclip_clinic.scales import load_scale, targets
from emoclip_clinic.scoring import consensus, percent_change, score

PANSS = load_scale("panss")
MARDER = [part.id for part in PANSS.subscales if part.id.startswith("marder_")]

TINY = Scale(
    id="tiny", abbreviation="TINY", name="", version="", reference="", licence="",
    direction="higher is worse",
    items=(Item("A", "", 1, 5), Item("B", "", 1, 5), Item("C", "", 1, 5, reverse=True)),
    subscales=(Subscale("middle", "", ("A", "B", "C"), "mean"),),
    total=Subscale("total", "", ("A", "B", "C")),
)  # fmt: skip


def rated(scale: Scale, *sheets: tuple[str, str, list[float | None]]) -> pd.DataFrame:
    rows = [
        (participant, "01", rater, scale.id, code, float(value))
        for participant, rater, values in sheets
        for code, value in zip(scale.codes, values, strict=True)
        if value is not None
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def scores_of(table: pd.DataFrame, participant: str = "1", rater: str = "A") -> dict[str, float]:
    own = table[(table["participant"] == participant) & (table["rater"] == rater)]
    return dict(zip(own["target"], own["value"], strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=30, max_size=30))
def test_marder_factors_add_up_to_the_panss_total(values: list[int]) -> None:
    """So do positive, negative and general; and the total is the plain sum, exactly."""
    found = scores_of(score(rated(PANSS, ("1", "A", values)), PANSS))
    assert found["total"] == sum(values)
    assert sum(found[name] for name in MARDER) == sum(values)
    assert found["positive"] + found["negative"] + found["general"] == sum(values)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.integers(1, 7), min_size=30, max_size=30))
def test_scores_stay_in_range_and_need_every_item(values: list[int | None]) -> None:
    """A score is there if and only if all its items are, and lies within the computed range."""
    found = scores_of(score(rated(PANSS, ("1", "A", values)), PANSS))
    given_items = {code for code, value in zip(PANSS.codes, values, strict=True) if value}
    complete = {part.id for part in PANSS.scores if set(part.items) <= given_items}
    assert set(found) == given_items | complete
    ranges = targets(PANSS).set_index("target")
    for name, value in found.items():
        assert ranges.loc[name, "minimum"] <= value <= ranges.loc[name, "maximum"]


def test_lowest_and_highest_ratings_give_the_ends_of_the_range() -> None:
    """All 1 gives 30, all 7 gives 210."""
    table = score(rated(PANSS, ("1", "A", [1] * 30), ("2", "A", [7] * 30)), PANSS)
    ranges = targets(PANSS).set_index("target")
    assert scores_of(table) == ranges["minimum"].to_dict()
    assert scores_of(table, "2") == ranges["maximum"].to_dict()


def test_scores_are_tidy_and_in_order() -> None:
    """Participants and raters sorted, targets in the order of the scale, ids as text."""
    table = score(rated(TINY, ("2", "B", [1, 2, 3]), ("010", "A", [1, None, 3])), TINY)
    assert table.columns.tolist() == [
        "participant", "session", "rater", "scale", "target", "kind", "value",
    ]  # fmt: skip
    assert table["target"].tolist() == ["A", "C", "A", "B", "C", "middle", "total"]
    assert table["participant"].tolist() == ["010"] * 2 + ["2"] * 5
    assert table["kind"].tolist()[-2:] == ["subscale", "total"]


def test_a_reverse_item_counts_turned_round_in_sums_only() -> None:
    """On 1-5, a reverse item rated 2 adds 4; as an item it stays 2."""
    found = scores_of(score(rated(TINY, ("1", "A", [1, 1, 2])), TINY))
    assert found == {"A": 1, "B": 1, "C": 2, "middle": 2, "total": 6}


def test_an_incomplete_score_needs_a_rule() -> None:
    """Missing is never zero: without a rule no total; a rule counts only for its scores."""
    table = rated(TINY, ("1", "A", [5, None, 2]))
    assert set(scores_of(score(table, TINY))) == {"A", "C"}
    ruled = replace(TINY, prorating=Prorating(1, ("total",), "a paper"))
    found = scores_of(score(table, ruled))
    assert found["total"] == pytest.approx((5 + 4) / 2 * 3)
    assert "middle" not in found
    assert "total" not in scores_of(score(rated(TINY, ("1", "A", [5, None, None])), ruled))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_prorating_changes_nothing_that_is_complete(values: list[int]) -> None:
    """With all items rated, the rule has no say."""
    ruled = replace(TINY, prorating=Prorating(2, ("total", "middle"), "a paper"))
    table = rated(TINY, ("1", "A", values))
    pd.testing.assert_frame_equal(score(table, TINY), score(table, ruled))


def test_only_ratings_of_the_scale_are_scored() -> None:
    """Rows of another scale are left out; none at all is an empty table with the same columns."""
    table = rated(TINY, ("1", "A", [1, 2, 3]))
    both = pd.concat([table, table.assign(scale="other")])
    pd.testing.assert_frame_equal(score(both, TINY), score(table, TINY))
    none = score(table.iloc[:0], TINY)
    assert none.columns.tolist() == score(table, TINY).columns.tolist()
    assert none.empty


def test_ratings_that_no_reader_gives_are_refused() -> None:
    """An item of another scale, or a rating given twice, does not slip into a sum."""
    table = rated(TINY, ("1", "A", [1, 2, 3]))
    with pytest.raises(RatingsError, match="TINY has no item Z"):
        score(table.assign(item=["A", "B", "Z"]), TINY)
    with pytest.raises(RatingsError, match=r"participant 1, .* TINY item A is rated twice"):
        score(pd.concat([table, table]), TINY)


def test_the_consensus_is_the_mean_of_the_raters_scores() -> None:
    """Score first, then average: a rater without a total does not pull the consensus down."""
    sheets = [("1", "A", [1, 2, 5]), ("1", "B", [3, 4, 5]), ("1", "C", [5, None, 5])]
    table = consensus(score(rated(TINY, *sheets), TINY)).set_index("target")
    assert table["value"].to_dict() == {"A": 3, "B": 3, "C": 5, "middle": 2, "total": 6}
    assert table["n_raters"].to_dict() == {"A": 3, "B": 2, "C": 3, "middle": 2, "total": 2}
    assert table.reset_index().columns.tolist() == [
        "target", "participant", "session", "scale", "kind", "value", "n_raters",
    ]  # fmt: skip


def test_the_consensus_keeps_sessions_apart() -> None:
    """One participant at two sessions has two consensus scores."""
    table = rated(TINY, ("1", "A", [1, 2, 5]))
    later = table.assign(session="02", value=[2.0, 2.0, 5.0])
    found = consensus(score(pd.concat([table, later]), TINY)).query("target == 'A'")
    assert found[["session", "value"]].to_numpy().tolist() == [["01", 1.0], ["02", 2.0]]


def test_percent_change_subtracts_the_floor() -> None:
    """PANSS 90 to 60 is 50 %, not 33 %: 30 is no symptom at all (Obermeier 2011)."""
    assert percent_change(90, 60, floor=30) == pytest.approx(50)
    assert percent_change(90, 30, floor=30) == pytest.approx(100)
    assert percent_change(60, 90, floor=30) == pytest.approx(-100)


def test_percent_change_from_the_floor_is_undefined() -> None:
    """There is no change in percent of nothing: NaN, without a warning."""
    found = percent_change([30, 40], [30, 30], floor=30)
    assert np.isnan(found[0])
    assert found[1] == 100
