from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.pooling import pool


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


def test_what_cannot_be_pooled_is_refused() -> None:
    """Unknown pooling, wrong shapes, and values that are not finite, with the recording's name."""
    vectors, ids = np.ones((3, 2)), np.array(["a", "a", "b"])
    with pytest.raises(SettingsError, match="'max'; allowed: mean, mean_sd"):
        pool(vectors, ids, "max")
    with pytest.raises(ClinicError, match=r"shape \(3, 2\) for 2 windows"):
        pool(vectors, ids[:2])
    vectors[2, 1] = np.nan
    with pytest.raises(ClinicError, match="embeddings of b hold"):
        pool(vectors, ids)
