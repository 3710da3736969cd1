"""Kappa, Gwet, Fleiss and Krippendorff against published values and other implementations."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as known_fleiss

from emoclip_clinic.agreement import fleiss_kappa, gwet_ac, kappa, krippendorff_alpha
from emoclip_clinic.errors import RatingsError

WEIGHTS = [None, "linear", "quadratic"]
whole_points = hnp.arrays(
    float, st.tuples(st.integers(3, 15), st.integers(2, 4)), elements=st.integers(1, 4)
)


def published(shared: Path) -> dict[str, Any]:
    return tomllib.loads((shared / "validation/agreement.toml").read_text())


def tidy(scores: Any) -> pd.DataFrame:
    table = pd.DataFrame(np.asarray(scores, dtype=float)).rename_axis("subject").reset_index()
    return table.melt("subject", var_name="rater", value_name="value")


def from_table(table: list[list[int]]) -> pd.DataFrame:
    return tidy(
        [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    )


def standard_error(row: pd.Series) -> float:
    half = (row.ci_high - row.ci_low) / 2
    return float(half / stats.t.ppf(0.975, row.n_subjects - 1))


def test_gwets_table_gives_the_published_coefficients(shared: Path) -> None:
    """Kappa and AC1 with their standard errors, and the weighted kappas, are the handbook's."""
    known = published(shared)["gwet_3x3"]
    ratings = from_table(known["table"])
    for statistic, name in ((kappa, "kappa"), (gwet_ac, "ac1")):
        row = statistic(ratings).iloc[0]
        assert row.value == pytest.approx(known[name]["value"], abs=1e-7)
        assert standard_error(row) == pytest.approx(known[name]["se"], abs=1e-7)
    for weights in ("linear", "quadratic"):
        value = kappa(ratings, weights).value[0]
        assert value == pytest.approx(known[f"kappa_{weights}"], abs=1e-6)


def test_kappa_reproduces_irr(shared: Path) -> None:
    """Unweighted and weighted kappas of the anxiety data are those of R's irr."""
    data = published(shared)["anxiety"]
    ratings, known = tidy(list(zip(data["r1"], data["r2"], strict=True))), data["kappa_r1_r2"]
    for weights in WEIGHTS:
        value = kappa(ratings, weights).value[0]
        assert value == pytest.approx(known[weights or "unweighted"], abs=1e-6)


@pytest.mark.parametrize("which", ["balanced", "skewed"])
def test_the_prevalence_paradox(shared: Path, which: str) -> None:
    """The same raw agreement of 85 % gives a low kappa, and not a low AC1, where one prevails."""
    known = published(shared)["paradox"][which]
    found, robust = kappa(from_table(known["table"])), gwet_ac(from_table(known["table"]))
    assert found.value[0] == pytest.approx(known["kappa"], abs=1e-6)
    assert robust.value[0] == pytest.approx(known["ac1"], abs=1e-6)
    assert found.value[1] == robust.value[1] == pytest.approx(0.85)
    assert list(found.name) == ["kappa", "raw agreement"]


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_reproduces_krippendorff(shared: Path, level: Any) -> None:
    """All four levels of the example with missing ratings are right; one unit is left out."""
    data = published(shared)["krippendorff_c"]
    ratings = tidy(np.column_stack([data[rater] for rater in "ABCD"]))
    row = krippendorff_alpha(ratings, level).iloc[0]
    assert row.value == pytest.approx(data["alpha"][level], abs=1e-6)
    assert row.n_subjects == 11
    assert "1 of 12 subjects left out" in row.note
    assert row.ci_low < row.value < row.ci_high


@given(whole_points, st.sampled_from(WEIGHTS))
@settings(max_examples=60, deadline=None)
def test_kappa_equals_scikit_learn(scores: np.ndarray, weights: Any) -> None:
    """Each pair has scikit-learn's kappa where that is defined."""
    found = kappa(tidy(scores), weights)
    values = found[found.name.str.startswith("kappa")].value
    k = scores.shape[1]
    columns = [(i, j) for i in range(k) for j in range(i + 1, k)]
    for (i, j), value in zip(columns, values, strict=True):
        both = scores[:, [i, j]]
        if len(np.unique(both)) == 1:
            assert np.isnan(value)
            continue
        known = cohen_kappa_score(*both.T, weights=weights, labels=[1, 2, 3, 4])
        assert value == pytest.approx(known, abs=1e-9)


@given(whole_points)
@settings(max_examples=40, deadline=None)
def test_fleiss_equals_statsmodels(scores: np.ndarray) -> None:
    """Fleiss' kappa of complete ratings is statsmodels' where that is defined."""
    value = fleiss_kappa(tidy(scores)).value[0]
    if len(np.unique(scores)) == 1:
        assert np.isnan(value)
    else:
        table = aggregate_raters(scores.astype(int))[0]
        assert value == pytest.approx(known_fleiss(table), abs=1e-9)


def slow_ac2(scores: np.ndarray, q: int, weight: np.ndarray) -> float:
    """Gwet's AC2 of complete ratings 1..q, by loops over subjects and pairs of raters."""
    n, k = scores.shape
    cells = scores.astype(int) - 1
    agreement = [
        weight[cells[i, a], cells[i, b]]
        for i in range(n)
        for a in range(k)
        for b in range(k)
        if a != b
    ]
    prevalence = [(cells == c).mean() for c in range(q)]
    chance = weight.sum() / (q * (q - 1)) * sum(p * (1 - p) for p in prevalence)
    return (np.mean(agreement) - chance) / (1 - chance)


@given(whole_points, st.sampled_from([None, "quadratic"]))
@settings(max_examples=40, deadline=None)
def test_gwet_equals_a_slow_implementation(scores: np.ndarray, weights: Any) -> None:
    """AC1 and AC2 on given categories equal plain loops."""
    value = gwet_ac(tidy(scores), weights, categories=[1, 2, 3, 4]).value[0]
    distance = np.abs(np.subtract.outer(range(4), range(4))) / 3
    weight = np.eye(4) if weights is None else 1 - distance**2
    if len(np.unique(scores)) == 1:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(slow_ac2(scores, 4, weight), abs=1e-9)


@given(whole_points, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_of_raters_does_not_matter(scores: np.ndarray, random: Any) -> None:
    """Shuffled raters give the same coefficients of all raters together."""
    columns = list(range(scores.shape[1]))
    random.shuffle(columns)
    for statistic in (gwet_ac, fleiss_kappa, krippendorff_alpha):
        left, right = (statistic(tidy(table)) for table in (scores, scores[:, columns]))
        numbers = ["value", "ci_low", "ci_high"]
        pd.testing.assert_frame_equal(left[numbers], right[numbers], atol=1e-9)


def test_alpha_of_interval_data_tends_to_the_icc() -> None:
    """With many subjects, alpha at the interval level is the one-way ICC of the raters."""
    rng = np.random.default_rng(7)
    scores = np.rint(4 + rng.normal(size=(800, 1)) + 0.7 * rng.normal(size=(800, 2)))
    value = krippendorff_alpha(tidy(scores), "interval").value[0]
    assert value == pytest.approx(np.corrcoef(scores.T)[0, 1], abs=0.005)


def test_intervals_cover_the_truth() -> None:
    """Of 300 samples of 80 subjects, about 95 % of intervals hold the coefficient."""
    rng = np.random.default_rng(3)
    table = np.array([[0.35, 0.05, 0.02], [0.05, 0.2, 0.05], [0.02, 0.06, 0.2]])
    everyone = from_table(np.rint(1000 * table).astype(int).tolist())
    truth = {statistic: statistic(everyone).value[0] for statistic in (kappa, gwet_ac)}
    held = dict.fromkeys(truth, 0)
    for _ in range(300):
        ratings = from_table(rng.multinomial(80, table.ravel()).reshape(3, 3).tolist())
        for statistic, value in truth.items():
            row = statistic(ratings).iloc[0]
            held[statistic] += row.ci_low <= value <= row.ci_high
    assert all(0.91 < count / 300 < 0.985 for count in held.values())


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([[2, 2], [2, 2], [2, 2]], "only one category|all ratings are the same"),
        ([[1, 2]], "needs 2 subjects rated twice, has 1"),
        ([[1], [2], [3]], "needs 2"),
        ([[1, np.nan], [np.nan, 2]], "needs 2 subjects rated twice, has 0"),
    ],
)
def test_what_cannot_be_estimated_is_missing_with_a_reason(scores: list, reason: str) -> None:
    """Degenerate designs give NaN and a reason: never 1.0, never an exception or a warning."""
    for statistic in (kappa, gwet_ac, fleiss_kappa, krippendorff_alpha):
        row = statistic(tidy(scores)).iloc[0]
        assert np.isnan(row.value)
        assert re.search(f"undefined: .*({reason})", row.note)


def test_single_category_is_not_perfect_even_if_others_were_allowed() -> None:
    """AC1 of one used category among seven is undefined, and not 1."""
    found = gwet_ac(tidy([[1, 1], [1, 1]]), categories=range(1, 8))
    assert np.isnan(found.value[0])


def test_missing_ratings_enter_gwets_coefficient() -> None:
    """A subject rated once counts for the shares of categories and not for the agreement."""
    scores = [[1, 1, np.nan], [2, 2, 2], [1, 2, np.nan], [3, np.nan, np.nan]]
    found = gwet_ac(tidy(scores)).set_index("name")
    shares = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0, 0, 1]]).mean(axis=0)
    chance = (shares * (1 - shares)).sum() / 2
    assert found.value["raw agreement"] == pytest.approx(2 / 3)
    assert found.value["AC1"] == pytest.approx((2 / 3 - chance) / (1 - chance))


def test_unknown_words_are_errors() -> None:
    """Weights, levels and values that do not exist are named beside the allowed ones."""
    ratings = tidy([[1, 2], [2, 2]])
    with pytest.raises(RatingsError, match="'cubic' are unknown; allowed"):
        kappa(ratings, "cubic")  # type: ignore[arg-type]
    with pytest.raises(RatingsError, match="'exact' is unknown; allowed"):
        krippendorff_alpha(ratings, "exact")  # type: ignore[arg-type]
    with pytest.raises(RatingsError, match="value 2 is not among the categories"):
        gwet_ac(ratings, categories=[0, 1])
