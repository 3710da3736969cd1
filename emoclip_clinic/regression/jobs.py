"""Independent pieces of work, and who does them: this process, its cores, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["Apart", "Lost", "Runner", "serially"]

Runner = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Called as (function, jobs): yields function(job) for every job, in the order of the jobs. Both
may go to other processes, so they can be pickled; the function holds the data, jobs are small.
Where the function is `Apart`, the order may be any, and `Lost` may stand for a result."""


@dataclass(frozen=True)
class Apart:
    """A function whose results are of use one by one, such as recordings: each comes when it can.

    None waits for another, and none is lost with another.
    """

    function: Callable[[Any], Any]
    """What is called; its results say of which job they are."""
    libraries: tuple[str, ...] = ()
    """Names on PyPI of what decides the results beside what decides those of every job."""

    def __call__(self, job: Any) -> Any:
        """Do a job."""
        return self.function(job)


@dataclass(frozen=True)
class Lost:
    """In place of the result of a job that ended one process after the other."""

    job: Any
    """What was to be done."""
    reason: str
    """What is known of it, as a part of a sentence: "it ended ..."."""
    last: str
    """Names the last of the processes."""


def serially(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
    """Do one job after the other, here, each on one core.

    The matrices of a fold are small: threads would wait for one another longer than they work.
    With one thread everywhere, every runner computes the same bits.
    """
    with threadpool_limits(1, user_api="blas"):
        yield from map(function, jobs)
