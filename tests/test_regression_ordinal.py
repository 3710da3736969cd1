from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from statsmodels.miscmodels.ordinal_model import OrderedModel

from emoclip_clinic.regression import ordinal
from emoclip_clinic.regression.ordinal import OrdinalRidge


def ratings(n: int = 300, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ratings 1 to 5 of a latent severity with logistic noise."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d))
    latent = x @ np.linspace(1, -0.5, d) + generator.logistic(size=n)
    return x, 1.0 + np.digitize(latent, [-2, -0.5, 0.7, 2])


def test_without_penalty_it_is_the_proportional_odds_model() -> None:
    """Thresholds, coefficients and probabilities of statsmodels' OrderedModel."""
    x, y = ratings()
    own = OrdinalRidge(alpha=0).fit(x, y)
    model = OrderedModel(y, x, distr="logit")
    other = model.fit(method="bfgs", disp=False, gtol=1e-8)
    np.testing.assert_allclose(own.coef_, other.params[:3], atol=1e-3)
    thresholds = model.transform_threshold_params(other.params)[1:-1]
    np.testing.assert_allclose(own.thresholds_, thresholds, atol=1e-3)
    np.testing.assert_allclose(own.predict_proba(x), other.predict(x), atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(
    n_values=st.integers(2, 6), d=st.integers(1, 5), alpha=st.floats(0, 5), seed=st.integers(0, 999)
)
def test_the_gradient_is_that_of_the_loss(n_values: int, d: int, alpha: float, seed: int) -> None:
    """By finite differences, at any parameters."""
    generator = np.random.default_rng(seed)
    rows, category = generator.normal(size=(20, d)), generator.integers(0, n_values, 20)
    start = generator.normal(size=n_values - 1 + d)
    arguments = rows, category, n_values, alpha
    error = check_grad(
        lambda p: ordinal._loss(p, *arguments)[0],
        lambda p: ordinal._loss(p, *arguments)[1],
        start,
    )
    assert error < 1e-4 * max(1, np.linalg.norm(ordinal._loss(start, *arguments)[1]))


def test_more_features_than_rows_are_reduced_without_loss() -> None:
    """The optimum in the space of the rows is the optimum: no step in any direction betters it."""
    x, y = ratings(30, 100)
    model = OrdinalRidge(alpha=2.0, max_iter=2000).fit(x, y)
    steps = np.r_[model.thresholds_[0], np.log(np.diff(model.thresholds_))]
    category = np.unique(y, return_inverse=True)[1]
    _, gradient = ordinal._loss(np.r_[steps, model.coef_], x, category, len(model.values_), 2.0)
    assert np.abs(gradient).max() < 0.02


def test_only_the_order_of_scores_enters_the_model() -> None:
    """Stretched scores have the same probabilities; the expectation has the stretched values."""
    x, y = ratings(100)
    plain, stretched = OrdinalRidge().fit(x, y), OrdinalRidge().fit(x, y**3)
    np.testing.assert_allclose(plain.predict_proba(x), stretched.predict_proba(x))
    np.testing.assert_allclose(stretched.predict(x), plain.predict_proba(x) @ plain.values_**3)


def test_a_strong_penalty_gives_the_shares_of_the_training_set() -> None:
    """Then everyone is expected to have the mean."""
    x, y = ratings(100)
    predicted = OrdinalRidge(alpha=1e9).fit(x, y).predict(x)
    np.testing.assert_allclose(predicted, y.mean(), atol=1e-4)


@pytest.mark.parametrize("y", [np.full(10, 3.0), np.r_[3.0, np.full(9, 4.0)]])
def test_scores_of_one_or_two_values_do_no_harm(y: np.ndarray) -> None:
    """A constant is predicted as such."""
    x = np.random.default_rng(0).normal(size=(10, 4))
    predicted = OrdinalRidge().fit(x, y).predict(x)
    assert ((predicted >= y.min()) & (predicted <= y.max())).all()
