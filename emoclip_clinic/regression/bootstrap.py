"""What a statistic would be in other samples of participants, by drawing these again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

__all__ = ["FEWEST", "Distribution", "distributions"]

Array = NDArray[np.float64]
Statistics = Callable[[Array], dict[str, Array]]
"""From weights of the recordings, shape (n_weightings, n_recordings), to statistics, each
(n_weightings,)."""

FEWEST = 5
"""Participants below which no interval is given: there is too little to draw from."""
MOST_UNDEFINED = 0.05
"""Share of resamples in which a statistic is undefined, above which no interval is given."""
CHUNK = 2**19
"""Weights (resamples x recordings) that are worked on at once, 4 MiB; several such arrays live."""
SAME = 1e-12
"""Resamples that differ by less than this share of the estimate do not differ."""


@dataclass(frozen=True, eq=False)
class Distribution:
    """An estimate, and what it is in resamples of participants and without each of them.

    Intervals are bias-corrected and accelerated (Efron B, J Am Stat Assoc 1987;82:171-185), the
    acceleration from leaving out one participant at a time. A bootstrap of n participants is
    narrower than it should be by sqrt((n - 1) / n) and as if n were large: the quantiles are those
    at Phi(sqrt(n / (n - 1)) t), t of n - 1 degrees of freedom, instead of Phi(z), which is the
    expanded percentile of Hesterberg TC, Am Stat 2015;69:371-386, within the BCa.
    """

    value: float
    """The estimate."""
    drawn: Array
    """In each resample, shape (n_resamples,); NaN where undefined."""
    left_out: Array
    """Without each participant, shape (n_participants,)."""
    n: int
    """Participants that the interval rests on."""

    @cached_property
    def problem(self) -> str:
        """Why there is no interval; empty where there is one."""
        if not np.isfinite(self.value):
            return "undefined for these scores"
        if self.n < FEWEST:
            return f"no interval: fewer than {FEWEST} participants"
        undefined = not np.isfinite(self.left_out).all()
        if undefined or len(self._defined) < (1 - MOST_UNDEFINED) * len(self.drawn):
            return "no interval: undefined in too many resamples"
        spread = SAME * max(1.0, abs(self.value))
        if np.ptp(self._defined) <= spread or np.ptp(self.left_out) <= spread:
            return "no interval: the same in every resample"
        if not 0 < self._below(self.value) < 1:
            return "no interval: every resample is on one side of the estimate"
        return ""

    @cached_property
    def _defined(self) -> Array:
        return np.sort(self.drawn[np.isfinite(self.drawn)])

    def _below(self, value: float) -> float:
        """Share of resamples below a value, ties by half; order of summation makes no tie."""
        same = SAME * max(1.0, abs(value))
        below, up_to = np.searchsorted(self._defined, (value - same, value + same))
        return float(below + up_to) / (2 * len(self._defined))

    @cached_property
    def _shift(self) -> float:
        return float(special.ndtri(self._below(self.value)))

    @cached_property
    def _acceleration(self) -> float:
        pull = self.left_out.mean() - self.left_out
        return float((pull**3).sum() / (6 * (pull**2).sum() ** 1.5))

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends of the interval; NaN where `problem` says why."""
        if self.problem:
            return np.nan, np.nan
        t = special.stdtrit(self.n - 1, np.array([(1 - level) / 2, (1 + level) / 2]))
        z = self._shift + np.sqrt(self.n / (self.n - 1)) * t
        bend = 1 - self._acceleration * z
        # past the pole of the transformation lies the end of all that was drawn
        with np.errstate(divide="ignore"):
            quantile = np.where(bend > 0, special.ndtr(self._shift + z / bend), z > 0)
        low, high = np.quantile(self._defined, quantile)
        return float(low), float(high)

    def p(self, null: float = 0.0) -> float:
        """Two-sided p-value: 1 - the level at which the interval just reaches `null`.

        Not below 2 / (n_resamples + 1), for no more can be told from the resamples.
        """
        if self.problem:
            return np.nan
        least = 1 / (len(self._defined) + 1)
        w = special.ndtri(np.clip(self._below(null), least, 1 - least)) - self._shift
        bend = 1 + self._acceleration * w
        z = w / bend - self._shift if bend > 0 else np.copysign(np.inf, w)
        tail = special.stdtr(self.n - 1, -abs(z) / np.sqrt(self.n / (self.n - 1)))
        return float(max(2 * tail, 2 * least))

    def standard_error(self, there: Callable[[Array], Array]) -> float:
        """Bootstrap standard error on a scale, corrected by n / (n - 1); NaN where undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            on_scale = there(self.drawn)
        defined = on_scale[np.isfinite(on_scale)]
        if self.n < FEWEST or len(defined) < (1 - MOST_UNDEFINED) * len(self.drawn):
            return np.nan
        return float(defined.std() * np.sqrt(self.n / (self.n - 1)))

    def t_interval(
        self,
        level: float,
        there: Callable[[Array], Array],
        back: Callable[[Array], Array],
        widening: float = 1.0,
    ) -> tuple[float, float]:
        """Estimate +- t x standard error on a scale, taken back; `widening` is of the variance."""
        half = stats.t.ppf((1 + level) / 2, self.n - 1) * self.standard_error(there)
        centre = there(np.array(self.value))
        ends = back(centre + np.sqrt(widening) * half * np.array([-1.0, 1.0]))
        # 1 - R2 falls as R2 rises: sort
        return float(min(ends)), float(max(ends))


def distributions(
    statistics: Statistics, cluster: NDArray[np.intp], n_resamples: int, seed: int
) -> dict[str, Distribution]:
    """Compute statistics in resamples of whole participants, with all their recordings.

    Parameters
    ----------
    statistics
        Of weights, as `Statistics` says.
    cluster
        Number of each recording's participant, from 0 without gaps, shape (n_recordings,).
    n_resamples
        Samples of as many participants as there are, with replacement (Field CA, Welsh AH, J R
        Stat Soc B 2007;69:369-390).
    seed
        Fixes them; statistics of the same number of participants share them.
    """
    n = int(cluster.max()) + 1
    whole = statistics(np.ones((1, len(cluster))))
    drawn = _chunked(statistics, _counts(n, n_resamples, seed), cluster)
    left_out = _chunked(statistics, (1 - np.eye(n, dtype=np.uint16)), cluster)
    return {
        name: Distribution(value.item(), drawn[name], left_out[name], n)
        for name, value in whole.items()
    }


@functools.lru_cache(maxsize=4)
def _counts(n: int, n_resamples: int, seed: int) -> NDArray[np.uint16]:
    """How often each participant is in each resample, shape (n_resamples, n)."""
    generator = np.random.default_rng(seed)
    drawn = np.empty((n_resamples, n), dtype=np.uint16)
    for rows in _slices(n_resamples, n):
        size = len(range(n_resamples)[rows])
        drawn[rows] = generator.multinomial(n, np.full(n, 1 / n), size)
    drawn.setflags(write=False)  # shared by all who ask for the same
    return drawn


def _slices(n_rows: int, n_columns: int) -> Iterator[slice]:
    step = max(1, CHUNK // n_columns)
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _chunked(
    statistics: Statistics, counts: NDArray[np.uint16], cluster: NDArray[np.intp]
) -> dict[str, Array]:
    parts = [
        statistics(counts[rows][:, cluster].astype(float))
        for rows in _slices(len(counts), len(cluster))
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
