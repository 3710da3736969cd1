from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.estimators import PENALTIES, REGISTRY, GroupedRidge, make


@pytest.fixture(params=[6, 60])
def data(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features narrower and wider than the 40 rows, three targets, 20 groups."""
    generator = np.random.default_rng(5)
    x = generator.normal(size=(40, request.param)) * generator.uniform(0.1, 10, request.param)
    signal = x[:, 0] / x[:, 0].std()
    y = np.c_[signal, 3 + signal + generator.normal(size=40), generator.normal(size=40)]
    return x, y, np.array([f"p{number % 20}" for number in range(40)])


def test_ridge_is_what_scikit_learn_s_grouped_grid_search_finds(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Target by target the same penalty, inner errors and predictions as GridSearchCV gives."""
    x, y, groups = data
    model = GroupedRidge(n_inner_folds=4, random_state=9).fit(x, y, groups)
    for target in range(3):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge(solver="cholesky")),
            {"ridge__alpha": np.array(PENALTIES) * x.shape[1]},
            scoring="neg_mean_squared_error",
            # folds of 5 of the 20 groups, 10 rows each: the mean over folds is that over rows
            cv=GroupKFold(4, shuffle=True, random_state=9),
        ).fit(x, y[:, target], groups=groups)
        assert model.alpha_[target] == search.best_params_["ridge__alpha"]
        np.testing.assert_allclose(
            model.squared_error_[:, target], -search.cv_results_["mean_test_score"], rtol=1e-6
        )
        np.testing.assert_allclose(model.predict(x)[:, target], search.predict(x), rtol=1e-6)


def test_the_penalty_is_tuned_on_whole_participants() -> None:
    """Rows that give away the person tempt a tuning that splits persons, and this one not.

    Five rows of each person are nearly alike and share a score that is pure noise: with inner
    folds of rows a weak penalty seems best, with inner folds of persons a strong one.
    """
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 5)
    x = generator.normal(size=(20, 20))[person] + 0.1 * generator.normal(size=(100, 20))
    y = generator.normal(size=(20, 4))[person]
    honest = GroupedRidge().fit(x, y, person)
    fooled = GroupedRidge().fit(x, y, np.arange(100))
    assert (honest.alpha_ / 20 >= 50).all()
    assert (fooled.alpha_ / 20 <= 0.1).all()
    assert (honest.squared_error_.min(axis=0) > 4 * fooled.squared_error_.min(axis=0)).all()


def test_shifting_and_scaling_features_changes_nothing(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Features are standardised, so their units do not matter."""
    x, y, groups = data
    plain = GroupedRidge().fit(x, y, groups).predict(x)
    scale = np.geomspace(1e-3, 1e3, x.shape[1])
    np.testing.assert_allclose(
        GroupedRidge().fit(x * scale + 7, y, groups).predict(x * scale + 7), plain, rtol=1e-6
    )


def test_a_feature_or_target_that_never_changes_does_no_harm(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """A constant target is predicted as that constant."""
    x, y, groups = data
    x, y = x.copy(), y.copy()
    x[:, 1], y[:, 1] = 4, 2
    predicted = GroupedRidge().fit(x, y, groups).predict(x)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted[:, 1], 2, rtol=1e-12)


def test_the_baseline_predicts_the_training_mean(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Whatever the features."""
    x, y, groups = data
    predicted = make("mean", 5, 0).fit(x, y, groups).predict(x[:3] * 100)
    np.testing.assert_allclose(predicted, np.tile(y.mean(axis=0), (3, 1)))


@pytest.mark.parametrize("name", [name for name, kind in REGISTRY.items() if not kind.pooling])
def test_estimators_keep_scikit_learn_s_manners(
    name: str, data: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    """They can be cloned, take one target, and insist on a participant for each row."""
    x, y, groups = data
    estimator = clone(make(name, 3, 1))
    assert estimator.fit(x, y[:, 0], groups) is estimator
    assert estimator.predict(x).shape == (40, 1)
    with pytest.raises(ValueError, match="inconsistent"):
        estimator.fit(x, y, groups[:-1])
    with pytest.raises(ValueError, match="features"):
        estimator.predict(x[:, :-1])


def test_an_unknown_estimator_is_an_error_that_lists_the_known() -> None:
    """As for every setting."""
    with pytest.raises(SettingsError, match=r"'svm'; allowed: ridge, .*, mean"):
        make("svm", 5, 0)


def test_where_nothing_predicts_the_ridge_is_the_mean() -> None:
    """Scores that the features have no part in get the training mean, not a shadow of noise.

    Nothing of a thousandth of a point remains that a correlation could take for a finding.
    """
    generator = np.random.default_rng(3)
    x = generator.normal(size=(20, 30))
    y = generator.normal(size=(20, 30))
    model = GroupedRidge().fit(x, y, np.arange(20))
    departure = np.abs(model.predict(x) - y.mean(axis=0)).max(axis=0)
    chosen = model.alpha_ == PENALTIES[0] * 30
    assert chosen.mean() > 0.3
    assert (departure[chosen] < 1e-10).all()
    assert (departure[~chosen] > 1e-4).all()
    signal = GroupedRidge().fit(x, x[:, :1], np.arange(20))
    assert signal.alpha_ < PENALTIES[1] * 30
