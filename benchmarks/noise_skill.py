"""How often noise seems predictable: by Pearson's intervals, by tests against the mean.

Studies of 40 participants, 10 of them seen twice, whose 39 scores the features have no part in:
128 features with a flat or a decaying spectrum, scores rounded to 1-7, as `fit` treats them. Prints
JSON lines.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd

from emoclip_clinic.regression import Design, cross_validate, performance
from emoclip_clinic.regression.comparison import compare

N_PARTICIPANTS, N_TWICE, N_TARGETS, N_FEATURES = 40, 10, 39, 128
DESIGNS = {"repeated": Design(), "lopo": Design(kind="lopo")}


def study(seed: int, decay: float, design: Design) -> pd.DataFrame:
    """Make one study of noise; give the ridge's Pearson, and its error against the mean's."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(N_PARTICIPANTS), np.arange(N_TWICE)]

    def draw(width: int, personal: float) -> np.ndarray:
        own = generator.normal(size=(N_PARTICIPANTS, width))[person]
        visit = generator.normal(size=(len(person), width))
        return np.sqrt(personal) * own + np.sqrt(1 - personal) * visit

    index = pd.Index([f"r{number:02d}" for number in range(len(person))])
    turn = np.linalg.qr(generator.normal(size=(N_FEATURES, N_FEATURES)))[0]
    spectrum = np.arange(1.0, N_FEATURES + 1) ** -decay
    x = pd.DataFrame(draw(N_FEATURES, 0.8) * spectrum @ turn, index)
    scores = np.clip(np.round(3.5 + 1.3 * draw(N_TARGETS, 0.7)), 1, 7)
    targets = pd.DataFrame(scores, index, [f"t{number}" for number in range(N_TARGETS)])
    people = pd.Series([f"{who:02d}" for who in person], index)
    found = cross_validate(x, targets, people, design)
    labelled = found.predictions.assign(scale="noise")
    table = performance(labelled, dict.fromkeys(targets, "item"), n_resamples=2000, seed=seed)
    pearson = table[(table["model"] == "ridge") & (table["metric"] == "pearson")]
    against = compare(found.by_repeat, "ridge", n_resamples=2000, seed=seed)
    mae = against[against["metric"] == "mae"].set_index("target")
    tests = mae[["difference", "p_bootstrap", "p_corrected_t"]]
    return pearson.join(tests, on="target").assign(study=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40)
    n_studies = parser.parse_args().studies
    for kind, design in DESIGNS.items():
        for decay in (0.0, 1.0):
            table = pd.concat([study(seed, decay, design) for seed in range(n_studies)])
            wrong = {
                "above": table["ci_low"] > 0,
                "below": table["ci_high"] < 0,
                "above, corrected": table["ci_low_corrected"] > 0,
                "below, corrected": table["ci_high_corrected"] < 0,
            }
            for test in ("p_bootstrap", "p_corrected_t"):
                wrong[f"less error, {test}"] = (table["difference"] < 0) & (table[test] < 0.05)
            print(
                json.dumps(
                    {
                        "benchmark": "noise_skill",
                        "cv": kind,
                        "decay": decay,
                        "studies": n_studies,
                        "mean_pearson": round(float(table["value"].mean()), 3),
                        "undefined": round(float(table["value"].isna().mean()), 3),
                        "share_of_targets": {
                            k: round(float(v.mean()), 4) for k, v in wrong.items()
                        },
                        "share_of_studies": {
                            k: round(table.loc[v, "study"].nunique() / n_studies, 3)
                            for k, v in wrong.items()
                        },
                    }
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
