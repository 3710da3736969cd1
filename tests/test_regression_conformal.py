from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from benchmarks.conformal_coverage import SETTINGS, coverage
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.conformal import (
    COVERAGE,
    cv_plus,
    fewest_participants,
    measured_coverage,
)


def paper(
    fold_predictions: np.ndarray, residuals: np.ndarray, fold_of: np.ndarray, level: float
) -> tuple[float, float]:
    """CV+ as Barber et al. (2021) write it, for one new point and integer percent.

    The upper limit is the ceil((1 - alpha)(n + 1))-th smallest of mu_-S(i)(x) + R_i, the lower one
    the floor(alpha (n + 1))-th smallest of mu_-S(i)(x) - R_i.
    """
    n, percent = len(residuals), round(100 * level)
    upper = sorted(fold_predictions[fold_of[i]] + abs(residuals[i]) for i in range(n))
    lower = sorted(fold_predictions[fold_of[i]] - abs(residuals[i]) for i in range(n))
    up, down = -(-percent * (n + 1) // 100), (100 - percent) * (n + 1) // 100
    return (
        -np.inf if down < 1 else lower[down - 1],
        np.inf if up > n else upper[up - 1],
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 130),
    n_folds=st.integers(1, 10),
    percent=st.integers(50, 99),
)
def test_one_recording_each_is_cv_plus_of_the_paper(
    seed: int, n: int, n_folds: int, percent: int
) -> None:
    """Limits by the formula, infinite ones too."""
    generator = np.random.default_rng(seed)
    predictions, residuals = generator.normal(size=(3, n_folds)), generator.normal(size=n)
    fold_of = generator.integers(n_folds, size=n)
    low, high = cv_plus(predictions, residuals, fold_of, np.arange(n), percent / 100)
    expected = [paper(row, residuals, fold_of, percent / 100) for row in predictions]
    np.testing.assert_array_equal(np.column_stack([low, high]), expected)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(19, 60))
def test_a_fold_a_recording_is_the_jackknife_plus(seed: int, n: int) -> None:
    """With the leave-one-out models of a mean, whose limits can be had in one line each."""
    y = np.random.default_rng(seed).normal(size=n)
    without = (y.sum() - y) / (n - 1)
    low, high = cv_plus(without[np.newaxis], y - without, np.arange(n), np.arange(n), 0.9)
    rank = int(np.ceil(round(0.9 * (n + 1), 9)))
    assert high[0] == np.sort(without + np.abs(y - without))[rank - 1]
    assert low[0] == np.sort(without - np.abs(y - without))[n - rank]


@given(seed=st.integers(0, 2**32 - 1), copies=st.integers(2, 5))
def test_more_recordings_of_a_person_give_no_more_weight(seed: int, copies: int) -> None:
    """A recording that is there several times changes nothing."""
    generator = np.random.default_rng(seed)
    n = 40
    predictions, residuals = generator.normal(size=(2, 4)), generator.normal(size=n)
    fold_of, person = generator.integers(4, size=n), np.arange(n)
    rows = np.r_[np.arange(n), np.repeat(generator.integers(n, size=10), copies)]
    plain = cv_plus(predictions, residuals, fold_of, person)
    again = cv_plus(predictions, residuals[rows], fold_of[rows], person[rows])
    np.testing.assert_array_equal(plain, again)


def test_the_unit_is_the_participant() -> None:
    """The weighted quantile of Lee, Barber & Willett, by hand: 1 / (4 x 2) and 1 / 4 each."""
    residuals, person = np.array([1.0, 2, 3, 4]), np.array(["a", "a", "b", "c"])
    args = (np.zeros((1, 1)), residuals, np.zeros(4, int), person)
    # cumulated weights 1/8, 1/4, 1/2, 3/4; the rest is at infinity
    for level, limit in ((0.125, 1), (0.2, 2), (0.25, 2), (0.5, 3), (0.75, 4), (0.76, np.inf)):
        low, high = cv_plus(*args, level)
        assert (low[0], high[0]) == (-limit, limit)


@pytest.mark.parametrize(("level", "fewest"), [(0.95, 19), (0.9, 9), (0.8, 4), (0.99, 99)])
def test_the_fewest_participants_that_support_a_level(level: float, fewest: int) -> None:
    """One fewer, and there is no limit, however many recordings they have."""
    assert fewest_participants(level) == fewest
    for n, finite in ((fewest, True), (fewest - 1, False)):
        person = np.repeat(np.arange(n), 7)
        zeros = np.zeros(len(person), int)
        _, high = cv_plus(np.zeros((1, 1)), zeros + 1.0, zeros, person, level)
        assert np.isfinite(high[0]) == finite


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_between_0_and_1(level: float) -> None:
    """95 is not 0.95."""
    with pytest.raises(SettingsError, match=r"such as 0\.95"):
        cv_plus(np.zeros((1, 1)), np.zeros(3), np.zeros(3, int), np.arange(3), level)


def out_of_fold(seed: int, n: int, n_folds: int) -> pd.DataFrame:
    """Predictions of 0 for normal scores of n participants, every third seen twice, two repeats."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(0, n, 3)]
    parts = [
        pd.DataFrame(
            {
                "repeat": repeat,
                "fold": (generator.permutation(n) % n_folds + 1)[person],
                "participant": [f"P{number:03d}" for number in person],
                "recording": [f"R{number:03d}" for number in range(len(person))],
                "target": "t",
                "observed": np.random.default_rng([seed, 1]).normal(size=len(person)),
                "predicted": 0.1 * generator.normal(size=len(person)),
            }
        )
        for repeat in (1, 2)
    ]
    return pd.concat(parts, ignore_index=True)


def test_coverage_is_counted_as_it_is_defined() -> None:
    """Against a loop over repeats, folds and recordings, with the interval cut to the scale."""
    table = out_of_fold(0, 45, 5)
    found = measured_coverage(table, {"t": (-1.5, 9)}, level=0.9)
    assert list(found.columns) == COVERAGE
    covered: dict[str, list[float]] = {}
    widths: dict[str, list[float]] = {}
    for row in table.itertuples():
        others = table[(table["repeat"] == row.repeat) & (table["fold"] != row.fold)]
        error = (others["observed"] - others["predicted"]).abs().to_numpy()
        _, high = cv_plus(
            np.zeros((1, 1)), error, np.zeros(len(error), int), others["participant"], 0.9
        )
        low, top = max(row.predicted - high[0], -1.5), min(row.predicted + high[0], 9)
        covered.setdefault(row.participant, []).append(low <= row.observed <= top)
        widths.setdefault(row.participant, []).append(top - low)
    coverage = np.mean([np.mean(own) for own in covered.values()])
    row = found.iloc[0]
    assert row["coverage"] == pytest.approx(coverage)
    assert row["mean_width"] == pytest.approx(np.mean([np.mean(own) for own in widths.values()]))
    limits = proportion_confint(coverage * 45, 45, method="wilson")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(limits)
    assert (row["n_recordings"], row["n_participants"], row["note"]) == (60, 45, "")


def test_a_fold_that_is_unlike_the_others_is_seen() -> None:
    """Where one fold's errors are tenfold, its participants are not covered by the others'."""
    table = out_of_fold(1, 60, 3).query("repeat == 1")
    even = measured_coverage(table, {"t": (-99, 99)})["coverage"].item()
    odd = table.assign(observed=table["observed"].where(table["fold"] != 2, 30))
    assert even > 0.9
    assert measured_coverage(odd, {"t": (-99, 99)})["coverage"].item() < 0.7


def test_too_few_participants_have_the_whole_scale_and_a_note() -> None:
    """15 in the other folds cannot support 95 %; a single fold has nobody in others."""
    for n_folds in (4, 1):
        row = measured_coverage(out_of_fold(2, 20, n_folds), {"t": (-7, 7)}).iloc[0]
        assert (row["coverage"], row["mean_width"]) == (1, 14)
        assert "fewer than 19 participants" in row["note"]


@pytest.mark.parametrize("name", SETTINGS)
def test_new_participants_are_covered(name: str) -> None:
    """A small run of the benchmark: not below nominal by more than chance."""
    found = coverage(name, n_cohorts=12, n_new=50)
    assert found["coverage"] > found["level"] - 3 * found["monte_carlo_se"]
