"""What is searched: for each tuned regression its scikit-learn class and its few candidates.

Features and scores are standardised, so that one grid serves every encoder and every scale. With d
features two recordings lie about sqrt(2 d) apart: kernels whose width is a share of that see
neither everyone as alike nor everyone as strange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoclip_clinic.regression.ordinal import OrdinalRidge

__all__ = ["RULES", "Rule"]

WIDTHS = (0.1, 0.3, 1.0)
"""gamma x d of exp(-gamma |x - x'|^2): at 1 the similarity of two average people is exp(-2)."""
GP_BOUNDS = (0.1, 100.0)
"""Length scale over sqrt(d): the marginal likelihood chooses within."""
HIDDEN = 256
"""Of the paper's head: 512 -> 256 -> n, ReLU."""


@dataclass(frozen=True)
class Rule:
    """How a regressor is made and searched."""

    make: Callable[..., Any]
    """Called as (shape of the features, seed, **candidate)."""
    grid: Mapping[str, Sequence[float]]
    """Values of each parameter; the first of all is the most cautious, and wins a tie."""
    many: bool = False
    """Whether it fits many targets at once, each as it would alone."""
    joint: bool = False
    """Whether targets share what is learnt, so that one candidate is chosen for all."""
    stops: bool = False
    """Whether the number of iterations is a candidate, and not a failure to converge."""
    harmless: str = ""
    """Words of a warning that says nothing of the result."""


def _kernel_ridge(shape: tuple[int, int], seed: int, alpha: float, width: float) -> Any:
    from sklearn.kernel_ridge import KernelRidge

    return KernelRidge(alpha=alpha, kernel="rbf", gamma=width / shape[1])


def _svr(shape: tuple[int, int], seed: int, C: float, width: float) -> Any:  # noqa: N803 # its name
    from sklearn.svm import SVR

    return SVR(C=C, epsilon=0.1, gamma=width / shape[1])


def _pls(shape: tuple[int, int], seed: int, components: int) -> Any:
    from sklearn.cross_decomposition import PLSRegression

    return PLSRegression(n_components=min(components, shape[0] - 1, shape[1]), scale=False)


def _elastic_net(shape: tuple[int, int], seed: int, alpha: float, l1_ratio: float) -> Any:
    from sklearn.linear_model import ElasticNet

    return ElasticNet(alpha=alpha, l1_ratio=l1_ratio, max_iter=5000, tol=1e-3)


def _gaussian_process(shape: tuple[int, int], seed: int) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    scale = float(np.sqrt(shape[1]))
    bounds = tuple(scale * bound for bound in GP_BOUNDS)
    kernel = ConstantKernel(1.0, (1e-3, 1e1)) * RBF(scale, bounds) + WhiteKernel(0.5, (1e-2, 1e1))
    return GaussianProcessRegressor(kernel, random_state=seed)


def _head(shape: tuple[int, int], seed: int, epochs: int, alpha: float) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(
        hidden_layer_sizes=(HIDDEN,),
        alpha=alpha,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=seed,
    )


def _ordinal(shape: tuple[int, int], seed: int, penalty: float) -> Any:
    return OrdinalRidge(alpha=penalty * shape[1])


RULES: dict[str, Rule] = {
    "kernel_ridge": Rule(
        _kernel_ridge, {"alpha": (10.0, 3.0, 1.0, 0.3, 0.1), "width": WIDTHS}, many=True
    ),
    "svr": Rule(_svr, {"C": (0.03, 0.1, 0.3, 1.0, 3.0), "width": WIDTHS}),
    # further components of what is explained already are left out
    "pls": Rule(_pls, {"components": (1, 2, 3, 5, 8)}, harmless="y residual is constant"),
    "elastic_net": Rule(
        _elastic_net, {"alpha": (0.5, 0.3, 0.15, 0.08, 0.04), "l1_ratio": (0.9, 0.5, 0.1)}
    ),
    "gaussian_process": Rule(_gaussian_process, {}),
    "head": Rule(
        _head, {"epochs": (10, 30, 100), "alpha": (1.0, 0.01)}, many=True, joint=True, stops=True
    ),
    "ordinal": Rule(_ordinal, {"penalty": (10.0, 1.0, 0.1, 0.01)}),
}
"""Name of a regression -> how it is made and what is tried."""
