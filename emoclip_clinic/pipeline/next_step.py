"""What to run next, with the options that were given: also where nothing came of a stage."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emoclip_clinic.pipeline._stage import StageResult

__all__ = ["as_typed", "cured"]


def as_typed(**given: object) -> str:
    """Write options as they are typed, each after a space: the next command needs the same.

    Left out is what was not given, and what is no text: a notebook's own objects.
    """
    return "".join(
        f" --{name} {shlex.quote(text)}" for name, value in given.items() for text in _texts(value)
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, (str, Path)):
        yield str(value)
    elif isinstance(value, (list, tuple)):
        yield from map(str, value)


def cured(result: StageResult, options: str) -> StageResult:
    """Have `encode` name what to do where it used no window: there is nothing to fit.

    Parameters
    ----------
    result
        Of `encode`.
    options
        As they are typed: with them `review` finds the same people.
    """
    if result.summary["n_windows_used"]:
        return result
    # its reasons name the review where a person has to choose
    if result.exclusions["reason"].str.contains("review").any():
        return replace(result, next_command=f"emoclip-clinic review{options}")
    note = f"no window is used: see the reasons in {result.written[0].name}"
    return replace(result, notes=(*result.notes, note), next_command="")
