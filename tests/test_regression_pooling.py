from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.pooling import POOLINGS, STATISTICS, pool


@given(counts=st.lists(st.integers(1, 7), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_each_recording_has_the_mean_and_sd_of_its_windows(counts: list[int], seed: int) -> None:
    """Numpy's mean and population SD, whatever the order in which the windows come."""
    generator = np.random.default_rng(seed)
    ids = np.repeat([f"rec-{number}" for number in range(len(counts))], counts)
    vectors = generator.normal(size=(len(ids), 3)).astype(np.float32)
    order = generator.permutation(len(ids))
    pooled = pool(vectors[order], ids[order])
    assert list(pooled.columns) == [f"{how}_000{k}" for how in ("mean", "sd") for k in range(3)]
    for name in set(ids):
        own = vectors[ids == name].astype(float)
        expected = np.r_[own.mean(axis=0), own.std(axis=0)]
        np.testing.assert_allclose(pooled.loc[name], expected, rtol=1e-12, atol=1e-12)


def test_one_window_has_no_spread() -> None:
    """A single window is its recording's mean, with SD 0."""
    pooled = pool(np.array([[1.5, -2]], dtype=np.float32), np.array(["007"]))
    assert pooled.index.tolist() == ["007"]
    assert pooled.to_numpy().tolist() == [[1.5, -2, 0, 0]]


def test_the_mean_alone_can_be_had() -> None:
    """How = mean gives d features."""
    pooled = pool(np.arange(6.0).reshape(3, 2), np.array(["a", "a", "b"]), "mean")
    assert pooled.to_numpy().tolist() == [[1, 2], [4, 5]]


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_quantiles_and_changes_are_those_of_numpy(counts: list[int], seed: int) -> None:
    """Of each recording alone, whether its windows come in one run or between those of others."""
    generator = np.random.default_rng(seed)
    ids = generator.permutation(np.repeat([f"rec-{k}" for k in range(len(counts))], counts))
    vectors = generator.normal(size=(len(ids), 3))
    quantiles, differences = (pool(vectors, ids, how) for how in ("quantiles", "differences"))
    for name in set(ids):
        own = vectors[ids == name]
        expected = np.quantile(own, [0.1, 0.25, 0.5, 0.75, 0.9], axis=0)
        np.testing.assert_allclose(quantiles.loc[name], expected.ravel(), atol=1e-12)
        change = np.diff(own, axis=0) if len(own) > 1 else np.zeros((1, 3))
        expected = np.r_[own.mean(axis=0), np.abs(change).mean(axis=0), change.std(axis=0)]
        np.testing.assert_allclose(differences.loc[name], expected, atol=1e-12)


def test_only_changes_depend_on_the_order_of_time() -> None:
    """The same windows in another order have other changes, and else the same features."""
    vectors, ids = np.array([[0.0], [1], [0], [1]]), np.repeat("a", 4)
    calm = np.sort(vectors, axis=0)
    for how in ("mean", "mean_sd", "quantiles"):
        np.testing.assert_array_equal(pool(vectors, ids, how), pool(calm, ids, how))
    assert pool(vectors, ids, "differences").loc["a", "change_0000"] == 1
    assert pool(calm, ids, "differences").loc["a", "change_0000"] == pytest.approx(1 / 3)


def test_every_pooling_says_what_it_is() -> None:
    """A label for reports, statistics that exist, and one way of making rows."""
    for name, pooling in POOLINGS.items():
        assert pooling.label, name
        assert set(pooling.statistics) <= set(STATISTICS), name
        assert not (pooling.statistics and pooling.learns), name
    assert [name for name, pooling in POOLINGS.items() if pooling.learns] == ["fisher"]
    needing = [name for name in POOLINGS if POOLINGS[name].needs_windows]
    assert needing == ["fisher", "windows", "frames"]


def test_what_cannot_be_pooled_is_refused() -> None:
    """Unknown pooling, wrong shapes, and values that are not finite, with the recording's name."""
    vectors, ids = np.ones((3, 2)), np.array(["a", "a", "b"])
    with pytest.raises(SettingsError, match=r"'max'; allowed: mean, mean_sd, .*, windows"):
        pool(vectors, ids, "max")
    for how in ("fisher", "windows"):
        with pytest.raises(SettingsError, match=f"'{how}' has .* allowed here: mean, .*erences"):
            pool(vectors, ids, how)
    with pytest.raises(ClinicError, match=r"shape \(3, 2\) for 2 windows"):
        pool(vectors, ids[:2])
    vectors[2, 1] = np.nan
    with pytest.raises(ClinicError, match="embeddings of b hold"):
        pool(vectors, ids)
