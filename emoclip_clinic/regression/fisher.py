"""Fisher vectors: how a recording's windows depart from a mixture that was learnt in training."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

__all__ = ["FisherVectors", "gradients", "normalised"]

Array = NDArray[np.float64]

WINDOWS_PER_GAUSSIAN = 10
"""With fewer windows than this a Gaussian of its own would describe single recordings."""
# a component with less than this share of the mean square of the windows is rounding
ROUNDING = 1e-12


class FisherVectors(BaseEstimator):  # type: ignore[misc] # untyped
    """SchiNet's pooling: principal components, a Gaussian mixture, Fisher vectors.

    The mixture is a vocabulary of what faces show. A recording's Fisher vector says for each word
    of it how its windows would move the word (mean) and widen it (variance).

    Parameters
    ----------
    n_components
        Principal components, each scaled to SD 1; fewer where the windows have fewer.
    n_gaussians
        Gaussians with diagonal covariances; no more than a tenth of the windows.
    random_state
        Seed of the mixture's start.

    Attributes
    ----------
    pca_, scale_, mixture_
        What was learnt from the windows of the training recordings.

    References
    ----------
    Perronnin F, Dance C. Fisher kernels on visual vocabularies for image categorization. CVPR 2007.
    Perronnin F, Sánchez J, Mensink T. Improving the Fisher kernel for large-scale image
    classification. ECCV 2010:143-156.
    Bishay M, Palasek P, Priebe S, Patras I. SchiNet: automatic estimation of symptoms of
    schizophrenia from facial behaviour analysis. IEEE Trans Affect Comput 2021;12:949-961
    (published online 2019).
    """

    def __init__(self, n_components: int = 16, n_gaussians: int = 8, random_state: int = 0) -> None:
        self.n_components = n_components
        self.n_gaussians = n_gaussians
        self.random_state = random_state

    def fit(self, vectors: Array, window_of: NDArray[np.intp]) -> Self:
        """Learn from windows: vectors (n_windows, d), the recording (position) of each."""
        self.pca_ = _components(vectors, self.n_components)
        spread = np.sqrt(self.pca_.explained_variance_)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        points = self._points(vectors)
        # equal windows, as of a still picture, can start no two Gaussians
        n_different = len(np.unique(points.round(6), axis=0))
        n_gaussians = max(1, min(self.n_gaussians, n_different // WINDOWS_PER_GAUSSIAN))
        mixture = GaussianMixture(
            n_gaussians, covariance_type="diag", max_iter=200, random_state=self.random_state
        )
        with warnings.catch_warnings():
            # a vocabulary serves as well before its last digits have settled
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mixture_ = mixture.fit(points)
        return self

    def transform(self, vectors: Array, window_of: NDArray[np.intp]) -> Array:
        """Fisher vectors of recordings.

        Parameters
        ----------
        vectors
            Embeddings, shape (n_windows, d).
        window_of
            The recording (position) of each, ascending; every recording has a window.

        Returns
        -------
            Shape (n_recordings, 2 * n_gaussians * n_components).
        """
        check_is_fitted(self)
        return normalised(gradients(self.mixture_, self._points(vectors), window_of))

    def _points(self, vectors: Array) -> Array:
        return np.asarray(self.pca_.transform(vectors) / self.scale_)


def gradients(mixture: GaussianMixture, points: Array, window_of: NDArray[np.intp]) -> Array:
    """Fisher vectors before their normalisation.

    The gradient of the mean log-likelihood of a recording's windows with respect to the means and
    standard deviations of the Gaussians, scaled by the inverse square root of the (approximate)
    Fisher information, as published: with g the posterior of Gaussian k, w its weight,

        mean of g (x - mu) / sigma / sqrt(w), mean of g ((x - mu)^2 / sigma^2 - 1) / sqrt(2 w).

    Parameters
    ----------
    mixture
        Fitted, with diagonal covariances.
    points
        Windows, shape (n_windows, n_components).
    window_of
        As in `FisherVectors.transform`.

    Returns
    -------
        Shape (n_recordings, 2 * n_gaussians * n_components): means, then standard deviations.
    """
    starts = np.flatnonzero(np.diff(window_of, prepend=-1))
    n_windows = np.diff(starts, append=len(points))[:, np.newaxis]
    posteriors = mixture.predict_proba(points)
    means, deviations = [], []
    for g, w, mu, variance in zip(
        posteriors.T, mixture.weights_, mixture.means_, mixture.covariances_, strict=True
    ):
        z = (points - mu) / np.sqrt(variance)
        of_mean = g[:, np.newaxis] * z / np.sqrt(w)
        of_deviation = g[:, np.newaxis] * (z**2 - 1) / np.sqrt(2 * w)
        means.append(np.add.reduceat(of_mean, starts) / n_windows)
        deviations.append(np.add.reduceat(of_deviation, starts) / n_windows)
    return np.hstack([*means, *deviations])


def normalised(vectors: Array) -> Array:
    """Take signed square roots, then give each row length 1 (Perronnin et al. 2010)."""
    rooted = np.sign(vectors) * np.sqrt(np.abs(vectors))
    length = np.linalg.norm(rooted, axis=1, keepdims=True)
    return np.asarray(rooted / np.where(length > 0, length, 1.0))


def _components(vectors: Array, most: int) -> PCA:
    """Principal components, at least one, that are more than rounding."""
    most = min(most, *vectors.shape)
    # equal windows have no variance to share out: shares are not used
    with np.errstate(invalid="ignore"):
        whole = PCA(most, svd_solver="covariance_eigh").fit(vectors)
        floor = ROUNDING * np.square(vectors).mean()
        n_kept = max(1, int((whole.explained_variance_ > floor).sum()))
        return PCA(n_kept, svd_solver="covariance_eigh").fit(vectors)
