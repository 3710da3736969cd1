"""Who is named in a study, and what stands for each name in what is shared."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from emoclip_clinic.pseudonyms import Pseudonyms
from emoclip_clinic.scan import safe_id

__all__ = ["Identities"]

NO_RATER = ("", "all", "model", "consensus")
"""What the columns rater_a and rater_b hold beside raters."""
TEXTS = ("note", "reason", "method", "level", "comparison")
"""Columns of words, in which a name may occur."""
RATERS = ("rater_a", "rater_b")
SHORT_NUMBER = re.compile(r"[\d.,+-]{1,5}")
"""Ids that are found everywhere; longer ones, such as dates, are nothing else."""
JOINED = " and "
"""Between the raters of a group of visits."""


class Identities:
    """The names of a study and their codes.

    Parameters
    ----------
    pseudonyms
        What makes the codes.
    recordings
        As recordings.csv has them.
    visits
        Participants and sessions of every table, the ratings' too.
    raters
        Names of the raters.
    words
        Words that mean something else, such as the items of the scales: a participant may be
        called P1, and so is an item of PANSS.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        recordings: pd.DataFrame,
        visits: Iterable[tuple[str, str]],
        raters: Iterable[str],
        words: Collection[str],
    ) -> None:
        self.pseudonyms = pseudonyms
        own = zip(recordings["participant"], recordings["session"], strict=True)
        self.visits = sorted({*visits, *own})
        self.raters = sorted(set(raters))
        self.words = set(words)
        self.recordings = self._recordings(recordings)

    def _recordings(self, table: pd.DataFrame) -> dict[str, str]:
        """Name recordings by participant and session, and number those of one visit."""
        codes = {}
        for (who, session), rows in table.groupby(["participant", "session"], sort=True):
            base = self._visit(str(who), str(session))
            names = sorted(rows["recording"])
            for number, name in enumerate(names, start=1):
                codes[name] = base if len(names) == 1 else f"{base}_run-{number}"
        return {name: name for name in codes} if self.pseudonyms.key is None else codes

    def _visit(self, who: str, session: str) -> str:
        return safe_id(f"sub-{self.participant(who)}_ses-{self.session(session)}")

    def participant(self, name: str) -> str:
        """Give a participant's code; an empty cell stays."""
        return name and self.pseudonyms.code("participant", name)

    def rater(self, name: str) -> str:
        """Give a rater's code."""
        return name and self.pseudonyms.code("rater", name)

    def session(self, name: str) -> str:
        """Give a session's name, or its code."""
        return name if self.pseudonyms.key is None else self.pseudonyms.session(name)

    def recording(self, name: str) -> str:
        """Give a recording's id as it is shared; a code where no table knows it."""
        return name and (self.recordings.get(name) or self.pseudonyms.code("recording", name))

    @cached_property
    def replaced(self) -> dict[str, str]:
        """Every name and what stands for it in running text."""
        named = {
            f"sub-{who}_ses-{session}": self._visit(who, session) for who, session in self.visits
        }
        named |= {who: self.participant(who) for who, _ in self.visits}
        named |= {rater: self.rater(rater) for rater in self.raters}
        named |= {name: self.session(name) for _, name in self.visits if self.session(name) != name}
        named |= self.recordings
        return {name: code for name, code in named.items() if name}

    @cached_property
    def telling(self) -> dict[str, str]:
        """Names of `replaced` that cannot be another word or a number."""
        return {
            name: code
            for name, code in self.replaced.items()
            if not SHORT_NUMBER.fullmatch(name) and len(name) > 1 and name not in self.words
        }

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Any of the telling names, as a whole word, the longest first."""
        names = sorted(self.telling, key=len, reverse=True)
        any_name = "|".join(map(re.escape, names)) or r"(?!)"
        # an id of many digits is not the end of a decimal number, nor its beginning
        return re.compile(rf"(?<!\w)(?<!\d\.)(?:{any_name})(?!\w)(?!\.\d)")

    def text(self, words: str) -> str:
        """Put codes in place of the names in running text."""
        return self.pattern.sub(lambda found: self.telling[found.group()], words)

    def table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Put codes in place of names in a table, by what its columns are called.

        Parameters
        ----------
        table
            Any table of a study; ids are text.

        Returns
        -------
        pandas.DataFrame
            The same rows and columns, in the same order.
        """
        made = {
            "participant": self.participant, "session": self.session, "recording": self.recording,
            "rater": self.rater, "group": self._group,
            **dict.fromkeys(RATERS, self._rater_or_other), **dict.fromkeys(TEXTS, self.text),
        }  # fmt: skip
        changed = {
            name: table[name].map(lambda cell, code=made[name]: _mapped(cell, code))
            for name in map(str, table.columns)
            if name in made
        }
        if {"unit", "id"} <= set(table.columns):
            changed["id"] = self._of_units(table)
        if {"group", "level"} <= set(table.columns):
            of_visit = table["group"] == "session"
            coded = table["level"].map(lambda cell: _mapped(cell, self.session))
            changed["level"] = changed["level"].mask(of_visit, coded)
        return table.assign(**changed)

    def _rater_or_other(self, name: str) -> str:
        return name if name in NO_RATER else self.rater(name)

    def _group(self, words: str) -> str:
        """Give a group's name: that of visits is who rated them."""
        names = words.split(JOINED)
        if set(names) <= set(self.raters):
            return JOINED.join(sorted(map(self.rater, names)))
        return self.text(words)

    def _of_units(self, table: pd.DataFrame) -> pd.Series[Any]:
        codes: Mapping[str, Any] = {
            "participant": self.participant, "recording": self.recording, "rater": self.rater,
            "target": str,
        }  # fmt: skip
        # a rated visit is named as a recording is
        visits = {
            f"sub-{who}_ses-{session}": self._visit(who, session) for who, session in self.visits
        }
        cells = [
            codes[unit](name) if unit in codes else visits.get(name, "")
            for unit, name in zip(table["unit"], table["id"], strict=True)
        ]
        return pd.Series(cells, table.index, dtype=object)


def _mapped(cell: Any, code: Any) -> Any:
    return code(cell) if isinstance(cell, str) else cell
