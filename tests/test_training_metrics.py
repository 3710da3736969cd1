from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.training import metrics

CLASSES = ("anger", "fear", "joy")
DRAW = partial(distributions, n_resamples=400, seed=1)


def drawn(n: int = 60, right: float = 0.6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    return truth, np.where(rng.random(n) < right, truth, rng.integers(0, 3, n))


def test_scores_are_those_of_scikit_learn() -> None:
    """WAR is accuracy, UAR balanced accuracy, and the confusion is normalised by the truth."""
    truth, guess = drawn()
    table = metrics.scores(truth, guess, CLASSES, [""] * 60, DRAW)
    value = table.set_index(["statistic", "class"])["value"]
    assert value["WAR", ""] == pytest.approx(oracle.accuracy_score(truth, guess))
    assert value["UAR", ""] == pytest.approx(oracle.balanced_accuracy_score(truth, guess))
    assert value["recall"].to_numpy() == pytest.approx(
        oracle.recall_score(truth, guess, average=None)
    )
    matrix = metrics.confusion(truth, guess, CLASSES, [""] * 60, DRAW)
    expected = oracle.confusion_matrix(truth, guess)
    assert matrix["n_clips"].to_numpy().reshape(3, 3).tolist() == expected.tolist()
    assert matrix["share"].to_numpy() == pytest.approx(
        (expected / expected.sum(axis=1, keepdims=True)).ravel()
    )
    inside = table.dropna(subset=["ci_low"])
    assert (inside["ci_low"] <= inside["value"]).all()
    assert (inside["value"] <= inside["ci_high"]).all()


def test_intervals_count_people_not_clips() -> None:
    """Ten copies of everyone's clip tell nothing new; as clips of nobody they would seem to."""
    truth, guess = drawn()
    people = [f"P{number}" for number in range(60)]
    once = metrics.scores(truth, guess, CLASSES, people, DRAW)
    many = [np.repeat(one, 10) for one in (truth, guess)]
    copied = metrics.scores(*many, CLASSES, list(np.repeat(people, 10)), DRAW)
    for end in ("ci_low", "ci_high"):
        assert copied[end].to_numpy() == pytest.approx(once[end].to_numpy(), nan_ok=True)
    assert copied["n_participants"].iloc[0] == 60
    unknown = metrics.scores(*many, CLASSES, [""] * 600, DRAW)
    width = unknown["ci_high"] - unknown["ci_low"]
    assert width[0] < 0.5 * (once["ci_high"] - once["ci_low"])[0]


def test_a_class_without_clips_is_missing_with_its_reason() -> None:
    """UAR is over the classes that occur, and says so."""
    truth, guess = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    table = metrics.scores(truth, guess, CLASSES, [""] * 6, DRAW)
    joy = table[table["class"] == "joy"].iloc[0]
    assert np.isnan(joy["value"])
    assert joy["note"] == "no clip of this class"
    uar = table[table["statistic"] == "UAR"].iloc[0]
    assert uar["value"] == pytest.approx(2 / 3)
    assert "over 2 of 3 classes" in uar["note"]
    matrix = metrics.confusion(truth, guess, CLASSES, [""] * 6, DRAW)
    assert matrix.loc[matrix["truth"] == "joy", "share"].isna().all()


def test_a_paired_difference_is_of_the_same_clips() -> None:
    """What is hard for both does not widen it; a method less itself is 0 without an interval."""
    truth, guess = drawn(200)
    better = np.where(np.arange(200) % 10 == 0, truth, guess)
    table = metrics.differences(truth, better, guess, 3, [""] * 200, DRAW)
    war = table.set_index("statistic").loc["WAR"]
    assert war["value"] == pytest.approx(
        oracle.accuracy_score(truth, better) - oracle.accuracy_score(truth, guess)
    )
    alone = metrics.scores(truth, guess, CLASSES, [""] * 200, DRAW).iloc[0]
    assert war["ci_high"] - war["ci_low"] < 0.7 * (alone["ci_high"] - alone["ci_low"])
    same = metrics.differences(truth, guess, guess, 3, [""] * 200, DRAW)
    assert (same["value"] == 0).all()
    assert same["ci_low"].isna().all()
    assert same["note"].str.contains("the same in every resample").all()


def test_intervals_cover_the_true_recall() -> None:
    """About 95 of 100 studies of 80 clips; UAR of a guesser with known recalls."""
    recalls, covered = np.array([0.8, 0.5, 0.3]), []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = np.repeat([0, 1, 2], [40, 25, 15])
        guess = np.where(rng.random(80) < recalls[truth], truth, (truth + 1) % 3)
        table = metrics.scores(
            truth, guess, CLASSES, [""] * 80, partial(distributions, n_resamples=300, seed=2)
        )
        uar = table[table["statistic"] == "UAR"].iloc[0]
        covered.append(uar["ci_low"] <= recalls.mean() <= uar["ci_high"])
    assert 88 <= np.sum(covered) <= 100


def test_nothing_to_score_is_an_error() -> None:
    nothing = np.array([], dtype=int)
    with pytest.raises(DatasetError, match="no clip is left"):
        metrics.scores(nothing, nothing, CLASSES, [], DRAW)


def test_columns_are_in_order() -> None:
    truth, guess = drawn()
    table = metrics.scores(truth, guess, CLASSES, [""] * 60, DRAW)
    assert list(table.columns) == list(metrics.SCORES[2:])
    assert isinstance(table, pd.DataFrame)
