"""Cluster bootstrap intervals: an independent implementation, coverage, dependence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from emoclip_clinic.agreement.bootstrap import cluster_intervals, resample_counts
from emoclip_clinic.agreement.reliability import weighted_icc


def weighted_mean(values: np.ndarray):
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def test_each_resample_draws_as_many_clusters_as_there_are() -> None:
    """Counts of a resample sum to the number of clusters, and the seed decides them."""
    counts = resample_counts(12, 500, 3)
    assert counts.shape == (500, 12)
    assert (counts.sum(axis=1) == 12).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(12), abs=0.2)
    assert np.array_equal(counts, resample_counts(12, 500, 3))
    assert not np.array_equal(counts, resample_counts(12, 500, 4))


def test_bca_interval_is_that_of_scipy() -> None:
    """Of one subject a cluster and many clusters, the interval is scipy's BCa one."""
    values = np.random.default_rng(5).exponential(size=300)
    low, high = cluster_intervals(weighted_mean(values), np.arange(300), 20_000, 1)["mean"]
    known = stats.bootstrap((values,), np.mean, n_resamples=20_000, rng=2).confidence_interval
    width = known.high - known.low
    assert [low, high] == pytest.approx([known.low, known.high], abs=0.03 * width)


def test_repeating_everyone_does_not_shorten_the_interval() -> None:
    """Copies of each subject in its own cluster tell nothing new, and the interval stays."""
    values = np.random.default_rng(6).normal(size=40)
    clusters = np.arange(40)
    once = cluster_intervals(weighted_mean(values), clusters, 2000, 1)["mean"]
    twice = cluster_intervals(weighted_mean(np.tile(values, 2)), np.tile(clusters, 2), 2000, 1)
    assert twice["mean"] == pytest.approx(once)


def test_intervals_of_the_icc_cover_the_truth_when_people_come_twice() -> None:
    """Of 300 samples of 30 people, 20 of them seen twice, about 95 % of intervals hold the ICC."""
    rng = np.random.default_rng(11)
    clusters = np.concatenate([np.arange(30), np.arange(20)])
    bias, held = np.array([0, np.sqrt(0.2)]), {"ICC(A,1)": 0, "ICC(C,1)": 0}
    # variances: person 0.4, session 0.2, raters 0.1 (fixed biases), residual 0.3
    truth = {"ICC(A,1)": 0.6 / 1.0, "ICC(C,1)": 0.6 / 0.9}
    for seed in range(300):
        person = np.sqrt(0.4) * rng.normal(size=30)[clusters]
        subject = person + np.sqrt(0.2) * rng.normal(size=50)
        scores = subject[:, None] + bias + np.sqrt(0.3) * rng.normal(size=(50, 2))
        found = cluster_intervals(lambda w, s=scores: weighted_icc(s, w), clusters, 500, seed)
        for name, value in truth.items():
            held[name] += found[name][0] <= value <= found[name][1]
    assert all(0.9 < count / 300 < 0.985 for count in held.values())


@pytest.mark.parametrize(
    ("values", "clusters"),
    [([1.0, 2.0, 3.0], [0, 0, 1]), ([2.0, 2.0, 2.0, 2.0], [0, 1, 2, 2])],
)
def test_nothing_to_resample_gives_no_interval(values: list, clusters: list) -> None:
    """Fewer than three people, or a statistic that never varies, has no interval."""
    found = cluster_intervals(weighted_mean(np.array(values)), np.array(clusters), 100, 1)
    assert np.isnan(found["mean"]).all()
