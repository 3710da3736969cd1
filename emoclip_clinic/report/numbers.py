"""Numbers as a report prints them: the only place that rounds.

Tables and files keep full precision. Here a number gets its digits, a minus sign (U+2212) that is
as wide as a digit, never a negative zero, and an en dash where it is undefined.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "DASH",
    "MINUS",
    "Custom",
    "count",
    "digits_for",
    "estimate",
    "interval",
    "number",
    "p_value",
    "pair_name",
    "percent",
    "scale_digits",
    "written",
]

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Custom:
    """How a language writes numbers, and names pairs."""

    point: str = "."
    """Between whole number and decimals."""
    thousands: str = ","
    """Between groups of three digits."""
    to: str = "to"
    """Between the ends of an interval."""
    pair: str = "{first} and {second}"
    """Two raters, or the model and a rater."""
    model: str = "Model"
    """At the beginning of a pair."""


ENGLISH = Custom()
_custom: ContextVar[Custom] = ContextVar("custom", default=ENGLISH)


@contextlib.contextmanager
def written(custom: Custom) -> Iterator[None]:
    """Write numbers by the custom of a language while the block lasts."""
    before = _custom.set(custom)
    try:
        yield
    finally:
        _custom.reset(before)


def number(value: float | None, digits: int = 2) -> str:
    """Round to `digits` decimals; a dash where the value is missing, infinite or undefined.

    >>> number(-0.001), number(-1.5, 1), number(float("nan"))
    ('0.00', '−1.5', '–')
    """
    if value is None or not math.isfinite(value):
        return DASH
    # adding zero turns the negative zero that rounding leaves into a zero
    shown = f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", MINUS)
    return shown.replace(".", _custom.get().point)


def pair_name(first: str, second: str) -> str:
    """Name a pair as tables do: "A and B", "Model and A"; an empty name is left out."""
    custom = _custom.get()
    names = [custom.model if name == "model" else name for name in (first, second) if name]
    return custom.pair.format(first=names[0], second=names[1]) if len(names) > 1 else "".join(names)


def count(n: float | None) -> str:
    """Print a whole number, thousands apart: "12,345"."""
    if n is None or not math.isfinite(n):
        return DASH
    return f"{round(n):,}".replace("-", MINUS).replace(",", _custom.get().thousands)


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Lower and upper end: "0.72 to 0.88"; one dash where neither is defined."""
    ends = number(low, digits), number(high, digits)
    return DASH if ends == (DASH, DASH) else f"{ends[0]} {_custom.get().to} {ends[1]}"


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, digits: int = 2
) -> str:
    """Print an estimate with its interval: "0.81 (0.72 to 0.88)"; a dash if it is undefined.

    An estimate whose interval is undefined says so: "0.81 (–)".
    """
    middle = number(value, digits)
    return middle if middle == DASH else f"{middle} ({interval(low, high, digits)})"


def digits_for(values: Iterable[float]) -> int:
    """Decimals that suit measurements: none for whole or large numbers, 2 for those below 10."""
    finite = [float(value) for value in values if math.isfinite(value)]
    if all(value.is_integer() for value in finite):
        return 0
    largest = max(map(abs, finite))
    return 2 if largest < 10 else 1 if largest < 100 else 0


def p_value(p: float | None) -> str:
    """Print a p value with its sign: "p = 0.032", "p < 0.001", "p > 0.99".

    Three decimals below 0.1, where they matter, and two above it.
    """
    if p is None or not math.isfinite(p):
        return f"p {DASH}"
    if p < 0.001:
        return f"p < {number(0.001, 3)}"
    if p > 0.99:
        return f"p > {number(0.99)}"
    return f"p = {number(p, 3 if p < 0.0995 else 2)}"


def percent(share: float | None, digits: int = 0) -> str:
    """Print a share between 0 and 1 as a percentage; "100%" and "0%" only where they are exact."""
    if share is None or not math.isfinite(share):
        return DASH
    step = 10.0**-digits
    rounded = round(100 * share, digits)
    if rounded >= 100 and share < 1:
        return f">{number(100 - step, digits)}%"
    if rounded == 0 and share > 0:
        return f"<{number(step, digits)}%"
    return f"{number(rounded, digits)}%"


def scale_digits(minimum: float, maximum: float) -> int:
    """Decimals for points on a scale: 2 on a short one (an item), 1 on a long one (a total)."""
    return 1 if maximum - minimum > 10 else 2
