"""A participant of the study, for a report of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Person"]


@dataclass(frozen=True, eq=False)
class Person:
    """A participant of the study, for a report of their own."""

    name: str = ""
    """As participants.csv calls them; empty: the report does not name them."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """session, target, predicted, low, high, observed: out of fold, with the interval."""
    ratings: pd.DataFrame = field(default_factory=pd.DataFrame)
    """session, rater, target, value."""
    windows: pd.DataFrame = field(default_factory=pd.DataFrame)
    """recording, session, start_s, stop_s, status, target, contribution, in points."""
    level: float = 0.95
    """Of the intervals."""
    n_others: int = 0
    """Participants whose errors the intervals are made of."""
    limited: bool = False
    """Whether they are too few for the level, so that the intervals are the whole range."""
    unseen: bool = True
    """Whether the windows' contributions are of a model that never saw the person."""
