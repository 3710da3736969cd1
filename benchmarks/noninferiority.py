"""How often a model at the margin itself is called not inferior, and how often the interval covers.

Three raters with errors of SD 0.6, a model with errors of SD 1, severity of SD 1: the true
difference of ICC(A,1) is -0.14, and that is the margin. Prints a JSON line for each number of
participants.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from emoclip_clinic.agreement.equivalence import DIFFERENCE, Margins, rows_of
from emoclip_clinic.agreement.panel import Panel

RATER_SD, MODEL_SD, N_RATERS = 0.6, 1.0, 3
MARGIN = 1 / (1 + RATER_SD**2) - 1 / (1 + (RATER_SD**2 + MODEL_SD**2) / 2)


def study(n: int, seed: int) -> tuple[bool, bool]:
    """Say whether a study of n finds no inferiority, and whether its interval covers the truth."""
    rng = np.random.default_rng([n, seed])
    truth = rng.normal(size=n)
    ratings = truth[:, None] + RATER_SD * rng.normal(size=(n, N_RATERS))
    panel = Panel(ratings, truth + MODEL_SD * rng.normal(size=n), 1.0)
    margins, people = Margins(icc=MARGIN), np.arange(n).astype(object)
    (row,) = rows_of(panel, people, margins, 400, seed, [DIFFERENCE])
    return row["verdict"] == "not inferior", row["ci_low"] <= -MARGIN <= row["ci_high"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    n_studies = parser.parse_args().studies
    for n in (20, 40, 80, 160):
        found = np.array([study(n, seed) for seed in range(n_studies)])
        level, coverage = found.mean(axis=0)
        print(json.dumps({"participants": n, "level": level, "coverage": coverage}))


if __name__ == "__main__":
    main()
