"""Time every regression on one fold of a PANSS study, scaled up to 10 folds x 5; one line of JSON.

90 training participants, 1024 features, 39 targets, 5 inner folds, one core.
"""

from __future__ import annotations

import json
import time

import numpy as np
from threadpoolctl import threadpool_limits

from emoclip_clinic.regression.estimators import REGISTRY, make

N, N_FEATURES, N_TARGETS, N_FOLDS = 90, 1024, 39, 50


def main() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(N, N_FEATURES))
    latent = x[:, :40].sum(axis=1, keepdims=True) / 6
    y = np.round(3 + latent + generator.normal(size=(N, N_TARGETS)))
    minutes = {}
    with threadpool_limits(1, user_api="blas"):
        for name in REGISTRY:
            start = time.perf_counter()
            make(name, 5, 0).fit(x, y, np.arange(N)).predict(x[:10])
            minutes[name] = round((time.perf_counter() - start) * N_FOLDS / 60, 2)
    print(json.dumps({"benchmark": "estimator_speed", "minutes_on_one_core": minutes}))


if __name__ == "__main__":
    main()
