"""Concordance, association and absolute difference against published values and properties."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from emoclip_clinic.agreement import ccc, mae, pearson
from emoclip_clinic.agreement.concordance import weighted_concordance
from emoclip_clinic.errors import RatingsError

pairs = hnp.arrays(float, st.tuples(st.just(2), st.integers(4, 12)), elements=st.integers(1, 7))
STATISTICS = [ccc, pearson, mae]


def only(table: pd.DataFrame) -> pd.Series:
    assert len(table) == 1
    return table.iloc[0]


def peak_flow(shared: Path) -> tuple[dict, list[float], list[float]]:
    data = tomllib.loads((shared / "validation/agreement.toml").read_text())["bland_altman_1986"]
    return data["wright1_mini1"], data["wright1"], data["mini1"]


def test_peak_flow_meters_agree_as_published(shared: Path) -> None:
    """CCC (variances divided by n) and Pearson of the 1986 data are the known ones."""
    expected, x, y = peak_flow(shared)
    assert only(ccc(x, y)).value == pytest.approx(expected["ccc_biased_variance"], abs=1e-6)
    assert only(pearson(x, y)).value == pytest.approx(expected["pearson"], abs=1e-6)


def test_ccc_interval_is_lins_with_the_correction_of_2000(shared: Path) -> None:
    """The interval equals Lin's formula as it is printed, in r and u, on the z scale."""
    _, x, y = (np.asarray(part) for part in peak_flow(shared))
    n, r = len(x), np.corrcoef(x, y)[0, 1]
    rho = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    u = (x.mean() - y.mean()) / np.sqrt(x.std() * y.std())
    variance = (
        (1 - r**2) * rho**2 / ((1 - rho**2) * r**2)
        + 2 * rho**3 * (1 - rho) * u**2 / (r * (1 - rho**2) ** 2)
        - rho**4 * u**4 / (2 * r**2 * (1 - rho**2) ** 2)
    ) / (n - 2)
    expected = np.tanh(np.arctanh(rho) + stats.norm.ppf([0.025, 0.975]) * np.sqrt(variance))
    found = only(ccc(x, y))
    assert [found.ci_low, found.ci_high] == pytest.approx(list(expected), abs=1e-12)


def test_ccc_interval_covers_the_truth() -> None:
    """Of 600 samples of 40 pairs with a CCC of 0.6 and a shift, about 95 % of intervals hold it."""
    rng = np.random.default_rng(20)
    truth = 2 * 0.7 / (1 + 1 + 0.577350269**2)
    held = 0
    for _ in range(600):
        x, y = rng.multivariate_normal([0, 0.577350269], [[1, 0.7], [0.7, 1]], size=40).T
        found = only(ccc(x, y))
        held += found.ci_low <= truth <= found.ci_high
    assert truth == pytest.approx(0.6)
    assert 0.92 < held / 600 < 0.98


def test_pearson_equals_scipy_and_is_marked_as_association() -> None:
    """Value and Fisher interval are scipy's; the note warns that it is not agreement."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=25)
    y = x + rng.normal(size=25)
    found, known = only(pearson(x, y)), stats.pearsonr(x, y)
    interval = known.confidence_interval()
    assert [found.value, found.ci_low, found.ci_high] == pytest.approx([known.statistic, *interval])
    assert "association, not agreement" in found.note


def test_mae_is_the_mean_of_the_absolute_differences_with_its_t_interval() -> None:
    """Value and interval are those of a one-sample t procedure, never below 0."""
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 2, 1, 4, 8])
    error = np.abs(x - y)
    low, high = stats.t.interval(0.95, 4, error.mean(), stats.sem(error))
    found = only(mae(x, y))
    assert low < 0
    assert [found.value, found.ci_low, found.ci_high] == pytest.approx([1.2, 0, high])


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_ccc_is_symmetric_and_no_greater_than_pearson(both: np.ndarray) -> None:
    """CCC does not know which rater is first, and lies no farther from 0 than Pearson."""
    there, back = only(ccc(*both)), only(ccc(*both[::-1]))
    columns = ["value", "ci_low", "ci_high"]
    assert list(there[columns]) == pytest.approx(list(back[columns]), nan_ok=True)
    correlation = only(pearson(*both)).value
    assert np.isnan(correlation) or abs(there.value) <= abs(correlation) + 1e-12


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_every_statistic_is_defined_or_says_why(both: np.ndarray) -> None:
    """What is missing has a note, and a value lies inside its interval."""
    for statistic in STATISTICS:
        row = only(statistic(*both))
        missing = np.isnan([row.value, row.ci_low, row.ci_high])
        assert "undefined" in row.note or not missing[0]
        assert "no interval" in row.note or "undefined" in row.note or not missing.any()
        assert not row.value < row.ci_low - 1e-12
        assert not row.value > row.ci_high + 1e-12


@given(pairs, st.data())
@settings(max_examples=60, deadline=None)
def test_weights_count_subjects(both: np.ndarray, data: st.DataObject) -> None:
    """A subject of weight 2 counts as its pair given twice."""
    n = both.shape[1]
    counts = data.draw(hnp.arrays(int, n, elements=st.integers(0, 3)).filter(lambda c: sum(c) > 3))
    found = weighted_concordance(*both, counts[None].astype(float))
    repeated = np.repeat(both, counts, axis=1)
    for name, statistic in zip(["CCC", "Pearson", "MAE"], STATISTICS, strict=True):
        known = only(statistic(*repeated)).value
        assert found[name][0] == pytest.approx(known, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("x", "y", "undefined"),
    [
        ([], [], {"CCC", "Pearson", "MAE"}),
        ([1], [2], {"CCC", "Pearson"}),
        ([np.nan, 1, 2], [1, np.nan, np.nan], {"CCC", "Pearson", "MAE"}),
        ([3, 3, 3, 3], [3, 3, 3, 3], {"CCC", "Pearson"}),
        ([3, 3, 3, 3], [4, 4, 4, 4], {"CCC", "Pearson"}),
        ([1, 2, 3, 4], [4, 4, 4, 4], {"Pearson"}),
        ([0.1, 0.1, 0.1, 0.1], [0.3, 0.3, 0.3, 0.3], {"CCC", "Pearson"}),
    ],
)
def test_what_cannot_be_estimated_is_missing_with_a_reason(
    x: list, y: list, undefined: set[str]
) -> None:
    """Degenerate pairs give NaN and a reason: never 1.0, never an exception or a warning."""
    for statistic in STATISTICS:
        row = only(statistic(x, y))
        assert np.isnan(row.value) == (row["name"] in undefined)
        assert ("undefined" in row.note) == (row["name"] in undefined)


def test_missing_pairs_are_dropped_and_counted() -> None:
    """A NaN on either side drops the pair, and the note says how many were dropped."""
    x, y = [1, 2, np.nan, 4, 6, 3], [2, 2, 3, np.nan, 5, 1]
    found = only(ccc(x, y))
    assert found.n_subjects == 4
    assert "2 of 6 subjects dropped" in found.note
    assert found.value == pytest.approx(only(ccc([1, 2, 6, 3], [2, 2, 5, 1])).value)


def test_unequal_or_infinite_pairs_are_errors() -> None:
    """The error says which shapes were given, or that a value is infinite."""
    with pytest.raises(RatingsError, match=r"\(2,\) and \(3,\)"):
        ccc([1, 2], [1, 2, 3])
    with pytest.raises(RatingsError, match="infinite"):
        mae([1, np.inf], [1, 2])
