from __future__ import annotations

import numpy as np
import pytest

from emoclip_clinic.regression.folds import grouped_folds
from emoclip_clinic.regression.novelty import Novelty

PEOPLE, DIMENSIONS, RANK = 60, 12, 4
MIXING = np.random.default_rng(9).normal(size=(RANK, DIMENSIONS))


def cohort(seed: int, n: int = PEOPLE) -> tuple[np.ndarray, np.ndarray]:
    """Features that vary in 4 of 12 directions, but for a little noise; a third is seen twice."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(0, n, 3)]
    own = generator.normal(size=(n, RANK))[person] + 0.3 * generator.normal(
        size=(len(person), RANK)
    )
    x = own @ MIXING + 0.1 * generator.normal(size=(len(person), DIMENSIONS)) + 5
    return x, np.array([f"P{number:03d}" for number in person])


def outside(novelty: Novelty, new: np.ndarray) -> np.ndarray:
    return novelty.outside(new, np.full(len(new), False))


def textbook(train: np.ndarray, new: np.ndarray, k: int) -> np.ndarray:
    """T2 and Q from the eigenvectors of the correlation matrix (Jackson & Mudholkar 1979)."""
    standard = (new - train.mean(axis=0)) / train.std(axis=0)
    n = len(train)
    values, vectors = np.linalg.eigh(np.corrcoef(train.T) * n / (n - 1))
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    within = [z @ vectors @ np.diag(1 / values) @ vectors.T @ z for z in standard]
    off = [np.sum((z - vectors @ vectors.T @ z) ** 2) for z in standard]
    return np.column_stack([within, off])


def test_distances_are_hotelling_and_the_squared_prediction_error() -> None:
    """By the formulas, with as many components as explain 90 % of the variance."""
    (x, who), (new, _) = cohort(0), cohort(1)
    novelty = Novelty().fit(x, who)
    k = novelty.components_.n_components_
    explained = np.sort(np.linalg.eigvalsh(np.corrcoef(x.T)))[::-1].cumsum() / DIMENSIONS
    assert explained[k - 2] < 0.9 <= explained[k - 1]
    np.testing.assert_allclose(novelty.distances(new), textbook(x, new, k), rtol=1e-6)


def test_thresholds_are_what_participants_reach_who_were_left_out() -> None:
    """The furthest of each person's recordings; of fewer than 100, the furthest person."""
    x, who = cohort(0)
    novelty = Novelty(n_folds=5, random_state=3).fit(x, who)
    k = novelty.components_.n_components_
    reached = np.vstack(
        [textbook(x[train], x[test], k) for train, test in grouped_folds(who, 5, 3)]
    )
    np.testing.assert_allclose(novelty.thresholds_, reached.max(axis=0), rtol=1e-6)
    own = np.maximum(reached.max(axis=0), textbook(x, x, k).max(axis=0))
    np.testing.assert_allclose(novelty.thresholds_seen_, own, rtol=1e-6)


def test_few_people_of_the_same_kind_are_outside() -> None:
    """By chance each of two thresholds is passed by one in 61; 400 new people."""
    novelty = Novelty().fit(*cohort(0))
    new = cohort(2, 400)[0][:400]
    assert 0 < outside(novelty, new).mean() < 0.1


@pytest.mark.parametrize("direction", [MIXING[0], np.linalg.svd(MIXING)[2][-1]])
def test_another_camera_is_outside(direction: np.ndarray) -> None:
    """Whether it moves the features along what varies among people (T2) or across it (Q)."""
    novelty = Novelty().fit(*cohort(0))
    new, _ = cohort(2)
    assert outside(novelty, new + 12 * direction).all()


def test_no_training_recording_is_kept() -> None:
    """What is learnt has the shape of the features, not of the recordings."""
    x, who = cohort(0)
    novelty = Novelty().fit(x, who)
    learnt = [*vars(novelty.scaler_).values(), *vars(novelty.components_).values()]
    assert all(len(x) not in np.shape(value) for value in [*learnt, novelty.thresholds_])


def test_more_features_than_recordings() -> None:
    """As with an encoder's 1024: a component for five recordings, and none of them outside."""
    generator = np.random.default_rng(0)
    x, who = generator.normal(size=(20, 100)), np.arange(20)
    novelty = Novelty().fit(x, who)
    assert novelty.components_.n_components_ == 3
    assert not novelty.outside(x, np.full(20, True)).any()
    assert outside(novelty, x + 20).all()


def test_recordings_that_are_all_alike() -> None:
    """Any other is outside; they themselves are not."""
    x = np.ones((10, 3))
    novelty = Novelty().fit(x, np.arange(10))
    assert outside(novelty, np.array([[1.0, 1, 1], [1, 1, 2]])).tolist() == [False, True]
