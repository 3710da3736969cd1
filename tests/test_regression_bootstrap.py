from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from emoclip_clinic.regression.bootstrap import Distribution, distributions


def mean_of(values: NDArray[np.float64]) -> dict[str, Distribution]:
    """Distributions of the mean and of its exponential, a participant a value."""

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        mean = weights @ values / weights.sum(axis=1)
        return {"mean": mean, "exp": np.exp(mean)}

    return distributions(statistics, np.arange(len(values)), 2000, seed=1)


def test_the_interval_is_scipy_s_of_the_same_resamples() -> None:
    """Given scipy's own resamples, the ends are equal to the last digits.

    Ours at 95 % is scipy's at the level of the expanded quantile, 1 - 2 Phi(-sqrt(n / (n-1)) t).
    """
    values = np.random.default_rng(3).lognormal(size=25)
    tail = stats.norm.cdf(-np.sqrt(25 / 24) * stats.t(24).ppf(0.975))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=3000, confidence_level=1 - 2 * tail, method="BCa", rng=4
    )
    left_out = (values.sum() - values) / 24
    ours = Distribution(values.mean(), theirs.bootstrap_distribution, left_out, 25)
    assert ours.interval(0.95) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-12)


def test_the_standard_error_is_the_exact_bootstrap_s() -> None:
    """Six participants have 46 656 resamples: the error is as large as all of them say.

    The bootstrap's variance is corrected by n / (n - 1).
    """
    error = np.array([0.2, 1.1, 0.7, 2.0, 0.4, 0.9])

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"mae": weights @ error / weights.sum(axis=1)}

    found = distributions(statistics, np.arange(6), 100_000, seed=0)["mae"]
    every = error[np.array(list(itertools.product(range(6), repeat=6)))].mean(axis=1)
    exact = np.log(every).std() * np.sqrt(6 / 5)
    assert found.standard_error(np.log) == pytest.approx(exact, rel=0.01)
    low, high = found.t_interval(0.95, np.log, np.exp)
    assert np.log(high / low) / 2 == pytest.approx(exact * stats.t(5).ppf(0.975), rel=0.01)


@given(seed=st.integers(0, 2**32 - 1), level=st.floats(0.5, 0.99))
def test_taking_the_exponential_takes_the_interval_along(seed: int, level: float) -> None:
    """Quantiles move with a monotone scale; the acceleration changes by the curvature only.

    The resamples are the same, so the ends of exp(mean) are exp of the ends but for that.
    """
    values = 0.2 * np.random.default_rng(seed).normal(size=20)
    found = mean_of(values)
    expected = np.exp(found["mean"].interval(level))
    assert found["exp"].interval(level) == pytest.approx(expected, rel=0.02)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_p_value_is_the_interval_turned_round(seed: int) -> None:
    """At the level 1 - p one end of the interval is the null itself."""
    values = np.random.default_rng(seed).gamma(2, size=15)
    found = mean_of(values)["mean"]
    null = values.mean() + values.std() / 4
    p = found.p(null)
    assert 0 < p < 1
    low, high = found.interval(1 - p)
    assert min(abs(low - null), abs(high - null)) < 0.02 * np.ptp(values)
    below, above = found.interval(1 - 1.2 * p if p < 0.8 else 0.01)
    assert not below < null < above or p >= 0.8


def test_a_p_value_is_no_smaller_than_the_resamples_can_tell() -> None:
    """A null that no resample reaches has a p of about 2 / (n_resamples + 1), and not 0."""
    found = mean_of(np.random.default_rng(0).normal(size=30))["mean"]
    assert 2 / 2001 <= found.p(50.0) <= 5 / 2001


def test_a_null_mean_is_rejected_as_often_as_it_should_be() -> None:
    """Mean of 20 normal values, 1500 times: p is at most 0.05 in 3.6 to 6.4 %."""
    generator = np.random.default_rng(11)
    rejected = [mean_of(generator.normal(size=20))["mean"].p() <= 0.05 for _ in range(1500)]
    assert 0.036 <= np.mean(rejected) <= 0.064


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.arange(4.0), "fewer than 5 participants"),
        (np.ones(10), "the same in every resample"),
        (np.full(10, np.nan), "undefined for these scores"),
    ],
)
def test_where_there_is_no_interval_the_reason_is_said(
    values: NDArray[np.float64], problem: str
) -> None:
    """Ends and p-value are missing."""
    found = mean_of(values)["mean"]
    assert problem in found.problem
    assert np.isnan([*found.interval(0.95), found.p()]).all()


def test_equal_resamples_are_ties_whatever_their_last_digits() -> None:
    """Half of the draws equal the estimate but for rounding: they count by half, no shift is left.

    The ends are then those of the symmetric draws, as far above as below.
    """
    noise = 1e-15 * np.arange(100)
    drawn = np.concatenate([np.full(100, 0.3) + noise, np.linspace(0, 0.6, 100)])
    left_out = 0.3 + 0.1 * np.array([-1, 1, -1, 1, -1, 1.0])
    low, high = Distribution(0.3, drawn, left_out, 6).interval(0.9)
    assert low + high == pytest.approx(0.6)


def test_people_are_drawn_with_all_their_recordings() -> None:
    """Every weighting gives the recordings of a participant the same count."""
    cluster = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5])
    seen = []

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        seen.append(weights)
        return {"n": weights.sum(axis=1)}

    distributions(statistics, cluster, 50, seed=0)
    weights = np.concatenate(seen)
    first = np.unique(cluster, return_index=True)[1]
    assert (weights == weights[:, first][:, cluster]).all()
    assert (weights[1:51][:, first].sum(axis=1) == 6).all()
    assert len(weights) == 1 + 50 + 6
