from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from emoclip_clinic.regression.candidates import RULES
from emoclip_clinic.regression.crossval import cross_validate
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.ordinal import OrdinalRidge
from emoclip_clinic.regression.search import MEAN, GroupedSearch

DESIGN = Design(n_folds=4, n_repeats=1, n_inner_folds=3, seed=3)
D = 6


def data(n: int = 40, d: int = D, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give features of uneven size, a linear target, a curved one and noise; 2 rows a group."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d))
    y = np.c_[
        10 + 3 * x[:, 0] + generator.normal(size=n),
        x[:, 1] ** 2 + 0.3 * generator.normal(size=n),
        generator.normal(size=n),
    ]
    return x * np.linspace(0.1, 10, d), y, np.arange(n) // 2


# scikit-learn's own regressor and its names for what is tried
ORACLES = {
    "kernel_ridge": (KernelRidge(kernel="rbf"), {"alpha": "alpha", "gamma": "width"}),
    "svr": (SVR(epsilon=0.1), {"C": "C", "gamma": "width"}),
    "pls": (PLSRegression(scale=False), {"n_components": "components"}),
    "elastic_net": (
        ElasticNet(max_iter=5000, tol=1e-3), {"alpha": "alpha", "l1_ratio": "l1_ratio"}
    ),
    "ordinal": (OrdinalRidge(), {"alpha": "penalty"}),
}  # fmt: skip
SCALES = {"width": 1 / D, "penalty": D}


@pytest.mark.parametrize("kind", ORACLES)
def test_it_is_scikit_learn_s_grouped_grid_search(kind: str) -> None:
    """Target by target the best candidate, its error and predictions are those of GridSearchCV."""
    x, y, groups = data()
    regressor, names = ORACLES[kind]
    step = type(regressor).__name__.lower()
    grid = {
        f"regressor__{step}__{own}": [
            min(value, D) if ours == "components" else value * SCALES.get(ours, 1)
            for value in RULES[kind].grid[ours]
        ]
        for own, ours in names.items()
    }
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), regressor), transformer=StandardScaler()
    )
    model = GroupedSearch(kind, 4, 7).fit(x, y, groups)
    for target in range(3):
        search = GridSearchCV(
            whole,
            grid,
            scoring="neg_mean_squared_error",
            # folds of 5 of the 20 groups, 10 rows each: the mean over folds is that over rows
            cv=GroupKFold(4, shuffle=True, random_state=7),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(x, y[:, target], groups=groups)
        least = model.squared_error_[1:, target].min()
        assert least == pytest.approx(-search.best_score_, rel=1e-3)
        if model.chosen_[target] != MEAN:
            found = np.ravel(search.predict(x))
            np.testing.assert_allclose(
                model.predict(x)[:, target], found, atol=1e-2 * y[:, target].std()
            )


def test_where_nothing_is_better_than_the_mean_the_mean_is_the_model() -> None:
    """Noise gets the training mean exactly, and the attribute says so."""
    x, _, groups = data(seed=1)
    noise = np.random.default_rng(5).normal(size=(40, 20))
    model = GroupedSearch("kernel_ridge", 4, 7).fit(x, noise, groups)
    constant = model.chosen_ == MEAN
    assert constant.mean() > 0.3
    predicted = model.predict(x)
    np.testing.assert_allclose(predicted.mean(axis=0)[constant], noise.mean(axis=0)[constant])
    assert (np.ptp(predicted[:, constant], axis=0) == 0).all()
    assert (np.ptp(predicted[:, ~constant], axis=0) > 0).all()


@pytest.mark.parametrize("kind", [name for name in RULES if not RULES[name].joint])
def test_targets_do_not_touch_one_another(kind: str) -> None:
    """Alone or beside others, a target gets the same predictions."""
    x, y, groups = data()
    together = GroupedSearch(kind, 3, 1).fit(x, y, groups).predict(x)
    alone = GroupedSearch(kind, 3, 1).fit(x, y[:, :1], groups).predict(x)
    # the optimisers stop where they are content: at other digits for other last digits
    np.testing.assert_allclose(together[:, :1], alone, atol=1e-2 * y[:, 0].std())


def test_the_gaussian_process_is_scikit_learn_s() -> None:
    """On standardised features and scores, its kernel by the marginal likelihood."""
    x, y, groups = data()
    model = GroupedSearch("gaussian_process", 3, 1).fit(x, y, groups)
    z = StandardScaler().fit_transform(x)
    kernel = RULES["gaussian_process"].make(x.shape, 1).kernel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = GaussianProcessRegressor(kernel, random_state=1).fit(
            z, (y[:, 0] - y[:, 0].mean()) / y[:, 0].std()
        )
    expected = plain.predict(z) * y[:, 0].std() + y[:, 0].mean()
    np.testing.assert_allclose(model.predict(x)[:, 0], expected, rtol=1e-6)


def test_the_head_is_one_network_for_all_targets() -> None:
    """512 -> 256 -> n: one hidden layer that all targets share, and one number of epochs."""
    x, y, groups = data()
    model = GroupedSearch("head", 3, 1).fit(x, y, groups)
    assert len(set(model.chosen_)) == 1
    ((_, network),) = model.models_
    assert [layer.shape for layer in network.coefs_] == [(D, 256), (256, 3)]
    assert network.n_iter_ == model.candidates_[model.chosen_[0]]["epochs"]
    again = GroupedSearch("head", 3, 1).fit(x, y, groups)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert REGISTRY["head"].joint


OF_VECTORS = [name for name, kind in REGISTRY.items() if not kind.pooling]


def cohort(n: int = 60, seed: int = 4) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Give a target in the line of a feature, one in its square, and noise."""
    generator = np.random.default_rng(seed)
    index = [f"r{number:02d}" for number in range(n)]
    x = generator.normal(size=(n, 3))
    y = np.c_[x[:, 0], x[:, 1] ** 2, generator.normal(size=n)] + 0.2 * generator.normal(size=(n, 3))
    people = pd.Series([f"p{number:02d}" for number in range(n)], index=index)
    columns = ["line", "square", "noise"]
    return pd.DataFrame(x, index=index), pd.DataFrame(y, index=index, columns=columns), people


@pytest.mark.slow
def test_what_each_can_find_it_finds() -> None:
    """All find a line, the kernels a square too, and none finds anything in noise."""
    x, y, people = cohort()
    models = [name for name in OF_VECTORS if name != "mean"]
    out = cross_validate(x, y, people, DESIGN, [*models, "mean"]).predictions
    error = (out["observed"] - out["predicted"]) ** 2
    error = error.groupby([out["model"], out["target"]], sort=False).mean().unstack()
    gain = 1 - error / error.loc["mean"]
    assert (gain.loc[models, "line"] > 0.6).all(), gain
    for name in ("kernel_ridge", "svr", "gaussian_process"):
        assert gain.loc[name, "square"] > 0.4, gain
    assert gain.loc["ridge", "square"] < 0.1
    assert (gain.loc[models, "noise"] < 0.1).all(), gain


@pytest.mark.parametrize("name", [name for name in OF_VECTORS if name != "mean"])
def test_each_bears_what_studies_are_like(name: str) -> None:
    """8 participants, gaps in the scores, a constant feature: numbers come out, or a reason."""
    x, y, people = cohort(8)
    x["constant"] = 2.0
    y.iloc[0, 1] = np.nan
    result = cross_validate(x, y.round(), people, Design(n_folds=4, n_repeats=1), [name, "mean"])
    assert np.isfinite(result.predictions["predicted"]).all()


@pytest.mark.parametrize("name", [name for name in OF_VECTORS if name not in ("mean", "head")])
def test_no_scaling_and_no_tuning_sees_the_test_fold(name: str) -> None:
    """Absurd scores and features of a participant change nothing that is learnt for their fold.

    Were features or scores standardised, or a candidate chosen, with the test rows, it would move.
    """
    x, y, people = cohort(20)
    splits = cross_validate(x, y, people, DESIGN, ["mean"]).splits.set_index("participant")
    own = splits.index[splits["fold"] == 1]
    rows = people.index[people.isin(own)]
    one = rows[:1]
    manifest = splits.reset_index()
    before = cross_validate(x, y, people, DESIGN, [name], splits=manifest).predictions
    wild_x, wild_y = x.copy(), y.copy()
    wild_x.loc[one] *= 1e3
    wild_y.loc[rows] += 1e4
    after = cross_validate(wild_x, wild_y, people, DESIGN, [name], splits=manifest).predictions
    kept = before["recording"].isin(rows.difference(one))
    np.testing.assert_allclose(
        after.loc[kept, "predicted"], before.loc[kept, "predicted"], rtol=1e-9
    )
