from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emoclip_clinic.video.clock import STRAY_FRAMES, is_set_back, on_one_clock

steps_s = arrays(float, st.integers(1, 60), elements=st.floats(0.01, 3))


@given(steps_s, st.floats(-100, 100))
def test_times_that_ascend_are_only_counted_from_the_first(
    steps_s: np.ndarray, first_s: float
) -> None:
    """Whatever the rate, and however long the gaps."""
    own_s = first_s + np.cumsum(steps_s)
    clock = on_one_clock(own_s)
    assert np.array_equal(clock.times_s, own_s - own_s[0])
    assert clock.set_back_s == ()
    assert not is_set_back(own_s)


@given(
    st.integers(40, 80), st.integers(40, 80), st.floats(-50, 0.29), st.sampled_from([10, 25, 30])
)
def test_a_clock_that_is_set_back_is_counted_on(n: int, m: int, start_s: float, rate: int) -> None:
    """Two parts, the second of which starts before the first does, or soon after."""
    own_s = np.concatenate([np.arange(n) / rate, start_s + np.arange(m) / rate])
    clock = on_one_clock(own_s)
    assert clock.times_s == pytest.approx(np.arange(n + m) / rate)
    assert clock.set_back_s == pytest.approx([n / rate])
    assert is_set_back(own_s)


@given(steps_s, st.integers(1, 16))
def test_frames_stored_in_another_order_are_no_clock_set_back(
    steps_s: np.ndarray, size: int
) -> None:
    """As codecs do: each is stored within its group, however slowly they follow."""
    shown_s = np.cumsum(steps_s)
    groups = np.array_split(shown_s, -(-len(shown_s) // size))
    assert not is_set_back(np.concatenate([group[::-1] for group in groups]))


@given(
    st.integers(1, 70),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=STRAY_FRAMES),
    st.booleans(),
)
def test_times_from_nowhere_change_no_others(first: int, wrong_s: list[float], ahead: bool) -> None:
    """Up to five in a row, all ahead of the clock or all behind it."""
    true_s = np.arange(100) / 25
    stray = range(first, first + len(wrong_s))
    own_s = true_s.copy()
    own_s[stray] += [(10 + abs(one)) * (1 if ahead else -1) for one in wrong_s]
    clock = on_one_clock(own_s)
    others = np.delete(np.arange(100), stray)
    assert clock.times_s[others] == pytest.approx(true_s[others])
    assert clock.set_back_s == ()
    assert (np.diff(clock.times_s) >= 0).all()
