"""The difference of two correlation-like statistics of the same participants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from emoclip_clinic.agreement.bootstrap import TAILS, Resampled

__all__ = ["Contrast"]

FEW = 7.0
"""Quantiles are widened by 1 + FEW / n for n participants. Found by simulation
(benchmarks/noninferiority.py): without it a true difference at the margin itself is called not
inferior 5.1, 4.5 and 3.4 times in 100 with 20, 40 and 80 participants, in place of 2.5."""

BOUND = 1 - 1e-9
"""Of a correlation whose z is taken."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """First less second, two statistics between -1 and 1 that were resampled together.

    That the difference is d is tested by z(first) - z(second + d), with Fisher's z, which is
    nearly symmetric where a difference of high correlations is skewed; the interval holds every d
    that is not refused at 2.5 % on either side.
    """

    first: Resampled
    """Such as agreement of the model with the raters."""
    second: Resampled
    """Such as agreement of the raters."""

    @property
    def value(self) -> float:
        """The difference itself."""
        return self.first.value - self.second.value

    def interval(self) -> tuple[float, float]:
        """95 % interval; NaN where it cannot be had."""
        if np.isnan(self.p_above(self.value)):
            return np.nan, np.nan
        # beyond these, the second would be no correlation
        ends = -1 - self.second.value, 1 - self.second.value
        low, high = (_root(partial(self._excess, tail), *ends) for tail in TAILS)
        return low, high

    def _excess(self, level: float, difference: float) -> float:
        return self.p_above(difference) - level

    def p_above(self, bound: float) -> float:
        """One-sided p-value against "the true difference is `bound` or less"."""
        return self._against(bound).p_above(0.0)

    def _against(self, difference: float) -> Resampled:
        first, second = self.first, self.second
        n = max(len(first.left_out), 1)
        return Resampled(
            float(_z(np.array(first.value)) - _z(np.array(second.value + difference))),
            _z(first.drawn) - _z(second.drawn + difference),
            _z(first.left_out) - _z(second.left_out + difference),
            1 + FEW / n,
        )


def _z(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctanh(np.clip(value, -BOUND, BOUND))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Find where a rising function is 0; NaN where it is not within the ends."""
    if not function(low) < 0 < function(high):
        return np.nan
    return float(optimize.brentq(function, low, high, xtol=1e-10))
