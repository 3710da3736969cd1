"""Variance components by REML: analysis of variance, statsmodels, and a synthetic truth."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.agreement.mixed import mixed_components, mixed_estimates
from emoclip_clinic.agreement.reliability import weighted_icc


def crossed(n: int, k: int, seed: int, missing: float = 0.0) -> np.ndarray:
    """Draw scores with variances 1 between subjects, 0.25 between raters, 0.5 residual."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(1, k))
    scores = scores + np.sqrt(0.5) * rng.normal(size=(n, k))
    scores[rng.random((n, k)) < missing] = np.nan
    return scores[(~np.isnan(scores)).any(axis=1)]


def components(scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    found = mixed_components(scores, np.ones((1, len(scores))) if weights is None else weights)
    return np.array([found.subjects[0], found.raters[0], found.residual[0]])


@given(st.integers(0, 1000), st.integers(5, 15), st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_complete_tables_give_the_analysis_of_variance(seed: int, n: int, k: int) -> None:
    """ICC(A,1) and ICC(C,1), wherever no component is negative."""
    scores = crossed(n, k, seed)
    known = weighted_icc(scores, np.ones((1, n)))
    subjects, raters, residual = components(scores)
    if min(subjects, raters) > 0:
        total = subjects + raters + residual
        assert subjects / total == pytest.approx(known["ICC(A,1)"][0], abs=1e-6)
        assert subjects / (subjects + residual) == pytest.approx(known["ICC(C,1)"][0], abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_incomplete_tables_give_those_of_statsmodels(seed: int) -> None:
    """A third of the ratings is missing; statsmodels stops at four digits or so."""
    scores = crossed(25, 3, seed, missing=0.3)
    rows = [(i, j, value) for (i, j), value in np.ndenumerate(scores) if not np.isnan(value)]
    table = pd.DataFrame(rows, columns=["subject", "rater", "y"]).assign(everything=1)
    with warnings.catch_warnings():
        # it says how it converges
        warnings.simplefilter("ignore")
        model = smf.mixedlm(
            "y ~ 1", table, groups="everything",
            vc_formula={"rater": "0 + C(rater)", "subject": "0 + C(subject)"},
        ).fit(reml=True)  # fmt: skip
    raters, subjects = model.vcomp
    assert components(scores) == pytest.approx([subjects, raters, model.scale], rel=2e-3)


def deviance(variances: np.ndarray, scores: np.ndarray) -> float:
    """Give -2 log restricted likelihood from whole matrices, as textbooks write it."""
    place = np.argwhere(~np.isnan(scores))
    y = scores[~np.isnan(scores)]
    same = [place[:, [axis]] == place[:, axis] for axis in (0, 1)]
    v = variances[0] * same[0] + variances[1] * same[1] + variances[2] * np.eye(len(y))
    x = np.ones(len(y))
    inverse = np.linalg.inv(v)
    xvx = x @ inverse @ x
    beta = x @ inverse @ y / xvx
    left = y - beta
    return float(np.linalg.slogdet(v)[1] + np.log(xvx) + left @ inverse @ left)


@pytest.mark.parametrize("seed", range(12))
def test_no_other_components_are_likelier(seed: int) -> None:
    """The likelihood from whole matrices is highest there, of many raters or few, noisy or not."""
    rng = np.random.default_rng(seed)
    n, k, noise = int(rng.integers(5, 20)), int(rng.integers(2, 6)), rng.choice([0.05, 0.7, 3.0])
    scores = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=k) + noise * rng.normal(size=(n, k))
    scores[rng.random((n, k)) < 0.3] = np.nan
    scores = scores[(~np.isnan(scores)).any(axis=1)]
    found = components(scores)
    best = deviance(found, scores)
    for _ in range(200):
        other = found * np.exp(rng.normal(size=3) * rng.choice([0.001, 0.1, 1.0]))
        other = np.where(found == 0, rng.choice([0, 1e-3, 0.1]) * found.sum(), other)
        assert deviance(other, scores) >= best - 1e-6


def test_a_subject_that_counts_twice_is_as_good_as_two() -> None:
    """Weights stand for repeated rows."""
    scores = crossed(12, 3, 4, missing=0.2)
    counts = np.arange(len(scores)) % 3
    again = components(np.repeat(scores, counts, axis=0))
    assert components(scores, counts[None].astype(float)) == pytest.approx(again, rel=1e-5)


def test_the_truth_is_found_though_much_is_missing() -> None:
    """Two of five ratings missing, 3,000 subjects, many raters: components within 10 %."""
    subjects, _, residual = components(crossed(3000, 6, 5, missing=0.4))
    assert [subjects, residual] == pytest.approx([1, 0.5], rel=0.1)


def test_the_interval_holds_the_estimate_and_what_cannot_be_estimated_says_why() -> None:
    """A value inside its ends; raters who share no subject, and equal ratings, have reasons."""
    for row in mixed_estimates(crossed(30, 3, 6, missing=0.2), np.arange(30), 1, 100):
        assert row.ci_low < row.value < row.ci_high
    apart = np.array([[1, np.nan], [2, np.nan], [np.nan, 3], [np.nan, 4.0]])
    shifted = np.array([[1, 2], [2, 3], [5, 6], [7, np.nan], [np.nan, 4.0]])
    for scores, reason in (
        (apart, "rated twice, has 0"),
        (np.full((5, 2), 3.0), "are the same"),
        (shifted, "no more than a constant"),
    ):
        for row in mixed_estimates(scores, np.arange(len(scores)), 1, 100):
            assert np.isnan(row.value)
            assert reason in row.note
