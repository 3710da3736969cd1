from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression.covariates import (
    CovariateEncoder,
    CovariateRegression,
    require_covariates,
    suspicious,
)
from emoclip_clinic.regression.inputs import Inputs

TRAINING = pd.DataFrame(
    {
        "age": [20.0, 30, np.nan, 40],
        "sex": ["f", "m", "m", None],
        "clinic": ["A"] * 4,
        "visit": [1, 1, 1, 1],
    }
)


def test_covariates_become_numbers_by_the_training_recordings() -> None:
    """Age in SDs of training with gaps at its mean, a column for the gap, one a sex; no others."""
    encoder = CovariateEncoder().fit(TRAINING)
    sd = np.std([20, 30, 40])
    np.testing.assert_allclose(
        encoder.transform(TRAINING),
        [[-10 / sd, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 1], [10 / sd, 0, 0, 0]],
    )
    new = pd.DataFrame({"visit": [2], "clinic": "B", "sex": "x", "age": 50})
    np.testing.assert_allclose(encoder.transform(new), [[20 / sd, 0, 0, 0]])


def test_a_gap_that_training_did_not_have_is_the_mean_and_no_column() -> None:
    """The indicator column is there only where it varies in training."""
    encoder = CovariateEncoder().fit(pd.DataFrame({"age": [20, 30]}))
    found = encoder.transform(pd.DataFrame({"age": [np.nan, 30]}))
    np.testing.assert_allclose(found, [[0], [1]])


@given(seed=st.integers(0, 2**32 - 1), wild=st.floats(-1e6, 1e6))
def test_other_recordings_do_not_move_the_encoding(seed: int, wild: float) -> None:
    """What a recording is encoded to depends on it and on training alone."""
    generator = np.random.default_rng(seed)
    training = pd.DataFrame(
        {"age": generator.normal(size=6), "site": generator.choice(["A", "B"], size=6)}
    )
    encoder = CovariateEncoder().fit(training)
    beside = pd.DataFrame({"age": [wild, np.nan], "site": ["C", None]})
    both = pd.concat([training, beside], ignore_index=True)
    np.testing.assert_array_equal(encoder.transform(both)[:6], encoder.transform(training))


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"age": [30, 30], "sex": ["f", "f"]}),
        pd.DataFrame({"age": [np.nan, np.nan], "sex": [None, None]}),
    ],
    ids=["equal", "unknown"],
)
def test_where_nothing_varies_there_is_a_column_of_zeros(table: pd.DataFrame) -> None:
    """Nothing is learnt, and nothing of new recordings is used."""
    encoder = CovariateEncoder().fit(table)
    new = pd.DataFrame({"age": [50.0, np.nan], "sex": ["m", "f"]})
    assert encoder.transform(new).tolist() == [[0], [0]]


def test_truth_values_are_numbers() -> None:
    """Yes and no, as pandas reads True and False."""
    table = pd.DataFrame({"inpatient": [True, False]})
    np.testing.assert_allclose(CovariateEncoder().fit(table).transform(table), [[1], [-1]])


def test_what_the_covariates_explain_is_least_squares() -> None:
    """Numpy's lstsq, with an intercept; the residuals of what is wholly explained are 0."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(30, 3)), generator.normal(size=(30, 4)) + 5
    y[:, 3] = 2 + x @ [1, 2, 3]
    y[:, 2] = 7
    regression = CovariateRegression().fit(x[:20], y[:20])
    design = np.c_[np.ones(30), x]
    expected = design @ np.linalg.lstsq(design[:20], y[:20])[0]
    np.testing.assert_allclose(regression.predict(x), expected)
    np.testing.assert_allclose(regression.residuals(x, y)[:, :2], (y - expected)[:, :2])
    assert not regression.residuals(x, y + generator.normal(size=y.shape))[:, 2:].any()


def test_what_is_missing_is_named() -> None:
    """No covariates, a column that is not there, a text where a number was, one given twice."""
    for absent in (None, pd.DataFrame(index=["a"])):
        with pytest.raises(SettingsError, match=r"\[fit\] covariates = "):
            require_covariates(absent)
    encoder = CovariateEncoder().fit(TRAINING)
    with pytest.raises(SettingsError, match="no covariate age is given"):
        encoder.transform(TRAINING.drop(columns="age"))
    with pytest.raises(SettingsError, match=r"covariate age: .*old.* it was a number"):
        encoder.transform(TRAINING.assign(age="old"))
    x = pd.DataFrame({"f": [1.0, 2]}, index=["a", "b"])
    with pytest.raises(ClinicError, match="covariates of a are given twice"):
        Inputs.of_features(x, pd.DataFrame({"age": [1, 2]}, index=["a", "a"]))
    with pytest.raises(ClinicError, match="covariate age is infinite"):
        Inputs.of_features(x, pd.DataFrame({"age": [1, np.inf]}, index=["a", "b"]))


INDEX = pd.Index([f"r{k}" for k in range(12)])
TOTAL = pd.Series(np.arange(12.0) ** 2, index=INDEX)


def notes(total: pd.Series = TOTAL, /, **covariates: object) -> list[str]:
    """Look at twelve participants' total, and of a score that all have."""
    targets = pd.DataFrame({"total": total, "floor": 1.0})
    people = pd.Series(INDEX, index=INDEX)
    return suspicious(pd.DataFrame(covariates, index=INDEX), targets, people)


def test_a_covariate_that_is_the_score_is_found() -> None:
    """Equal, scaled or turned, with gaps; nothing is said of a constant score."""
    assert notes(total=TOTAL, sum=TOTAL.where(TOTAL > 5)) == [
        f"covariate {name} equals the score total (r = 1.00): it would predict itself"
        for name in ("total", "sum")
    ]
    assert notes(turned=3 - 2 * TOTAL) == [
        "covariate turned goes with the score total (r = -1.00): it would predict itself"
    ]


def test_a_covariate_that_predicts_well_is_not() -> None:
    """R = 0.97 is no identity, a constant is nothing, four participants are chance."""
    assert notes(age=np.arange(12.0), one=1, few=TOTAL.where(TOTAL < 10)) == []


def test_a_category_that_says_the_score_is_found() -> None:
    """Bands of a score, and not names of which each is a person's own."""
    total = pd.Series(np.repeat([1.0, 2, 3], 4), index=INDEX)
    band = np.repeat(["mild", "moderate", "severe"], 4)
    assert notes(total, band=band, name=INDEX, site=np.tile(["A", "B"], 6)) == [
        "covariate band determines the score total in 12 recordings: it would predict itself"
    ]
