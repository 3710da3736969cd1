from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.pooling import pool


@pytest.fixture
def windows() -> tuple[np.ndarray, np.ndarray]:
    """Seven windows of three recordings, out of order."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(7, 4)), np.array(["b", "a", "c", "a", "b", "b", "c"])


def test_windows_are_kept_in_order_of_recording_and_time(
    windows: tuple[np.ndarray, np.ndarray],
) -> None:
    """Within a recording the given order, which is that of time, stays."""
    vectors, names = windows
    inputs = Inputs.of_windows(vectors, names)
    assert list(inputs.recordings) == ["a", "b", "c"]
    np.testing.assert_array_equal(inputs.vectors, vectors[[1, 3, 0, 4, 5, 2, 6]])
    pd.testing.assert_frame_equal(inputs.pooled("mean_sd"), pool(vectors, names, "mean_sd"))


def test_some_recordings_are_as_if_there_were_no_others(
    windows: tuple[np.ndarray, np.ndarray],
) -> None:
    """Windows, pooled features and covariates of the taken recordings, and nothing else."""
    vectors, names = windows
    covariates = pd.DataFrame({"age": [30, 40, 50]}, index=["c", "a", "b"])
    whole = Inputs.of_windows(vectors, names, covariates)
    whole.pooled("mean")
    part = whole.take(np.array([0, 2]))
    own = np.isin(names, ["a", "c"])
    alone = Inputs.of_windows(vectors[own], names[own], covariates)
    assert list(part.recordings) == ["a", "c"]
    np.testing.assert_array_equal(part.vectors, alone.vectors)
    np.testing.assert_array_equal(part.window_of, alone.window_of)
    for how in ("mean", "mean_sd"):
        pd.testing.assert_frame_equal(part.pooled(how), alone.pooled(how))
    assert part.covariates is not None
    assert part.covariates["age"].tolist() == [40, 30]


def test_features_that_are_pooled_already_stay_as_they_are() -> None:
    """One row a recording, whatever the pooling is called."""
    x = pd.DataFrame({"f": [2.0, 1.0]}, index=["b", "a"])
    inputs = Inputs.of_features(x)
    pd.testing.assert_frame_equal(inputs.pooled("mean_sd"), x.sort_index())
    assert inputs.take(np.array([1])).pooled("mean")["f"].tolist() == [2.0]


def test_what_cannot_be_used_is_refused(windows: tuple[np.ndarray, np.ndarray]) -> None:
    """Numbers that are none, rows given twice, windows without a recording."""
    vectors, names = windows
    with pytest.raises(ClinicError, match="not finite"):
        Inputs.of_windows(np.where(vectors > 1, np.nan, vectors), names)
    with pytest.raises(ClinicError, match="6 windows"):
        Inputs.of_windows(vectors, names[:-1])
    with pytest.raises(ClinicError, match="given twice"):
        Inputs.of_features(pd.DataFrame({"f": [1.0, 2.0]}, index=["a", "a"]))
    with pytest.raises(ClinicError, match="not a finite number"):
        Inputs.of_features(pd.DataFrame({"f": [1.0, np.inf]}, index=["a", "b"]))
