"""Time the agreement table of a whole scale on one core; prints JSON."""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd

from emoclip_clinic import agreement


def cohort(
    participants: int, targets: int, raters: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings and predictions of a latent severity; every third participant was seen twice."""
    rng = np.random.default_rng(seed)
    keys = [(f"{p:03}", s) for p in range(participants) for s in ("01", "02")[: 1 + (p % 3 == 0)]]
    subjects = pd.DataFrame(keys, columns=["participant", "session"])
    scored, predictions = [], []
    for target in (f"T{t + 1}" for t in range(targets)):
        truth = rng.normal(size=len(subjects))
        table = subjects.assign(scale="speed", target=target, kind="item")
        scored += [
            table.assign(rater=f"R{r + 1}", value=_points(truth, rng)) for r in range(raters)
        ]
        noisy = truth + rng.normal(size=len(truth))
        predictions.append(table.assign(model="ridge", predicted=4 + noisy))
    return pd.concat(scored), pd.concat(predictions)


def _points(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(4 + 1.5 * truth + rng.normal(size=len(truth))), 1, 7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=45)
    parser.add_argument("--targets", type=int, default=39)
    parser.add_argument("--raters", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=2000)
    given = vars(parser.parse_args())
    scored, predictions = cohort(given["participants"], given["targets"], given["raters"], 1)
    start = time.perf_counter()
    table = agreement.agree(
        scored,
        predictions,
        scale_id="speed",
        targets=list(scored["target"].unique()),
        n_resamples=given["resamples"],
        seed=1,
    )
    seconds = time.perf_counter() - start
    subjects = len(scored[["participant", "session"]].drop_duplicates())
    print(json.dumps({**given, "subjects": subjects, "rows": len(table), "seconds": seconds}))


if __name__ == "__main__":
    main()
