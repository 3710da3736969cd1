"""Coverage of prediction intervals for new participants of exchangeable cohorts; prints JSON.

Cohorts of 40 participants, a quarter of them seen four times (70 % of the variance is between
persons), so that recordings are far from independent; a ridge of 16 features that explains half of
the score, or nothing; errors normal or skewed. As `fit` and `predict` do it, 10 folds, 95 and 80 %.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pandas as pd

from emoclip_clinic.regression import Design, Features, fit_model, predict

N_PARTICIPANTS, N_OFTEN, N_TIMES, N_FEATURES = 40, 10, 4, 16
FEATURES = Features("simulated", "0" * 64, "mean_sd")
# share of the variance that the features explain, skewed errors, level
SETTINGS = {
    "signal": (0.5, False, 0.95),
    "noise": (0.0, False, 0.95),
    "skewed": (0.5, True, 0.95),
    "signal, 80 %": (0.5, False, 0.8),
}


def draw(
    generator: np.random.Generator, person: np.ndarray, explained: float, skewed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Features and scores of recordings of persons."""

    def mixed(width: int) -> np.ndarray:
        own = generator.normal(size=(person.max() + 1, width))[person]
        return np.sqrt(0.7) * own + np.sqrt(0.3) * generator.normal(size=(len(person), width))

    x, error = mixed(N_FEATURES), mixed(1)[:, 0]
    if skewed:
        # the variance of a log-normal with sigma 1 is (e - 1) e
        error = np.exp(error) / np.sqrt((np.e - 1) * np.e)
    return x, np.sqrt(explained) * x[:, 0] + np.sqrt(1 - explained) * error


def table(x: np.ndarray, prefix: str) -> pd.DataFrame:
    names = [f"{prefix}{number:04d}" for number in range(len(x))]
    return pd.DataFrame(x, pd.Index(names, name="recording"))


def one_cohort(seed: int, explained: float, skewed: bool, level: float, n_new: int) -> pd.Series:
    """Fit a cohort, predict new participants: share covered, and mean width."""
    generator = np.random.default_rng(seed)
    often = np.repeat(np.arange(N_OFTEN), N_TIMES - 1)
    person = np.sort(np.r_[np.arange(N_PARTICIPANTS), often])
    x, y = draw(generator, person, explained, skewed)
    new_x, new_y = draw(generator, np.arange(n_new), explained, skewed)
    training, new = table(x, "r"), table(new_x, "n")
    model = fit_model(
        training,
        pd.DataFrame({"score": y}, training.index),
        pd.Series([f"P{number}" for number in person], training.index),
        scale="simulated",
        features=FEATURES,
        ranges={"score": (-1e9, 1e9)},
        design=Design(n_repeats=1, seed=seed),
        level=level,
    )
    keys = pd.DataFrame({"recording": new.index, "participant": new.index, "session": ""})
    found = predict(model, new, keys, FEATURES)
    within = (found["interval_low"] <= new_y) & (new_y <= found["interval_high"])
    width = (found["interval_high"] - found["interval_low"]).mean()
    return pd.Series({"coverage": within.mean(), "mean_width": width})


def coverage(name: str, n_cohorts: int, n_new: int = 200) -> dict[str, Any]:
    """Mean over cohorts of the share of new participants that is covered."""
    explained, skewed, level = SETTINGS[name]
    found = pd.DataFrame(
        [one_cohort(seed, explained, skewed, level, n_new) for seed in range(1, n_cohorts + 1)]
    )
    return {
        "setting": name,
        "level": level,
        "coverage": float(found["coverage"].mean()),
        "monte_carlo_se": float(found["coverage"].sem()),
        "mean_width": float(found["mean_width"].mean()),
        "n_cohorts": n_cohorts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=300)
    n_cohorts = parser.parse_args().cohorts
    print(json.dumps([coverage(name, n_cohorts) for name in SETTINGS], indent=2))


if __name__ == "__main__":
    main()
