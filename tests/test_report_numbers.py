from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.report import numbers

FINITE = st.floats(-1e9, 1e9)
DIGITS = st.integers(0, 4)


def read_back(text: str) -> float:
    return float(text.replace(numbers.MINUS, "-").replace(",", ""))


@given(FINITE, DIGITS)
def test_a_number_reads_back_to_within_half_of_its_last_digit(value: float, digits: int) -> None:
    """Rounding moves a value by half a unit of the last digit at most, plus float error."""
    shown = numbers.number(value, digits)
    assert abs(read_back(shown) - value) <= 0.5 * 10**-digits + 1e-6
    assert len(shown.partition(".")[2]) == digits


@given(FINITE, DIGITS)
def test_no_number_is_a_negative_zero_or_has_a_hyphen(value: float, digits: int) -> None:
    """The minus sign is U+2212, and zero has none."""
    shown = numbers.number(value, digits)
    assert "-" not in shown
    assert not (shown.startswith(numbers.MINUS) and read_back(shown) == 0)


@given(FINITE, DIGITS)
def test_minus_only_changes_the_sign(value: float, digits: int) -> None:
    """A value and its negative have the same digits."""
    signs = numbers.number(value, digits), numbers.number(-value, digits)
    assert len({shown.removeprefix(numbers.MINUS) for shown in signs}) == 1


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_undefined_is_a_dash_everywhere(value: float | None) -> None:
    """No page ever shows nan, None or inf."""
    assert numbers.number(value) == numbers.count(value) == numbers.percent(value) == numbers.DASH
    assert numbers.estimate(value, 0.1, 0.2) == numbers.DASH
    assert numbers.p_value(value) == f"p {numbers.DASH}"


def test_an_estimate_says_when_its_interval_is_undefined() -> None:
    """An interval is whole, half known, or a dash."""
    assert numbers.estimate(0.814, 0.719, 0.881) == "0.81 (0.72 to 0.88)"
    assert numbers.estimate(0.814, math.nan, math.nan) == f"0.81 ({numbers.DASH})"
    assert numbers.interval(math.nan, 0.5) == f"{numbers.DASH} to 0.50"
    assert numbers.interval(-0.5, -0.004) == f"{numbers.MINUS}0.50 to 0.00"


@given(st.floats(0, 1))
def test_a_p_value_is_never_said_to_be_zero_or_one(p: float) -> None:
    """Small and large ones are bounds; the others read back to within their last digit."""
    shown = numbers.p_value(p)
    if "=" in shown:
        assert abs(float(shown.split("= ")[1]) - p) <= 0.005
        assert float(shown.split("= ")[1]) not in (0, 1)
    else:
        assert shown == ("p < 0.001" if p < 0.001 else "p > 0.99")


@given(st.floats(0, 1), st.integers(0, 2))
def test_a_share_is_all_or_none_only_where_it_is(share: float, digits: int) -> None:
    """99.7 % is not 100 %, and 0.3 % is not 0 %."""
    shown = numbers.percent(share, digits)
    value = float(shown.strip("<>%"))
    assert (value == 0) == (share == 0)
    assert (value == 100) == (share == 1)


@given(st.integers(-(10**12), 10**12))
def test_a_count_loses_nothing(n: int) -> None:
    """Thousands are set apart and every digit is there."""
    assert read_back(numbers.count(n)) == n


def test_decimals_suit_the_values() -> None:
    """Whole numbers have none, nor have large ones; items have more than totals."""
    assert numbers.digits_for([18.0, 60.0, math.nan]) == 0
    assert [numbers.digits_for([0.25, top]) for top in (9.5, 95.5, 955.5)] == [2, 1, 0]
    assert numbers.digits_for([]) == 0
    assert numbers.scale_digits(1, 7) == 2
    assert numbers.scale_digits(30, 210) == 1
