from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression import Design, FittedModel, fit_model
from emoclip_clinic.regression.drivers import (
    EXACT,
    OCCLUSION,
    coefficients,
    drivers,
    fold_stability,
    stability,
)
from emoclip_clinic.regression.fitted import Features
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.recipes import RecipeModel

DIMENSIONS, PEOPLE = 3, 30


def windows(seed: int, n: int) -> tuple[Inputs, pd.DataFrame]:
    """Windows of n recordings, 1 to 9 each, in an order that is not theirs; and their table."""
    generator = np.random.default_rng(seed)
    counts = np.r_[1, generator.integers(2, 10, n - 1)]
    names = np.repeat([f"sub-{number:03d}" for number in range(n)], counts)
    number = np.concatenate([np.arange(count) for count in counts])
    order = generator.permutation(len(names))
    table = pd.DataFrame({"recording": names, "window": number}).iloc[order]
    table = table.assign(start_s=2.0 * table["window"], stop_s=2.0 * table["window"] + 2)
    level = generator.normal(size=(n, DIMENSIONS))[np.repeat(np.arange(n), counts)]
    vectors = (level + generator.normal(size=level.shape))[order]
    return Inputs.of_windows(vectors, table["recording"].to_numpy()), table


def fitted(pooling: str, recipe: str = "ridge") -> FittedModel:
    inputs, _ = windows(0, PEOPLE)
    means = inputs.pooled("mean_sd").to_numpy()
    noise = np.random.default_rng(1).normal(size=(PEOPLE, 2))
    y = pd.DataFrame(means[:, [0, 4]] + 0.3 * noise, inputs.recordings, ["level", "change"])
    who = pd.Series(inputs.recordings, index=inputs.recordings)
    return fit_model(
        inputs,
        y,
        who,
        recipe,
        scale="toy",
        features=Features("e", "f" * 64, pooling),
        ranges=dict.fromkeys(y, (-9.0, 9.0)),
        design=Design(n_folds=5, n_repeats=1, n_inner_folds=3),
    )


@pytest.mark.parametrize("pooling", ["mean", "mean_sd"])
def test_contributions_add_up_to_the_prediction(pooling: str) -> None:
    """Of every recording and target, one of a single window too: prediction less the mean."""
    model, (inputs, table) = fitted(pooling), windows(2, 12)
    moved = drivers(model, inputs, table)
    assert set(moved["method"]) == {EXACT}
    sums = moved.pivot_table(
        index="recording", columns="target", values="contribution", aggfunc="sum"
    )
    (regression,) = model.regressions
    predicted = pd.DataFrame(
        regression.model.predict(inputs), inputs.recordings, [*regression.targets]
    )
    training, _ = windows(0, PEOPLE)
    mean = regression.model.predict(training).mean(axis=0)
    pd.testing.assert_frame_equal(
        sums[[*regression.targets]], predicted - mean, check_names=False, rtol=1e-9
    )


def test_windows_keep_their_number_and_time() -> None:
    """In whatever order the table is: the window with the extreme vector is found where it lies."""
    _, table = windows(3, 8)
    row = int(np.flatnonzero(table["window"].to_numpy() == 3)[0])
    vectors = np.zeros((len(table), DIMENSIONS))
    vectors[row] = 50
    changed = Inputs.of_windows(vectors, table["recording"].to_numpy())
    moved = drivers(fitted("mean"), changed, table).query("target == 'level'")
    furthest = moved.loc[(moved["contribution"] - moved["contribution"].median()).abs().idxmax()]
    assert furthest["recording"] == table["recording"].iloc[row]
    assert (furthest["window"], furthest["start_s"], furthest["stop_s"]) == (3, 6.0, 8.0)
    assert list(moved["recording"]) == sorted(moved["recording"])


def test_leaving_a_window_out_of_a_mean_is_its_deviation() -> None:
    """For a linear model of means: n / (n - 1) of the exact contribution, less their mean."""
    model, (inputs, table) = fitted("mean"), windows(4, 6)
    exact = drivers(model, inputs, table)
    hide_coefficients(model)
    occluded = drivers(model, inputs, table)
    assert set(occluded["method"]) == {OCCLUSION}
    group = exact.groupby(["recording", "target"])["contribution"]
    n, several = group.transform("size"), group.transform("size") > 1
    expected = (exact["contribution"] - group.transform("mean")) * n / (n - 1)
    np.testing.assert_allclose(occluded.loc[several, "contribution"], expected[several], atol=1e-9)
    np.testing.assert_allclose(
        occluded.loc[~several, "contribution"], exact.loc[~several, "contribution"], atol=1e-9
    )


class Opaque:
    """A regression that shows nothing of its inside."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict as the inner one does."""
        return np.asarray(self.inner.predict(x))


def hide_coefficients(model: FittedModel) -> None:
    for regression in model.regressions:
        regression.model.model_ = Opaque(regression.model.model_)


@pytest.mark.parametrize("width", [DIMENSIONS, 2])
def test_coefficients_that_do_not_make_the_predictions_are_not_used(width: int) -> None:
    """What another estimator calls coef_ may mean something else, or be of components."""
    model, (inputs, table) = fitted("mean"), windows(4, 3)
    hide_coefficients(model)
    for regression in model.regressions:
        regression.model.model_.coef_ = np.ones((2, width))
        regression.model.model_.intercept_ = np.zeros(2)
    assert set(drivers(model, inputs, table)["method"]) == {OCCLUSION}


def test_occlusion_in_parts_is_occlusion_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long recording is predicted less its windows some at a time."""
    model, (inputs, table) = fitted("mean_sd"), windows(5, 4)
    hide_coefficients(model)
    whole = drivers(model, inputs, table)
    monkeypatch.setattr("emoclip_clinic.regression.drivers.AT_ONCE", 2)
    pd.testing.assert_frame_equal(drivers(model, inputs, table), whole)


def test_coefficients_are_of_the_raw_features() -> None:
    """Times the features, plus the intercept, they are the prediction."""
    inputs, _ = windows(6, 9)
    (regression,) = fitted("mean_sd").regressions
    found = coefficients(regression.model)
    assert found is not None
    expected = inputs.pooled("mean_sd").to_numpy() @ found[0].T + found[1]
    np.testing.assert_allclose(regression.model.predict(inputs), expected, rtol=1e-9)
    mean = RecipeModel("mean").fit(inputs, np.ones((9, 1)), np.arange(9))
    assert coefficients(mean) is None


def test_drivers_need_the_windows_and_their_table() -> None:
    """Pooled features, or segments of other recordings, are errors that say what is needed."""
    model, (inputs, table) = fitted("mean"), windows(4, 3)
    with pytest.raises(ClinicError, match="pooled already"):
        drivers(model, Inputs.of_features(inputs.pooled("mean")), table)
    with pytest.raises(ClinicError, match="a row a window"):
        drivers(model, inputs, table.iloc[1:])


@given(seed=st.integers(0, 2**32 - 1), n_models=st.integers(2, 7), zeros=st.integers(0, 4))
def test_stability_is_the_mean_over_pairs(seed: int, n_models: int, zeros: int) -> None:
    """Cosine similarity as scipy has it; signs counted pair by pair where neither is 0."""
    every = np.random.default_rng(seed).normal(size=(n_models, 1, 5))
    every[0, 0, :zeros] = 0
    found = stability(every, ["a"]).iloc[0]
    assert found["cosine"] == pytest.approx(1 - pdist(every[:, 0], "cosine").mean())
    products = [
        a * b
        for one in range(n_models)
        for other in range(one)
        for a, b in zip(every[one, 0], every[other, 0], strict=True)
        if a * b != 0
    ]
    assert found["sign_agreement"] == pytest.approx(np.mean(np.array(products) > 0))


def test_models_that_are_the_mean_have_no_direction() -> None:
    """They are counted apart; with fewer than two others nothing can be compared."""
    every = np.zeros((3, 1, 4))
    every[0] = 1
    found = stability(every, ["a"]).iloc[0]
    assert (found["n_models"], found["n_mean_only"]) == (1, 2)
    assert np.isnan(found["cosine"])
    assert np.isnan(found["sign_agreement"])


def test_folds_agree_about_a_signal() -> None:
    """Coefficients of a true effect point the same way in every fold; without any, no row."""
    table = fold_stability(fitted("mean"))
    assert list(table["target"]) == ["level", "change"]
    assert table["cosine"].iloc[0] > 0.9
    assert fold_stability(fitted("mean", "mean")).empty
