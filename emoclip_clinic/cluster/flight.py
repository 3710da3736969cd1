"""Jobs under way elsewhere: bounded in number, results in the order of the jobs or as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

__all__ = ["JOBS_A_CORE", "Future", "earliest", "in_flight"]

JOBS_A_CORE = 2
"""Jobs under way for each core: one that is done, one that waits for it to be free."""


class Future(Protocol):
    """A result that is being computed, as loky and Dask give it."""

    def result(self) -> Any:
        """Wait for the result, or raise what the job raised."""

    def cancel(self) -> Any:
        """Do not begin, if it has not begun."""


def earliest(futures: Sequence[Any]) -> Any:
    """Choose the result that comes next in the order of the jobs."""
    return futures[0]


def in_flight(
    submit: Callable[[Any], Any],
    jobs: Sequence[Any],
    limit: Callable[[], int],
    collect: Callable[[Any, Any], Any],
    choose: Callable[[Sequence[Any]], Any] = earliest,
) -> Iterator[Any]:
    """Yield the result of each job, never more than `limit` of them under way.

    Parameters
    ----------
    submit
        Begins a job and gives its future.
    jobs
        What is to be done.
    limit
        How many jobs may be under way; asked again for each result, since clusters grow.
    collect
        Called as (future, job): waits for the result, and says in our words what went wrong.
    choose
        Called with the futures under way, in the order of the jobs: gives the one whose result
        is next.
    """
    waiting = iter(jobs)
    flight: dict[Future, Any] = {}
    try:
        while True:
            for job in islice(waiting, max(limit() - len(flight), 0)):
                flight[submit(job)] = job
            if not flight:
                return
            future = choose(list(flight))
            result = collect(future, flight[future])
            del flight[future]
            yield result
    finally:
        for future in flight:
            future.cancel()
