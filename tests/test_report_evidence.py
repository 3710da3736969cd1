from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.report.evidence import Estimate, judge, koo_li


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(*[st.floats(-1, 1)] * 3)))
    return Estimate(value, low, high)


@given(estimates(), st.lists(estimates(), min_size=1, max_size=4))
def test_a_difference_is_claimed_only_where_no_interval_touches(
    clinicians: Estimate, model: list[Estimate]
) -> None:
    """One clinician with whom the intervals overlap is enough to leave the question open."""
    verdict = judge(clinicians, model)
    overlap = any(each.low <= clinicians.high and clinicians.low <= each.high for each in model)
    if overlap:
        assert verdict == "open"
    else:
        sides = {each.value > clinicians.value for each in model}
        assert verdict == ("open" if len(sides) > 1 else "higher" if sides == {True} else "lower")


def test_what_has_no_interval_is_not_judged() -> None:
    """A missing interval of the model, or of the clinicians, is said and not passed over."""
    good, unknown, bare = Estimate(0.8, 0.7, 0.9), Estimate(), Estimate(0.8)
    assert judge(good, []) == judge(good, [unknown]) == judge(good, [good, bare]) == "undefined"
    assert judge(unknown, [good]) == judge(bare, [good]) == "no_ceiling"


@pytest.mark.parametrize(
    ("value", "grade"),
    [(-0.2, "poor"), (0.49, "poor"), (0.5, "moderate"), (0.75, "good"), (0.9, "excellent")],
)
def test_grades_are_those_of_koo_and_li(value: float, grade: str) -> None:
    """Below 0.5 poor, from there moderate, from 0.75 good, from 0.9 excellent."""
    assert koo_li(Estimate(value, value, value)) == (grade, grade)
    assert koo_li(Estimate(math.nan, 0.6, 0.95)) == ("moderate", "excellent")
