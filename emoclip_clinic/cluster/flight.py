"""Jobs under way elsewhere: bounded in number, results in the order of the jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

__all__ = ["JOBS_A_CORE", "Future", "in_order"]

JOBS_A_CORE = 2
"""Jobs under way for each core: one that is done, one that waits for it to be free."""


class Future(Protocol):
    """A result that is being computed, as loky and Dask give it."""

    def result(self) -> Any:
        """Wait for the result, or raise what the job raised."""

    def cancel(self) -> Any:
        """Do not begin, if it has not begun."""


def in_order(
    submit: Callable[[Any], Any],
    jobs: Sequence[Any],
    limit: Callable[[], int],
    collect: Callable[[Any, Any], Any],
) -> Iterator[Any]:
    """Yield the result of each job in the order of the jobs, never more than `limit` ahead.

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
    """
    waiting = iter(jobs)
    flight: deque[tuple[Future, Any]] = deque()
    try:
        while True:
            for job in islice(waiting, max(limit() - len(flight), 0)):
                flight.append((submit(job), job))
            if not flight:
                return
            result = collect(*flight[0])
            flight.popleft()
            yield result
    finally:
        for future, _ in flight:
            future.cancel()
