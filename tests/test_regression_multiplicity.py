from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.multiplicity import benjamini_hochberg, max_t

PROBABILITIES = arrays(float, st.integers(1, 20), elements=st.floats(0, 1))


@given(PROBABILITIES)
def test_false_discoveries_are_controlled_as_statsmodels_does(p: np.ndarray) -> None:
    """The adjusted p-values are those of statsmodels' fdr_bh."""
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, atol=1e-12)


def test_the_table_of_benjamini_and_hochberg() -> None:
    """Their section 4: 15 endpoints of a trial of thrombolysis, of which 4 are rejected at 0.05."""
    p = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
    ]
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4


def test_an_impossible_test_counts_as_one_that_found_nothing() -> None:
    """Its q is missing, and the others are as if it had p = 1."""
    np.testing.assert_allclose(benjamini_hochberg([0.01, np.nan, 0.04]), [0.03, np.nan, 0.06])
    assert np.isnan(benjamini_hochberg([np.nan, np.nan])).all()


@pytest.mark.parametrize("p", [-0.1, 1.2, np.inf])
def test_a_probability_lies_between_0_and_1(p: float) -> None:
    """Anything else is not a p-value."""
    with pytest.raises(ClinicError, match="allowed: 0 to 1"):
        benjamini_hochberg([0.5, p])


def test_step_down_by_hand() -> None:
    """Three targets, four permutations, counted on paper.

    Order: b (3), a (2), c (1). Maxima of all: 2, 4, 1, 1 -> b is reached once, p = 2 / 5. Of a and
    c: 2, 0, 1, 1 -> a is reached once, 2 / 5. Of c: 2, 0, 0, 1 -> c is reached twice, 3 / 5.
    """
    permuted = [[0, 1, 2], [0, 4, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(max_t([2, 3, 1], permuted), [2 / 5, 2 / 5, 3 / 5])


def test_adjusted_values_never_fall_as_the_statistic_does() -> None:
    """The second target alone is reached less often than the first: it takes the first's p."""
    np.testing.assert_allclose(max_t([3, 2], [[4, 0], [5, 0], [0, 0]]), [3 / 4, 3 / 4])


def test_what_was_not_found_counts_as_less_than_anything() -> None:
    """NaN stays NaN; its permutations still stand among the maxima that the others must beat."""
    np.testing.assert_allclose(
        max_t([1, np.nan], [[np.nan, 2], [0, np.nan], [0.5, 0], [np.nan, np.nan]]), [2 / 5, np.nan]
    )


def test_equal_but_for_rounding_is_reached() -> None:
    """The observed order comes back as a permutation, summed in another order."""
    assert max_t([0.1 + 0.2], [[0.3]]).item() == 1
    assert max_t([-0.1 - 0.2], [[-0.3 - 1e-15]]).item() == 1


@given(st.integers(0, 2**32 - 1))
def test_between_the_single_p_and_the_maximum_of_all(seed: int) -> None:
    """Step-down lies between no adjustment and single-step; targets may come in any order."""
    generator = np.random.default_rng(seed)
    observed, permuted = generator.normal(1, 1, 6), generator.normal(size=(50, 6))
    p = max_t(observed, permuted)
    alone = (1 + (permuted >= observed).sum(axis=0)) / 51
    together = (1 + (permuted.max(axis=1)[:, np.newaxis] >= observed).sum(axis=0)) / 51
    assert (alone <= p + 1e-12).all()
    assert (p <= together + 1e-12).all()
    shuffle = generator.permutation(6)
    np.testing.assert_allclose(max_t(observed[shuffle], permuted[:, shuffle]), p[shuffle])


def test_noise_is_found_no_more_often_than_stated() -> None:
    """Every ordering of 5 scores against 3 targets: exactly at most one in five finds p <= 0.2.

    Each of the 120 orders is taken as the observed one and compared with the 119 others, so that
    the rate is that of the exact permutation test.
    """
    targets = np.random.default_rng(5).normal(size=(5, 3))
    every = np.array(list(itertools.permutations(range(5)))) @ targets
    found = [
        (max_t(statistic, np.delete(every, number, axis=0)) <= 0.2).any()
        for number, statistic in enumerate(every)
    ]
    assert np.mean(found) <= 0.2


@pytest.mark.parametrize("shape", [(0, 2), (5, 3), (5,)])
def test_permutations_must_fit(shape: tuple[int, ...]) -> None:
    """None, or of other targets: an error."""
    with pytest.raises(ClinicError, match="at least one permutation"):
        max_t([1, 2], np.zeros(shape))
