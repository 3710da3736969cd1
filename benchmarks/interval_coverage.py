"""Coverage of both intervals of performance, beside the percentile bootstrap; prints JSON lines.

40 participants, 10 of them seen twice (70 % of the variance is between persons), Pearson 0 and
0.6, scores continuous or skewed and rounded to 1-7; nominal levels 0.95 and 1 - 0.05 / 30.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.regression.inference import CORRECTED, corrected_interval
from emoclip_clinic.regression.measures import METRICS, metrics

N_PARTICIPANTS, N_TWICE, N_TARGETS, N_RESAMPLES = 40, 10, 30, 2000
NONE = (np.nan, np.nan)
LEVELS = {"0.95": 0.95, "0.95 for 30 targets": 1 - 0.05 / N_TARGETS}

Array = NDArray[np.float64]


def draw(
    generator: np.random.Generator, n: int, twice: int, rho: float, rounded: bool
) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Participants, observed, predicted and baseline of one cohort."""
    person = np.r_[np.arange(n), np.arange(twice)]
    between, within = (
        generator.normal(size=(2, n))[:, person],
        generator.normal(size=(2, n + twice)),
    )
    score, other = np.sqrt(0.7) * between + np.sqrt(0.3) * within
    predicted = max(rho, 0.3) * (rho * score + np.sqrt(1 - rho**2) * other)
    if not rounded:
        return person, score, predicted, np.zeros(n + twice)
    skewed = np.clip(np.round(np.exp(0.6 * score) + 0.5), 1, 7)
    return person, skewed, predicted + 1.7, np.full(n + twice, 1.7)


def intervals(seed: int, cohort: tuple[NDArray[np.intp], Array, Array, Array]) -> pd.DataFrame:
    """Limits of every method, a row for each metric."""
    person, *scores = cohort
    drawn = distributions(lambda weights: metrics(*scores, weights), person, N_RESAMPLES, seed)
    found: dict[str, list[tuple[float, float]]] = {"BCa, 0.95": [], "percentile, 0.95": []}
    found |= {"corrected, " + name: [] for name in LEVELS}
    for metric, each in drawn.items():
        found["BCa, 0.95"].append(each.interval(0.95))
        found["percentile, 0.95"].append(tuple(np.nanquantile(each.drawn, [0.025, 0.975])))
        for name, level in LEVELS.items():
            limits = corrected_interval(metric, each, level) if metric in CORRECTED else NONE
            found["corrected, " + name].append(limits)
    return pd.DataFrame(found, index=list(METRICS))


def held(truth: float, low: float, high: float) -> float:
    """Whether an interval holds the truth; missing where there is none."""
    return float(low <= truth <= high) if np.isfinite(low) else np.nan


def coverage(rho: float, rounded: bool, n_cohorts: int) -> pd.DataFrame:
    """How often each interval holds the metric of an endless cohort."""
    _, *scores = draw(np.random.default_rng(0), 400_000, 0, rho, rounded)
    truth = {name: value.item() for name, value in metrics(*scores).items()}
    tables = []
    for seed in range(1, n_cohorts + 1):
        cohort = draw(np.random.default_rng(seed), N_PARTICIPANTS, N_TWICE, rho, rounded)
        limits = intervals(seed, cohort).T
        tables.append(
            pd.DataFrame(
                {m: [held(truth[m], *ends) for ends in limits[m]] for m in METRICS}, limits.index
            )
        )
    return pd.concat(tables).groupby(level=0).mean().round(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000)
    n_cohorts = parser.parse_args().cohorts
    for rho in (0.0, 0.6):
        for rounded in (False, True):
            settings = {"benchmark": "interval_coverage", "pearson": rho, "rounded": rounded}
            rates = coverage(rho, rounded, n_cohorts).to_dict("index")
            known = {
                method: {metric: rate for metric, rate in row.items() if np.isfinite(rate)}
                for method, row in rates.items()
            }
            print(json.dumps({**settings, "cohorts": n_cohorts, **known}), flush=True)


if __name__ == "__main__":
    main()
