"""Who was rated and filmed, who only one of both, and ids that are probably the same person."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd

from emoclip_clinic.recordings import Exclusion, exclusion_table

__all__ = ["id_hints", "match"]

VISIT = ["participant", "session"]
STAGE = "fit"


def match(rated: pd.DataFrame, recordings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair recordings with ratings by participant and session.

    Parameters
    ----------
    rated
        Any table with participant and session: ratings, scores or the consensus.
    recordings
        recording, participant, session; where it has a column status, only "usable" ones count.

    Returns
    -------
    matched
        recording, participant, session: filmed and rated.
    exclusions
        stage, unit, id, reason: a row a participant who was never filmed (unit "participant"), a
        rated session without a recording ("rating", id as in sub-01_ses-02), and a recording
        without a rating ("recording").
    """
    usable = recordings
    if "status" in recordings:
        usable = recordings[recordings["status"] == "usable"]
    rated_visits = _visits(rated)
    is_rated = pd.Series([visit in rated_visits for visit in _pairs(usable)], usable.index, bool)
    matched = usable.loc[is_rated, ["recording", *VISIT]].reset_index(drop=True)
    exclusions = [
        *_unfilmed(rated_visits - _visits(usable), usable, recordings),
        *_unrated(usable[~is_rated], set(rated["participant"])),
    ]
    return matched, exclusion_table(exclusions)


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["participant"], table["session"], strict=True))


def _visits(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(_pairs(table))


def _unfilmed(
    visits: set[tuple[str, str]], usable: pd.DataFrame, recordings: pd.DataFrame
) -> Iterator[Exclusion]:
    filmed, excluded = set(usable["participant"]), _visits(recordings)
    like_filmed = {_bare(name) for name in recordings["participant"]}
    nowhere = set()
    for participant, session in sorted(visits):
        visit = f"sub-{participant}_ses-{session}"
        if (participant, session) in excluded:
            yield Exclusion(STAGE, "rating", visit, "rated, but its recording was excluded")
        elif participant in filmed:
            yield Exclusion(STAGE, "rating", visit, "rated, but not filmed at this session")
        else:
            nowhere.add(participant)
    for participant in sorted(nowhere):
        alike = ": a filmed id differs only in zeros, case or prefix"
        reason = "rated, never filmed" + (alike if _bare(participant) in like_filmed else "")
        yield Exclusion(STAGE, "participant", participant, reason)


def _unrated(unrated: pd.DataFrame, rated_participants: set[str]) -> Iterator[Exclusion]:
    for recording, participant in zip(unrated["recording"], unrated["participant"], strict=True):
        known = participant in rated_participants
        reason = "filmed, but not rated at this session" if known else "filmed, never rated"
        yield Exclusion(STAGE, "recording", recording, reason)


def id_hints(rated: pd.DataFrame, recordings: pd.DataFrame) -> list[str]:
    """Name unmatched participants whose ids differ only in zeros, case or prefix.

    Parameters
    ----------
    rated, recordings
        Tables with a column participant.

    Returns
    -------
        A sentence for each pair that is the only one to look alike; for the screen, not a report.
    """
    rated_ids, filmed_ids = set(rated["participant"]), set(recordings["participant"])
    hints = []
    for name in sorted(rated_ids - filmed_ids):
        alike = sorted(other for other in filmed_ids - rated_ids if _bare(other) == _bare(name))
        if len(alike) == 1:
            hints.append(
                f"participant {name!r} is rated and never filmed, {alike[0]!r} filmed and never "
                "rated: if they are one person, write the id the same way in both."
            )
    return hints


def _bare(name: str) -> str:
    # "sub-P007", "p7" and "007" are alike: the digits without what stands before them
    plain = re.sub(r"[\W_]", "", name.casefold())
    return re.sub(r"^[a-z]*0*(?=\d)", "", plain)
