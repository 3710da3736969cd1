"""Time nested ridge with and without permutations, against scikit-learn; prints one line of JSON.

100 participants, 34 targets, 1024 features, 10 folds x 5 repeats, 5 inner folds, 20 penalties. The
plain way is GridSearchCV over Pipeline(StandardScaler, Ridge), target by target and fold by fold: a
few are timed and scaled up, and their predictions compared with ours. `python -m
benchmarks.fit_speed`; OMP_NUM_THREADS says how many cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emoclip_clinic.regression import Design, cross_validate, performance
from emoclip_clinic.regression.crossval import Prepared, fold_seed, prepare
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.permutation import permutation_test
from emoclip_clinic.regression.ridge import GroupedRidge

N, N_FEATURES, N_TARGETS = 100, 1024, 34
PENALTIES = tuple(np.logspace(3, -3, 20).tolist())
DESIGN = Design(seed=1)
PLAIN_FITS = 6
"""Grid searches of the plain way that are timed, of 34 targets x 50 folds."""


def cohort() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Features, scores of which a third depends on them, and a participant a recording."""
    generator = np.random.default_rng(0)
    index = pd.Index([f"recording-{number:03d}" for number in range(N)])
    x = generator.normal(size=(N, N_FEATURES))
    y = generator.normal(size=(N, N_TARGETS))
    y[:, ::3] += x[:, :40].sum(axis=1, keepdims=True) / 6
    columns = [f"target-{k:02d}" for k in range(N_TARGETS)]
    people = pd.Series([f"{number:03d}" for number in range(N)], index=index)
    return pd.DataFrame(x, index=index), pd.DataFrame(y, index=index, columns=columns), people


def plain(data: Prepared, predictions: pd.DataFrame) -> tuple[float, float]:
    """Seconds of a grid search for one target and fold, and how far its predictions are from ours.

    The largest difference, in shares of the target's SD.
    """
    x, y = data.inputs.pooled("mean").to_numpy(), data.targets.to_numpy()
    furthest, spent = 0.0, 0.0
    for number in range(PLAIN_FITS):
        repeat, fold = data.tests[number]
        train, test = (data.fold_of[:, repeat] != fold), (data.fold_of[:, repeat] == fold)
        start = time.perf_counter()
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": np.array(PENALTIES) * N_FEATURES},
            scoring="neg_mean_squared_error",
            cv=GroupKFold(5, shuffle=True, random_state=fold_seed(DESIGN, repeat, fold)),
        ).fit(x[train], y[train, number], groups=data.groups[train])
        found = search.predict(x[test])
        spent += time.perf_counter() - start
        own = predictions[
            (predictions["target"] == data.targets.columns[number])
            & (predictions["repeat"] == repeat + 1)
            & (predictions["model"] == "ridge20")
        ].set_index("recording")["predicted"]
        ours = own.loc[data.inputs.recordings[test]].to_numpy()
        furthest = max(furthest, float(np.abs(found - ours).max() / y[:, number].std()))
    return spent / PLAIN_FITS, furthest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--permutations", type=int, default=1000)
    n_permutations = parser.parse_args().permutations
    made = replace(
        REGISTRY["ridge"], make=lambda n_inner, seed: GroupedRidge(PENALTIES, n_inner, seed)
    )
    REGISTRY["ridge20"] = made
    x, y, participants = cohort()
    kinds = dict.fromkeys(y, "item")
    start = time.perf_counter()
    result = cross_validate(x, y, participants, DESIGN, ("ridge20", "mean"))
    fitted = time.perf_counter()
    data = prepare(x, y, participants, DESIGN, splits=result.splits)
    permutation_test(data, DESIGN, "ridge20", kinds, n_permutations=n_permutations)
    permuted = time.perf_counter()
    performance(result.predictions.assign(scale="panss"), kinds)
    judged = time.perf_counter()
    one, furthest = plain(data, result.by_repeat)
    searches = N_TARGETS * len(data.tests)
    print(
        json.dumps(
            {
                "benchmark": "fit_speed",
                "design": "10 folds x 5 repeats, 5 inner folds, 20 penalties",
                "n_recordings": N,
                "n_features": N_FEATURES,
                "n_targets": N_TARGETS,
                "n_permutations": n_permutations,
                "threads": os.environ.get("OMP_NUM_THREADS", "default"),
                "cross_validate_s": round(fitted - start, 2),
                "permutations_s": round(permuted - fitted, 2),
                "performance_s": round(judged - permuted, 2),
                "grid_search_min": round(one * searches / 60, 1),
                "grid_search_with_permutations_days": round(
                    one * searches * (n_permutations + 1) / 86400, 1
                ),
                "times_faster": round(one * searches / (fitted - start)),
                "times_faster_with_permutations": round(
                    one * searches * (n_permutations + 1) / (permuted - fitted)
                ),
                "largest_difference_in_sd": furthest,
                "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
