"""Scores and predictions of one target, and every metric by another library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

__all__ = ["paired", "slow", "with_baseline"]


def paired(seed: int, n: int = 40, twice: int = 10, slope: float = 0.6) -> pd.DataFrame:
    """Scores on 1 to 7 and predictions; the first `twice` participants have two recordings."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(twice)]
    latent = generator.normal(size=n)[person]
    rows = pd.DataFrame({"participant": [f"{who:03d}" for who in person]})
    rows["recording"] = [f"r{number:03d}" for number in range(len(person))]
    rows["observed"] = np.clip(np.round(4 + 1.5 * latent), 1, 7)
    noise = generator.normal(size=len(person))
    rows["predicted"] = 4 + slope * latent + 0.4 * noise
    return rows.assign(scale="panss", target="N1", model="ridge")


def with_baseline(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the model "mean": the mean of all other scores."""
    n = len(rows)
    others = (rows["observed"].sum() - rows["observed"]) / (n - 1)
    return pd.concat([rows, rows.assign(model="mean", predicted=others)], ignore_index=True)


def _lin(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.cov(x, y, bias=True)
    apart = (x.mean() - y.mean()) ** 2
    return float(2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + apart))


def slow(observed: np.ndarray, predicted: np.ndarray, baseline: np.ndarray) -> dict[str, float]:
    """Every metric by another library; association is that of the departure from the mean."""
    departure = predicted - baseline
    return {
        "mae": mean_absolute_error(observed, predicted),
        "rmse": root_mean_squared_error(observed, predicted),
        "r2": 1 - np.sum((observed - predicted) ** 2) / np.sum((observed - baseline) ** 2),
        "pearson": stats.pearsonr(observed, departure).statistic,
        "spearman": stats.spearmanr(observed, departure).statistic,
        "ccc": _lin(observed, predicted),
        "bias": np.mean(observed) - np.mean(predicted),
        **dict(
            zip(
                ("calibration_intercept", "calibration_slope"),
                sm.OLS(np.asarray(observed), sm.add_constant(np.asarray(predicted))).fit().params,
                strict=True,
            )
        ),
    }
