"""How long `agree` takes: every statistic of every target, on a cohort of 200.

200 participants, 20 of them seen twice, 4 raters who missed a tenth, 34 targets (30 items, three
subscales and a total) and 2,000 resamples. Prints one JSON line.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd

from emoclip_clinic.pipeline.agreement_tables import TABLES, Case, summary
from emoclip_clinic.pipeline.sources import Rated
from emoclip_clinic.scales import load_scale
from emoclip_clinic.scoring import consensus, score
from emoclip_clinic.settings import Settings

N_PARTICIPANTS, N_TWICE, N_RATERS, MISSED = 200, 20, 4, 0.1
TARGETS = 34


def case(seed: int = 0) -> Case:
    """Invent ratings on the PANSS, and predictions that know half of the severity."""
    rng = np.random.default_rng(seed)
    scale = load_scale("panss")
    people = [f"P{n:03d}" for n in range(N_PARTICIPANTS)]
    visits = [(who, "01") for who in people] + [(who, "02") for who in people[:N_TWICE]]
    truth = 3 + rng.normal(size=(len(visits), len(scale.codes)))
    rows = []
    for rater in range(N_RATERS):
        values = np.clip(np.round(truth + 0.6 * rng.normal(size=truth.shape)), 1, 7)
        for visit, own in zip(visits, values, strict=True):
            if rng.random() > MISSED:
                rows += [
                    [*visit, f"rater{rater}", "panss", *one]
                    for one in zip(scale.codes, own, strict=True)
                ]
    names = ["participant", "session", "rater", "scale", "item", "value"]
    ratings = pd.DataFrame(rows, columns=names)
    scored = score(ratings, scale)
    agreed = consensus(scored)
    noise = rng.normal(size=len(agreed)) * agreed.groupby("target")["value"].transform("std")
    mean = agreed.groupby("target")["value"].transform("mean")
    own = agreed[["participant", "session", "scale", "target"]]
    said = [
        own.assign(model="ridge", predicted=(agreed["value"] + mean + noise) / 2),
        own.assign(model="mean", predicted=mean),
    ]
    table = pd.DataFrame(
        {"participant": people, "sex": rng.choice(["F", "M"], N_PARTICIPANTS)}
    ).assign(site=np.repeat(["A", "B"], N_PARTICIPANTS // 2), age=rng.integers(18, 66, 200))
    rated = Rated(scale, ratings, scored, agreed, ())
    made = Case(rated, scored, pd.concat(said), table, "ridge", Settings())
    names = [*scale.codes, "positive", "negative", "general", "total"]
    made.__dict__["targets"] = names
    return made


def main() -> None:
    made, seconds = case(), {}
    assert len(made.targets) == TARGETS
    for name, make in {"agreement": summary, **TABLES}.items():
        start = time.perf_counter()
        make(made)
        seconds[name] = round(time.perf_counter() - start, 2)
    print(json.dumps({"seconds": round(sum(seconds.values()), 1), "by table": seconds}))


if __name__ == "__main__":
    main()
