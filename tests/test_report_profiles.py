from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from emoclip_clinic.report.profiles import profile

TARGETS = pd.DataFrame({"target": ["a", "total"], "kind": ["item", "total"]})


def predictions(n: int, visits: int = 1, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{person}", target, model, *rng.normal(3, 1, 2))
        for person in range(n)
        for _ in range(visits if person == 0 else 1)
        for target in ("total", "a")
        for model in ("ridge", "mean")
    ]
    return pd.DataFrame(rows, columns=["participant", "target", "model", "observed", "predicted"])


def test_means_and_intervals_are_those_of_students_t() -> None:
    """One recording a participant: scipy's interval of a mean, in the order of the scale."""
    table = predictions(12)
    found = profile(table, "ridge", TARGETS)
    assert found["target"].tolist() == ["a", "a", "total", "total"]
    for row in found.to_dict("records"):
        own = table[(table["model"] == "ridge") & (table["target"] == row["target"])]
        values = own[row["source"]]
        ends = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
        assert row["mean"] == pytest.approx(values.mean())
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(ends)


def test_everyone_weighs_the_same_however_often_they_were_filmed() -> None:
    """A participant with nine recordings is one participant."""
    table = predictions(6, visits=9)
    row = profile(table, "ridge", TARGETS).iloc[0]
    own = table[(table["model"] == "ridge") & (table["target"] == "a")]
    assert row["n_participants"] == 6
    assert row["mean"] == pytest.approx(own.groupby("participant")["observed"].mean().mean())


def test_one_participant_has_a_mean_and_no_interval() -> None:
    """The note says why."""
    row = profile(predictions(1), "ridge", TARGETS).iloc[0]
    assert np.isfinite(row["mean"])
    assert np.isnan(row[["ci_low", "ci_high"]].to_numpy(float)).all()
    assert row["note"] == "no interval: one participant"
