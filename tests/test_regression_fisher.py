from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from emoclip_clinic.regression.fisher import FisherVectors, gradients, normalised

WINDOW_OF = np.repeat(np.arange(12), [1, 3, 7, 9, 10, 10, 10, 10, 10, 10, 10, 10])


@pytest.fixture
def vectors() -> np.ndarray:
    """Three clusters of windows in 6 dimensions."""
    generator = np.random.default_rng(3)
    centres = 4 * generator.normal(size=(3, 6))
    return centres[generator.integers(3, size=len(WINDOW_OF))] + generator.normal(
        size=(len(WINDOW_OF), 6)
    )


def log_likelihood(points: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> float:
    """Mean over windows of the mixture's log density; theta (2, n_gaussians, n_components)."""
    mu, sigma = theta
    each = norm.logpdf(points[:, np.newaxis], mu, sigma).sum(axis=2) + np.log(weights)
    return float(logsumexp(each, axis=1).mean())


def test_a_fisher_vector_is_the_scaled_gradient_of_the_log_likelihood(vectors: np.ndarray) -> None:
    """Central differences of scipy's densities, times sigma / sqrt(w) and sigma / sqrt(2 w)."""
    pooling = FisherVectors(n_components=3, n_gaussians=3).fit(vectors, WINDOW_OF)
    mixture, points = pooling.mixture_, pooling.pca_.transform(vectors) / pooling.scale_
    found = gradients(mixture, points, WINDOW_OF)
    theta = np.stack([mixture.means_, np.sqrt(mixture.covariances_)])
    assert theta.shape == (2, 3, 3)
    w = mixture.weights_[:, np.newaxis]
    scale = np.stack([theta[1] / np.sqrt(w), theta[1] / np.sqrt(2 * w)])
    for recording in (0, 1, 5):
        own = points[recording == WINDOW_OF]
        gradient = np.empty_like(theta)
        for place in np.ndindex(theta.shape):
            step = np.zeros_like(theta)
            step[place] = 1e-5
            up, down = (
                log_likelihood(own, mixture.weights_, theta + sign * step) for sign in (1, -1)
            )
            gradient[place] = (up - down) / 2e-5
        np.testing.assert_allclose(found[recording], (gradient * scale).ravel(), atol=1e-7)


def test_vectors_are_rooted_and_have_length_one(vectors: np.ndarray) -> None:
    """The signed square root of the gradient, over its length; a zero vector stays zero."""
    np.testing.assert_allclose(normalised(np.array([[9.0, -16, 0]])), [[0.6, -0.8, 0]])
    assert not normalised(np.zeros((1, 3))).any()
    found = FisherVectors().fit(vectors, WINDOW_OF).transform(vectors, WINDOW_OF)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)


def test_training_windows_on_the_whole_have_no_gradient(vectors: np.ndarray) -> None:
    """At the maximum of the likelihood the gradient vanishes: the mixture is that of training."""
    pooling = FisherVectors(n_components=2, n_gaussians=3).fit(vectors, WINDOW_OF)
    points = pooling.pca_.transform(vectors) / pooling.scale_
    whole = gradients(pooling.mixture_, points, np.zeros(len(points), dtype=int))
    assert np.abs(whole).max() < 0.01


def test_a_recording_is_pooled_as_if_alone(vectors: np.ndarray) -> None:
    """Its vector does not depend on which other recordings are transformed, nor on time."""
    pooling = FisherVectors().fit(vectors, WINDOW_OF)
    own = vectors[WINDOW_OF == 4]
    alone = pooling.transform(own[::-1], np.zeros(len(own), dtype=int))
    np.testing.assert_allclose(alone[0], pooling.transform(vectors, WINDOW_OF)[4], atol=1e-12)


def test_few_or_equal_windows_make_a_small_vocabulary() -> None:
    """A Gaussian for ten different windows, a component where something varies; no warning."""
    still = FisherVectors().fit(np.ones((30, 5)), np.arange(30))
    assert (still.mixture_.n_components, still.pca_.n_components_) == (1, 1)
    assert np.isfinite(still.transform(np.ones((30, 5)), np.arange(30))).all()
    few = np.random.default_rng(0).normal(size=(25, 5))
    few[:, 2:] = 7
    pooling = FisherVectors().fit(few, np.arange(25))
    assert (pooling.mixture_.n_components, pooling.pca_.n_components_) == (2, 2)
    assert pooling.transform(few, np.arange(25)).shape == (25, 8)


def test_a_seed_fixes_it(vectors: np.ndarray) -> None:
    """Equal seeds give equal bits."""
    one, two = (
        FisherVectors(random_state=5).fit(vectors, WINDOW_OF).transform(vectors, WINDOW_OF)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
