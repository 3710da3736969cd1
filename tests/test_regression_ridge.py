from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emoclip_clinic.regression import ridge
from emoclip_clinic.regression.ridge import GroupedRidge

PENALTIES = tuple(np.logspace(3, -3, 20).tolist())


def data(n_features: int, n: int = 40, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give features of uneven size, three targets, every second row of another group."""
    generator = np.random.default_rng(seed)
    x = 3 + generator.normal(size=(n, n_features)) * generator.uniform(0.1, 10, n_features)
    signal = x[:, 0] / x[:, 0].std()
    y = np.c_[signal, 3 + signal + generator.normal(size=n), generator.normal(size=n)]
    return x, y, np.array([f"p{number % (n // 2)}" for number in range(n)])


@pytest.mark.parametrize("n_features", [6, 38, 40, 400])
def test_predictions_are_those_of_scikit_learn_s_grid_search(n_features: int) -> None:
    """Fewer, as many and more features than rows: equal to 1e-8, with equal penalties."""
    x, y, groups = data(n_features)
    new = data(n_features, seed=6)[0]
    model = GroupedRidge(PENALTIES, 4, 9).fit(x, y, groups)
    for target in range(3):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": np.array(PENALTIES) * n_features},
            scoring="neg_mean_squared_error",
            # folds of 5 of the 20 groups, 10 rows each: the mean over folds is that over rows
            cv=GroupKFold(4, shuffle=True, random_state=9),
        ).fit(x, y[:, target], groups=groups)
        assert model.alpha_[target] == search.best_params_["ridge__alpha"]
        np.testing.assert_allclose(model.predict(new)[:, target], search.predict(new), rtol=1e-8)


@pytest.mark.parametrize("n_features", [6, 400])
def test_coefficients_are_scikit_learn_s(n_features: int) -> None:
    """In points a unit of the raw feature, with the intercept where all features are 0."""
    x, y, groups = data(n_features)
    model = GroupedRidge(PENALTIES, 4, 9).fit(x, y, groups)
    scaler = StandardScaler().fit(x)
    plain = Ridge(model.alpha_).fit(scaler.transform(x), y)
    np.testing.assert_allclose(model.weights_, plain.coef_, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(x @ model.coef_.T + model.intercept_, model.predict(x), rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    n_features=st.integers(1, 30),
    n_targets=st.integers(1, 40),
    n_groups=st.integers(3, 12),
    seed=st.integers(0, 2**31),
)
def test_the_short_way_for_many_targets_is_the_same_way(
    n_features: int, n_targets: int, n_groups: int, seed: int
) -> None:
    """`fit_predict` gives what `fit` and `predict` give, and targets do not touch one another."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(24, n_features))
    y = generator.normal(size=(24, n_targets))
    groups = np.arange(24) % n_groups
    new = generator.normal(size=(5, n_features))
    model = GroupedRidge(n_inner_folds=3)
    together = model.fit(x, y, groups).predict(new)
    np.testing.assert_allclose(model.fit_predict(x, y, groups, new), together, atol=1e-9)
    alone = GroupedRidge(n_inner_folds=3).fit(x, y[:, :1], groups).predict(new)
    np.testing.assert_allclose(together[:, :1], alone, atol=1e-9)


def test_targets_in_chunks_are_the_same_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many are held in memory at once changes no result."""
    x, y, groups = data(50)
    whole = GroupedRidge().fit(x, y, groups)
    monkeypatch.setattr(ridge, "CHUNK", 1)
    chunked = GroupedRidge().fit(x, y, groups)
    np.testing.assert_array_equal(whole.alpha_, chunked.alpha_)
    np.testing.assert_allclose(whole.squared_error_, chunked.squared_error_, rtol=1e-12)
