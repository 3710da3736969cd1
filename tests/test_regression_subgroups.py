from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import ClinicError, StudyError
from emoclip_clinic.regression.inference import performance
from emoclip_clinic.regression.subgroups import COLUMNS, NOT_KNOWN, subgroups


def cohort(n: int = 60, worse: float = 1.0, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions, a third of people twice, and people: errors of sex "f" are `worse` times."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(n // 3)]
    people = pd.DataFrame(
        {
            "sex": np.where(np.arange(n) % 2 == 0, "f", "m"),
            "age": 20 + np.arange(n) // 2,
            "site": np.arange(n) % 3 + 1,
        },
        index=pd.Index([f"p{k:03d}" for k in range(n)], name="participant"),
    )
    score = generator.normal(4, 1, len(person))
    error = 0.5 * generator.normal(size=len(person)) * np.where(person % 2 == 0, worse, 1)
    table = {"participant": people.index[person], "recording": np.arange(len(person)).astype(str)}
    rows = pd.DataFrame({**table, "observed": score, "predicted": score + error})
    ours = rows.assign(scale="panss", target="N1", model="ridge")
    return pd.concat([ours, ours.assign(model="mean", predicted=4.0)], ignore_index=True), people


def of(table: pd.DataFrame, metric: str = "mae", model: str = "ridge") -> pd.DataFrame:
    rows = table[(table["metric"] == metric) & (table["model"] == model)]
    return rows.set_index("group")


def sized(*sizes: int) -> pd.DataFrame:
    """Everyone of the cohort in groups a, b, c ... of these sizes; the rest is not known."""
    names = np.repeat(list("abcdef")[: len(sizes)], sizes)
    index = pd.Index([f"p{k:03d}" for k in range(len(names))], name="participant")
    return pd.DataFrame({"group": names}, index=index)


def test_a_group_has_the_performance_of_its_recordings_alone() -> None:
    """Values and intervals are those of `performance` of these rows."""
    table, people = cohort(worse=2.0)
    found = subgroups(table, people, ["sex"], n_resamples=500)
    assert list(found.columns) == COLUMNS
    women = table[table["participant"].map(people["sex"]) == "f"]
    alone = performance(women, {"N1": "item"}, n_resamples=500)
    own = found[found["group"] == "f"].reset_index(drop=True)
    columns = ["model", "metric", "value", "ci_low", "ci_high", "n_recordings", "n_participants"]
    same = own["metric"].ne("r2") | own["model"].ne("mean")
    pd.testing.assert_frame_equal(own[same][columns], alone[same][columns], check_dtype=False)


def test_a_difference_is_found_where_it_is_and_turns_round() -> None:
    """Errors twice as large in women: the interval lies above 0; that of men is its mirror."""
    table, people = cohort(worse=2.5)
    rows = of(subgroups(table, people, ["sex"], n_resamples=3000))
    assert rows.loc["f", "difference_ci_low"] > 0
    assert rows.loc["f", "p"] < 0.01
    assert rows.loc["f", "difference"] == pytest.approx(-rows.loc["m", "difference"])
    assert rows.loc["f", "value_rest"] == pytest.approx(rows.loc["m", "value"])
    assert rows.loc["f", "difference_ci_low"] == pytest.approx(
        -rows.loc["m", "difference_ci_high"], abs=0.03
    )


def test_equal_groups_differ_as_often_as_stated() -> None:
    """150 cohorts of 30 and 30: p of the mean absolute error is below 0.05 in 1 to 9.5 %.

    (Nominal 5 %, its binomial error 1.8 %.)
    """
    p = []
    for seed in range(150):
        table, people = cohort(seed=seed)
        ours = table[table["model"] == "ridge"]
        found = subgroups(ours, people, ["sex"], n_resamples=400, seed=seed)
        p.append(of(found).loc["f", "p"])
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.095


def test_who_is_not_in_the_table_is_not_known() -> None:
    """A missing row and a missing value are one group, which is named last."""
    table, people = cohort()
    people.loc["p001", "sex"] = None
    found = of(subgroups(table, people.drop(index="p000"), ["sex"], smallest=1, n_resamples=50))
    assert list(found.index) == ["f", "m", NOT_KNOWN]
    assert found.loc[NOT_KNOWN, "n_participants"] == 2
    assert "fewer than 5 participants" in found.loc[NOT_KNOWN, "note"]


def test_a_small_group_is_hidden_with_the_next_smallest() -> None:
    """Of 40, 13 and 7 the 7 would follow from the total: the 13 are hidden too."""
    table, _ = cohort()
    found = of(subgroups(table, sized(40, 13, 7), smallest=10, n_resamples=50))
    shown = found.drop(columns=["scale", "target", "model", "column", "metric", "note"])
    assert shown.loc[["b", "c"]].isna().all(axis=None)
    assert found.loc[["b", "c"], "note"].str.contains("fewer than 10 participants").all()
    assert np.isfinite(found.loc["a", "value"])
    assert found.loc["a", "n_participants"] == 40


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6).filter(lambda s: sum(s) <= 60))
def test_nothing_below_the_smallest_follows_by_subtraction(sizes: list[int]) -> None:
    """What is hidden is nothing, or two groups or more with `smallest` people together, or all."""
    table, _ = cohort()
    mae = table[table["model"] == "ridge"]
    mae = mae[mae["participant"].isin(sized(*sizes).index)]
    found = of(subgroups(mae, sized(*sizes), smallest=10, n_resamples=2))
    n = dict(zip("abcdef", sizes, strict=False))
    hidden = [n[name] for name in found.index[found["value"].isna()]]
    shown = [n[name] for name in found.index[found["value"].notna()]]
    assert all(each >= 10 for each in shown)
    assert not hidden or not shown or (len(hidden) > 1 and sum(hidden) >= 10)


def test_numbers_are_cut_into_thirds_or_given_bands() -> None:
    """Thirds of the people with their largest value; bands are [start, stop)."""
    table, people = cohort()
    thirds = of(subgroups(table, people, ["age"], smallest=5, n_resamples=50))
    assert list(thirds.index) == ["lowest third (to 29)", "middle third (to 39)", "highest third"]
    assert thirds["n_participants"].tolist() == [20, 20, 20]
    bands = {"age": {"young": (18, 30), "old": (30, 49)}}
    found = of(subgroups(table, people, ["age"], bands=bands, smallest=1, n_resamples=50))
    assert found["n_participants"].to_dict() == {"young": 20, "old": 38, "in no band": 2}


def test_thirds_are_those_of_everyone_whatever_the_target() -> None:
    """A target that the young lack has the same groups, with fewer people in the first."""
    table, people = cohort()
    older = table["participant"].map(people["age"]) >= 25
    both = pd.concat([table, table[older].assign(target="N2")])
    found = subgroups(both, people, ["age"], smallest=5, n_resamples=50)
    n = of(found)["n_participants"]
    assert n["lowest third (to 29)"].tolist() == [20, 10]
    assert n["middle third (to 39)"].tolist() == [20, 20]


def test_few_whole_numbers_are_names() -> None:
    """A site 1, 2, 3 with a gap is not read as 1.0."""
    table, people = cohort()
    people["site"] = people["site"].where(people["site"] < 3)
    found = of(subgroups(table, people, ["site"], n_resamples=50))
    assert list(found.index) == ["1", "2", NOT_KNOWN]


def test_attributes_of_recordings_may_divide_a_person() -> None:
    """Quality, or the rater, belongs to the recording; a person counts in both groups."""
    table, _ = cohort()
    first = ~table["participant"].duplicated()
    names = table.loc[table["model"] == "ridge", "recording"]
    visits = pd.DataFrame({"visit": np.where(first[: len(names)], "one", "two")})
    visits.index = pd.Index(names, name="recording")
    found = of(subgroups(table, visits, n_resamples=50))
    assert found["n_participants"].to_dict() == {"one": 60, "two": 20}
    assert np.isfinite(found["difference_ci_low"]).all()


def test_one_group_has_no_others() -> None:
    """Everyone in one group: its value stands, the difference is missing, the note says why."""
    table, people = cohort()
    found = of(subgroups(table, people.assign(study="here"), ["study"], n_resamples=50))
    assert np.isfinite(found.loc["here", "value"])
    assert np.isnan(found.loc["here", "difference"])
    assert found.loc["here", "note"] == "everyone is in this group"


def test_a_constant_score_in_a_group_has_no_correlation() -> None:
    """The note says whose scores are constant."""
    table, people = cohort()
    table.loc[table["participant"].map(people["sex"]) == "f", "observed"] = 1.0
    found = of(subgroups(table, people, ["sex"], n_resamples=50), "pearson")
    assert "constant" in found.loc["f", "note"]
    assert found.loc["m", "note"] == "of the others: undefined: observed scores are constant"
    assert np.isfinite(found.loc["m", "value"])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda people: people.reset_index(), {}, "named None"),
        (lambda people: pd.concat([people, people]), {}, "in two rows"),
        (lambda people: people, {"columns": ["height"]}, "no column height"),
        (lambda people: people, {"bands": {"sex": {"x": (0, 1)}}}, "does not hold numbers"),
        (
            lambda people: people,
            {"columns": ["age"], "bands": {"age": {"a": (20, 30), "b": (25, 40)}}},
            "band b .* overlaps",
        ),
        (lambda people: people, {"columns": ["age"], "bands": {"age": {"a": (30, 30)}}}, "empty"),
    ],
)
def test_what_cannot_be_grouped_is_an_error(
    change: Any, options: dict[str, Any], message: str
) -> None:
    """An index without a name, people twice, an unknown column, bands that make no sense."""
    table, people = cohort()
    with pytest.raises((StudyError, ClinicError), match=message):
        subgroups(table, change(people), n_resamples=2, **options)
