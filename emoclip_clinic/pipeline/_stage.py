"""What every stage has in common: its result, and how it tells of its progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import pandas as pd

from emoclip_clinic.files import require_writable
from emoclip_clinic.locks import hold
from emoclip_clinic.recordings import exclusion_table
from emoclip_clinic.study import Study

__all__ = ["Progress", "StageResult", "alone", "quiet"]

Options = ParamSpec("Options")

Progress = Callable[[str, int, int], None]
"""Called as (what is being done, steps done, steps in all)."""


def quiet(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class StageResult:
    """What a stage did."""

    stage: str
    """Its name, as the command's."""
    message: str
    """One sentence for the last line on the screen."""
    written: tuple[Path, ...] = ()
    """The files it wrote, the one to open first."""
    exclusions: pd.DataFrame = field(default_factory=lambda: exclusion_table([]))
    """stage, unit, id, reason: a row for everything that was left out."""
    details: tuple[str, ...] = ()
    """What was left out within a recording, by reason: lines for --verbose."""
    notes: tuple[str, ...] = ()
    """Things to know that excluded nothing."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Numbers for --json."""
    table: pd.DataFrame | None = None
    """What was found, in texts, for the screen."""
    words: tuple[str, ...] = ()
    """What the table means, and what it does not."""
    fresh: bool = False
    """Nothing had changed since the last run, so nothing was done."""
    next_command: str = ""
    """What to run next."""


def alone(
    stage: Callable[Concatenate[Study, Options], StageResult],
) -> Callable[Concatenate[Study, Options], StageResult]:
    """Have a stage hold its study while it runs: two at once would write over each other.

    Where the study cannot be written, the stage says so before it does anything.
    """

    @wraps(stage)
    def held(study: Study, /, *args: Options.args, **options: Options.kwargs) -> StageResult:
        require_writable(study.path)
        with hold(study.path, stage.__name__):
            return stage(study, *args, **options)

    return held
