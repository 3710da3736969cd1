"""Scores against arithmetic that is known from the scales themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.errors import RatingsError, ScaleError
from emoclip_clinic.ratings import COLUMNS
from emoclip_clinic.scale import Band, Criterion, Difference, Item, Prorating, Scale, Subscale
from emoclip_clinic.scoring import (
    bands,
    consensus,
    criteria,
    floors,
    percent_change,
    percent_changes,
    score,
)

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
    with pytest.raises(RatingsError, match=r"TINY item B = -9999; allowed 1-5"):
        score(table.assign(value=[1.0, -9999.0, 3.0]), TINY)


def test_a_code_for_not_assessed_is_missing() -> None:
    """Where the scale knows the code, it is no rating; no value at all is missing, too."""
    table = rated(TINY, ("1", "A", [1, 2, 3]))
    known = replace(TINY, not_assessed=(0.0,))
    for missing in (0.0, float("nan")):
        found = scores_of(score(table.assign(value=[1.0, missing, 3.0]), known))
        assert found == {"A": 1, "C": 3}


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


JUDGED = replace(
    TINY,
    percent_change_floor=3,
    differences=(Difference("gap", "", "total", "middle"),),
    bands=(
        Band("X", "total", "low", 3, 7, ""), Band("X", "total", "high", 8, 15, ""),
        Band("Y", "A", "some", 2, 5, ""),
    ),
    criteria=(
        Criterion("well", "all low", ("A", "B"), "", maximum=2, duration="a year"),
        Criterion("ill", "total 12 or more", ("total",), "", minimum=12),
        Criterion("any", "B above 1", ("B",), "", above=1),
    ),
)  # fmt: skip


def test_a_band_is_of_a_named_set() -> None:
    """Each score of the set has its band, and the set stands beside it; others have no row."""
    table = score(rated(JUDGED, ("1", "A", [1, 1, 5]), ("2", "A", [5, 4, 2])), JUDGED)
    found = bands(table, JUDGED, "X")
    assert found.columns.tolist() == [
        "participant", "session", "rater", "scale", "target", "value", "band_set", "band",
    ]  # fmt: skip
    assert found[["target", "value", "band"]].to_numpy().tolist() == [
        ["total", 3, "low"], ["total", 13, "high"],
    ]  # fmt: skip
    assert bands(table, JUDGED, "Y")["band"].tolist() == [None, "some"]
    with pytest.raises(ScaleError, match=r"TINY has no bands 'Z'. Allowed: X, Y"):
        bands(table, JUDGED, "Z")
    with pytest.raises(ScaleError, match=r"TINY has no bands 'X'. Allowed: it has none"):
        bands(table, TINY, "X")


def test_a_mean_between_two_bands_has_none() -> None:
    """Raters at 7 and 8 have a mean of 7.5, which the set does not know."""
    table = score(rated(JUDGED, ("1", "A", [4, 2, 5]), ("1", "B", [4, 3, 5])), JUDGED)
    (row,) = bands(consensus(table), JUDGED, "X").to_dict("records")
    assert (row["value"], row["band"]) == (7.5, None)
    assert "rater" not in row


def test_a_criterion_is_met_not_met_or_missing() -> None:
    """One item beyond it decides; without any, a missing item leaves it open."""
    sheets = [("1", [1, 2, 1]), ("2", [1, None, 1]), ("3", [3, None, 5]), ("4", [5, 5, 1])]
    table = score(rated(JUDGED, *[(name, "A", values) for name, values in sheets]), JUDGED)
    found = criteria(table, JUDGED)
    assert found.columns.tolist() == [
        "participant", "session", "rater", "scale", "criterion", "label", "status", "duration",
    ]  # fmt: skip
    assert found["participant"].tolist() == [name for name in "1234" for _ in range(3)]
    status = found.pivot(index="participant", columns="criterion", values="status")
    assert status["well"].tolist() == ["met", "missing", "not met", "not met"]
    assert status["ill"].tolist() == ["not met", "missing", "missing", "met"]
    assert status["any"].tolist() == ["met", "missing", "missing", "met"]
    assert found["duration"].tolist()[:2] == ["a year", ""]


def test_a_mean_of_raters_does_not_hide_what_one_of_them_saw() -> None:
    """1 and 2 are 1.5: above 1, though not 2; each rater's own answer is there to look at."""
    table = score(rated(JUDGED, ("1", "A", [1, 1, 1]), ("1", "B", [1, 2, 1])), JUDGED)
    mean = criteria(consensus(table), JUDGED).set_index("criterion")["status"]
    assert mean["any"] == "met"
    own = criteria(table, JUDGED).query("criterion == 'any'")
    assert own["status"].tolist() == ["not met", "met"]


def test_criteria_of_nobody_and_of_no_scale() -> None:
    """Without criteria or without ratings there is an empty table with the same columns."""
    table = score(rated(JUDGED, ("1", "A", [1, 2, 1])), JUDGED)
    columns = criteria(table, JUDGED).columns.tolist()
    assert criteria(table, replace(JUDGED, criteria=())).columns.tolist() == columns
    empty = criteria(table.iloc[:0], JUDGED)
    assert empty.empty
    assert empty.columns.tolist() == columns
    assert criteria(consensus(table), JUDGED).columns.tolist() == [
        name for name in columns if name != "rater"
    ]


def test_floors_follow_from_the_items() -> None:
    """Lowest sum and mean; none for a reverse item, a difference, or without percent change."""
    assert floors(JUDGED) == {"A": 1, "B": 1, "middle": 1, "total": 3}
    assert floors(TINY) == {}


def test_every_later_session_is_compared_with_the_baseline() -> None:
    """Rater by rater; who has no baseline keeps a row without numbers."""
    first = rated(JUDGED, ("1", "A", [5, 5, 1]), ("1", "B", [3, 3, 3]))
    later = rated(JUDGED, ("1", "A", [3, 3, 3]), ("1", "B", [1, 1, 5]), ("2", "A", [1, 1, 1]))
    table = pd.concat([first, later.assign(session="02")])
    found = percent_changes(score(table, JUDGED), JUDGED)
    assert found.columns.tolist() == [
        "participant", "session", "rater", "scale", "target", "kind", "value", "baseline",
        "fall", "floor", "percent",
    ]  # fmt: skip
    total = found[found["target"] == "total"].set_index(["participant", "rater"])
    assert total["fall"].tolist()[:2] == [6, 6]
    assert total["percent"].tolist()[:2] == [50, 100]
    assert total.loc[("2", "A"), ["baseline", "fall", "percent"]].isna().all()
    assert found.loc[found["target"].isin(["C", "gap"]), "percent"].isna().all()
    mean = percent_changes(consensus(score(table, JUDGED)), JUDGED).query("target == 'total'")
    assert mean["percent"].tolist()[0] == pytest.approx(100 * (12 - 6) / (12 - 3))


def test_a_baseline_that_nobody_has_is_an_error() -> None:
    """The message names the sessions that there are."""
    table = score(rated(JUDGED, ("1", "A", [5, 5, 1])), JUDGED)
    with pytest.raises(RatingsError, match=r"no.* TINY scores at session 'pre'. Rated: 01"):
        percent_changes(table, JUDGED, baseline="pre")
    assert percent_changes(table, JUDGED).empty
