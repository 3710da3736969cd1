from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic import agreement
from emoclip_clinic.demo.raters import (
    LOADINGS,
    RATERS,
    SPREAD,
    known_truth,
    rate,
    severity,
)

UNBOUNDED = (-1000, 1000)


def test_known_truth_has_its_closed_form_where_the_scale_has_no_bounds() -> None:
    """Variances of subjects, raters and noise, with 1/12 for rounding (McGraw and Wong 1996)."""
    found = known_truth(["N1", "P1"], {"both": ["N1", "P1"]}, UNBOUNDED)
    subjects = SPREAD**2
    raters = np.var([rater.bias for rater in RATERS], ddof=1)
    noise = np.mean([rater.noise_sd**2 for rater in RATERS]) + 1 / 12
    for item in ("N1", "P1"):
        expected = subjects / (subjects + raters + noise)
        assert found[item].icc_a1 == pytest.approx(expected, abs=0.004)
        latent = -LOADINGS.get(item, 0.0) * SPREAD / np.sqrt(subjects + noise / len(RATERS))
        assert found[item].latent_pearson == pytest.approx(latent, abs=0.008)
    # two items: variances add, biases too; the general factor ties what expression leaves
    shared = 2 * 0.25 * np.sqrt(1 - LOADINGS["N1"] ** 2)
    both = subjects * (2 + shared)
    expected = both / (both + 4 * raters + 2 * noise)
    assert found["both"].icc_a1 == pytest.approx(expected, abs=0.004)


def test_a_small_study_finds_the_known_agreement() -> None:
    """The package's own ICC of 400 rated subjects has the known truth in its interval."""
    rng = np.random.default_rng(0)
    expressivity, illness = rng.standard_normal((2, 400))
    truth = severity(["N1"], expressivity, illness, rng.standard_normal((400, 1)))
    values = rate(truth, (1, 7), rng)[:, 0]
    subject, rater = np.indices(values.shape)
    table = {"subject": subject.ravel(), "rater": rater.ravel(), "value": values.ravel()}
    forms = agreement.icc(pd.DataFrame(table)).set_index("name")
    known = known_truth(["N1"], {}, (1, 7), n_subjects=50_000)["N1"].icc_a1
    assert forms.loc["ICC(A,1)", "ci_low"] < known < forms.loc["ICC(A,1)", "ci_high"]


def test_ratings_are_whole_numbers_of_the_scale() -> None:
    """However extreme the truth, a rating keeps to the item's range."""
    truth = np.array([[-20.0, 3.0, 40.0]])
    values = rate(truth, (1, 7), np.random.default_rng(0))
    assert values.shape == (1, 3, len(RATERS))
    assert set(values[0, 0]) == {1}
    assert set(values[0, 2]) == {7}
