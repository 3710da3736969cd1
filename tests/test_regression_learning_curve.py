from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError, TooFewError
from emoclip_clinic.regression.crossval import cross_validate
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.learning_curve import (
    COLUMNS,
    TREND_COLUMNS,
    learning_curve,
    trend,
)

DESIGN = Design(n_folds=5, n_repeats=1, n_inner_folds=3, seed=7)


def cohort(n: int = 60) -> dict[str, Any]:
    """One target that 8 features make up with noise, one that is rated in 8 people."""
    generator = np.random.default_rng(1)
    index = pd.Index([f"r{number:03d}" for number in range(n + 5)])
    person = np.r_[np.arange(n), np.arange(5)]
    x = generator.normal(size=(n, 8))[person]
    score = x @ np.ones(8) + 2 * generator.normal(size=n + 5)
    rare = np.where(person < 8, score, np.nan)
    return {
        "x": pd.DataFrame(x, index),
        "targets": pd.DataFrame({"score": score, "rare": rare}, index),
        "participants": pd.Series([f"p{who:02d}" for who in person], index),
    }


@pytest.fixture(scope="module")
def curve() -> pd.DataFrame:
    return learning_curve(**cohort(), design=DESIGN, sizes=[12, 20, 30, 45, 60], n_draws=4)


def test_more_participants_predict_better(curve: pd.DataFrame) -> None:
    """With 8 features and noise, r2 rises from 12 to 60; a row for everything that was tried."""
    assert list(curve.columns) == COLUMNS
    assert len(curve) == 5 * 4 * 2 * 4
    r2 = curve[(curve["target"] == "score") & (curve["metric"] == "r2")]
    mean = r2.groupby("n_participants")["value"].mean()
    assert mean[60] > mean[20] > mean[12]
    assert r2.loc[r2["n_participants"] == 60, "n_training"].tolist() == [48.0] * 4


def test_a_target_that_a_subset_cannot_fit_says_why(curve: pd.DataFrame) -> None:
    """Few of twelve people have the rare rating: the value is missing with the reason."""
    rare = curve[(curve["target"] == "rare") & (curve["n_participants"] == 12)]
    assert rare["value"].isna().all()
    assert rare["note"].str.contains("needed").all()


def test_everyone_is_the_whole_study() -> None:
    """At full size a draw is the cross-validation of all, with folds of that draw."""
    data = cohort(20)
    found = learning_curve(**data, design=DESIGN, sizes=[20], n_draws=2, metrics=["mae"])
    score = found[found["target"] == "score"].set_index("draw")["value"]
    spread = []
    for seed in range(40):
        own = Design(n_folds=5, n_repeats=1, n_inner_folds=3, seed=seed)
        rows = cross_validate(**data, design=own).predictions
        rows = rows[(rows["model"] == "ridge") & (rows["target"] == "score")]
        spread.append((rows["observed"] - rows["predicted"]).abs().mean())
    assert min(spread) * 0.95 < score.min()
    assert score.max() < max(spread) * 1.05
    assert score[1] != score[2]


def test_subsets_are_nested_and_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller study is part of the larger one of its draw; another draw has other people."""
    from emoclip_clinic.regression import learning_curve as module

    seen: list[set[str]] = []

    def watch(inputs: Any, scores: Any, participants: pd.Series, *rest: Any, **more: Any) -> Any:
        seen.append(set(participants[inputs.recordings]))
        return cross_validate(inputs, scores, participants, *rest, **more)

    monkeypatch.setattr(module, "cross_validate", watch)
    data, ticks = cohort(30), []
    for _ in range(2):
        module.learning_curve(
            **data, design=DESIGN, sizes=[10, 20], n_draws=2, metrics=["mae"],
            progress=lambda done, total: ticks.append((done, total)),
        )  # fmt: skip
    assert [len(people) for people in seen[:4]] == [10, 10, 20, 20]
    assert seen[0] < seen[2]
    assert seen[1] < seen[3]
    assert seen[0] != seen[1]
    assert seen[:4] == seen[4:]
    assert ticks[:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_trend_sums_up_the_draws(curve: pd.DataFrame) -> None:
    """Means and SDs are those of the draws; what was not tried is an extrapolation."""
    found = trend(curve, further=[100, 60])
    assert list(found.columns) == TREND_COLUMNS
    rows = found[(found["target"] == "score") & (found["metric"] == "mae")]
    values = curve[(curve["target"] == "score") & (curve["metric"] == "mae")]
    known = values.groupby("n_participants")["value"]
    measured = rows[rows["kind"] == "measured"]
    np.testing.assert_allclose(measured["mean"], known.mean())
    np.testing.assert_allclose(measured["sd"], known.std())
    beyond = rows[rows["kind"] == "extrapolation"]
    assert beyond["n_participants"].tolist() == [100]
    assert beyond["mean"].isna().all()


def made(values: list[float], metric: str) -> pd.DataFrame:
    """Make a curve without spread."""
    sizes = [10, 20, 40, 80, 160][: len(values)]
    table = {"n_participants": sizes, "value": values, "draw": 1, "target": "N1", "model": "ridge"}
    return pd.DataFrame(table).assign(metric=metric)


def test_a_law_is_found_where_there_is_one() -> None:
    """0.6 - 2 n^-0.7 is carried on exactly; an error that falls to 1.2 likewise."""
    sizes = np.array([10, 20, 40, 80, 160])
    rising = trend(made((0.6 - 2 * sizes**-0.7).tolist(), "pearson"), [640])
    assert rising["fitted"].iloc[-1] == pytest.approx(0.6 - 2 * 640**-0.7, abs=1e-4)
    falling = trend(made((1.2 + 3 * sizes**-1.0).tolist(), "mae"), [640])
    assert falling["fitted"].iloc[-1] == pytest.approx(1.2 + 3 / 640, abs=1e-3)
    assert (falling["note"] == "").all()


@pytest.mark.parametrize(
    ("values", "metric", "note"),
    [
        ([0.5, 0.4, 0.3, 0.2, 0.1], "pearson", "do not follow"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], "pearson", "do not follow"),
        ([0.1, 0.2, 0.25], "pearson", "fewer than 4 sizes"),
        ([0.1, 0.2, np.nan, 0.25, np.nan], "r2", "fewer than 4 sizes"),
        ([0.1, 0.0, 0.1, 0.0, 0.0], "bias", "neither up nor down"),
    ],
)
def test_no_law_is_made_up(values: list[float], metric: str, note: str) -> None:
    """A falling r, one that rises for ever, too few sizes, a metric without direction."""
    found = trend(made(values, metric), [640])
    assert found["fitted"].isna().all()
    assert found["note"].str.contains(note).all()


@pytest.mark.parametrize("sizes", [[4, 10], [10, 61], []])
def test_sizes_must_be_possible(sizes: list[int]) -> None:
    """Fewer than the folds need, more than there are, none."""
    with pytest.raises(TooFewError, match="allowed: 5 "):
        learning_curve(**cohort(), design=DESIGN, sizes=sizes)


def test_an_unknown_metric_is_an_error() -> None:
    """The allowed ones are named."""
    with pytest.raises(ClinicError, match="allowed: mae"):
        learning_curve(**cohort(), design=DESIGN, metrics=["accuracy"])
