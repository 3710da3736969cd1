"""Limits of agreement in their other forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emoclip_clinic.agreement.limit_forms import _percentiles, _repeated, limit_forms
from tests.test_agreement_among_raters import table


def forms(scores: np.ndarray, visits_each: int = 1) -> pd.DataFrame:
    """Second rater less first."""
    found = limit_forms(
        table(scores, visits_each=visits_each), None,
        scale_id="panss", targets=["N1"], n_resamples=200, seed=1,
    )  # fmt: skip
    return found.set_index(["form", "statistic"])


def pair(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(20, 80, n)
    return np.column_stack([truth, truth + 2 + 3 * rng.normal(size=n)])


def test_both_intervals_of_the_limits_are_named() -> None:
    """One value, and for few visits a wider, lopsided exact interval."""
    found = forms(pair(12))
    near, exact = found.loc[("approximate", "LoA upper")], found.loc[("exact", "LoA upper")]
    assert near.value == exact.value
    assert near.ci_high - near.value == pytest.approx(near.value - near.ci_low)
    assert exact.ci_high - exact.value > exact.value - exact.ci_low
    assert "Bland & Altman 1999" in near.method
    assert "Carkeet" in exact.method


def test_ratios_and_percentages_of_a_known_factor() -> None:
    """A rater who says 20 % more, whatever the score."""
    first = np.linspace(10, 60, 40)
    noise = np.exp(0.05 * np.random.default_rng(1).normal(size=40))
    found = forms(np.column_stack([first, 1.2 * first * noise]))
    assert found.value["log ratio", "bias"] == pytest.approx(1.2, rel=0.02)
    half = np.exp(1.96 * 0.05)
    assert found.value["log ratio", "LoA upper"] == pytest.approx(1.2 * half, rel=0.03)
    assert found.value["percentage", "bias"] == pytest.approx(100 * 0.2 / 1.1, rel=0.05)
    assert found.ci_low["proportional bias", "slope"] > 0


def test_scores_of_zero_have_no_ratio() -> None:
    """The reason is said; the other forms stay."""
    found = forms(np.column_stack([np.arange(50.0), np.arange(50.0)[::-1]]))
    assert found.value.loc[["log ratio", "percentage"]].isna().all()
    assert found.note["log ratio", "bias"].startswith("undefined: a score is 0 or below")
    assert found.value.loc[["exact", "repeated measures", "non-parametric"]].notna().all()


def test_repeated_visits_give_the_components_of_one_way_analysis_of_variance() -> None:
    """Unequal numbers of visits: by the method of moments, written out with loops."""
    rng = np.random.default_rng(2)
    whose = np.repeat(np.arange(12), [1, 2, 3] * 4).astype(object)
    difference = rng.normal(size=12)[whose.astype(int)] + rng.normal(size=len(whose))
    m = [int((whose == who).sum()) for who in range(12)]
    means = [difference[whose == who].mean() for who in range(12)]
    n = len(whose)
    within = sum((d - means[who]) ** 2 for d, who in zip(difference, whose, strict=True)) / (n - 12)
    between = (
        sum(k * (mean - difference.mean()) ** 2 for k, mean in zip(m, means, strict=True)) / 11
    )
    size = (n**2 - sum(k**2 for k in m)) / (11 * n)
    sd = np.sqrt((between - within) / size + within)
    found = _repeated(difference, whose, np.ones((1, n)))
    assert found["LoA upper"][0] == pytest.approx(difference.mean() + 1.96 * sd)


def test_one_visit_a_person_is_the_plain_form() -> None:
    """No variance within persons: the usual limits."""
    found = forms(pair(45))
    for name in ("bias", "LoA lower", "LoA upper"):
        assert found.value["repeated measures", name] == pytest.approx(found.value["exact", name])


@given(
    hnp.arrays(float, 9, elements=st.integers(-5, 5)),
    hnp.arrays(int, 9, elements=st.integers(0, 3)).filter(lambda c: c.sum() > 2),
)
@settings(max_examples=50, deadline=None)
def test_percentiles_are_those_of_the_repeated_values(values, counts) -> None:
    """A visit that counts twice is as good as two."""
    found = _percentiles(values, counts[None].astype(float))
    low, high = np.quantile(np.repeat(values, counts), [0.025, 0.975])
    assert [found["LoA lower"][0], found["LoA upper"][0]] == pytest.approx([low, high])


def test_two_visits_are_too_few() -> None:
    """Each form says so."""
    found = forms(pair(2))
    assert found.value.isna().all()
    assert found.note.str.contains("needs 3 visits, has 2").all()
