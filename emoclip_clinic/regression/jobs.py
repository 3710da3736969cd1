"""Independent pieces of work, and who does them: this process, its cores, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["Runner", "serially"]

Runner = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Called as (function, jobs): yields function(job) for every job, in the order of the jobs. Both
may go to other processes, so they can be pickled; the function holds the data, jobs are small."""


def serially(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    """Do one job after the other, here, each on one core.

    The matrices of a fold are small: threads would wait for one another longer than they work.
    With one thread everywhere, every runner computes the same bits.
    """
    with threadpool_limits(1, user_api="blas"):
        yield from map(function, jobs)
