"""Who is the participant of each recording of a study: by rule, by photo or by review."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import weights as store
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import RecordingError, SettingsError, StudyError
from emoclip_clinic.flags import MEASURED_COLUMNS
from emoclip_clinic.participant_rule import ParticipantRule, parse_rule
from emoclip_clinic.reviews import Review, read_reviews
from emoclip_clinic.segments import Plan
from emoclip_clinic.study import Study, digest
from emoclip_clinic.video.choosing import Chosen, choose, lead
from emoclip_clinic.video.people import Person

__all__ = [
    "UNRECOGNISED", "Choices", "by_review", "found_id", "photo_measures", "plain_choices",
    "read_choices",
]  # fmt: skip

GROUPING = 1
"""Counts up when tracks are grouped into people in another way."""

SFACE = "sface"
UNRECOGNISED = (
    "no face recogniser compared the photo: that the participant is absent cannot be told"
)

Like = Callable[[tuple[Person, ...], Path], Person]
"""Tells whom a photo shows."""


@dataclass(frozen=True)
class Choices:
    """All that was said of who is the participant."""

    rule: ParticipantRule
    """Where a review says nothing."""
    recogniser: str = ""
    """What compares faces with a photo: "sface" or "image tower"; empty where there is no photo."""
    photos: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    """Path and SHA-256 of each recording's photo, for the rule "photo"."""
    reviews: Mapping[str, Review] = field(default_factory=dict)
    """By recording."""

    @property
    def settings(self) -> dict[str, str]:
        """What all recordings' features depend on."""
        by = {"recogniser": self.recogniser} if self.recogniser else {}
        return {"participant": self.rule.text, **by}

    @property
    def facts(self) -> dict[str, str]:
        """Hash the photos, for the stamp of a stage."""
        hashes = {name: sha256 for name, (_, sha256) in self.photos.items()}
        return {"photos": digest(hashes)} if hashes else {}

    def key(self, recording: str) -> list[Any]:
        """Give what a recording's features depend on; as JSON can write it."""
        review = self.reviews.get(recording, Review())
        _, photo = self.photos.get(recording, (None, ""))
        return [photo, review.people, review.found, review.stretches]

    def choose(self, recording: str, people: tuple[Person, ...], found: str, like: Like) -> Chosen:
        """Choose those of a recording's people who are the participant.

        Raises
        ------
        RecordingError
            It cannot be told.
        """
        review = self.reviews.get(recording, Review())
        if review.people:
            return Chosen(by_review(people, review, found))
        if self.rule.kind != "photo":
            return Chosen((choose(people, self.rule),), lead(people, self.rule))
        if recording not in self.photos:
            raise RecordingError("there is no photo of the participant")
        return Chosen((like(people, self.photos[recording][0]),))


def by_review(people: tuple[Person, ...], review: Review, found: str) -> tuple[Person, ...]:
    """Take the people that a reviewer chose.

    Raises
    ------
    RecordingError
        The review was made of other people than were found now, or counts more.
    """
    if review.found not in ("", found):
        raise RecordingError(
            "the review was made of people who were found in another way (recording, protocol, "
            "turns or face finder are others): review it again with the options of 'encode'"
        )
    if review.people[-1] > len(people):
        raise RecordingError(
            f"the review chooses person {review.people[-1]}, and {len(people)} were found"
        )
    return tuple(people[number - 1] for number in review.people)


def photo_measures(choices: Choices, recordings: Iterable[str]) -> pd.DataFrame:
    """Say of the recordings that a photo decided on whether a face recogniser looked at it.

    Parameters
    ----------
    choices
        Who is the participant.
    recordings
        Those of which a window is used.

    Returns
    -------
    pandas.DataFrame
        flags.MEASURED_COLUMNS: photo_recogniser, 1 or 0. No row where a rule or a review decided.
    """
    by_sface = choices.recogniser == SFACE
    decided = [
        name
        for name in recordings
        if name in choices.photos and not choices.reviews.get(name, Review()).people
    ]
    note = "" if by_sface else UNRECOGNISED
    rows = [
        (name, "photo_recogniser", float(by_sface), "1 with, 0 without", note) for name in decided
    ]
    return pd.DataFrame(rows, columns=list(MEASURED_COLUMNS))


def found_id(sha256: str, faces: str, protocol: EncodingProtocol, cut: Plan) -> str:
    """Name the people that are found in a recording in this way."""
    how = [GROUPING, sha256, faces, protocol.bridge_frames, cut.frames.tolist()]
    return digest(how)[:12]


def plain_choices(participant: str, faces: str, weights: Path | None) -> Choices:
    """Read the rule alone, before anything is decoded.

    Raises
    ------
    SettingsError
        It is none, or there is nobody to choose from.
    """
    rule = parse_rule(participant)
    if faces == "none" and rule.kind != "largest":
        raise SettingsError(
            f"participant = {participant!r} needs faces to choose from, and faces = 'none' looks "
            "for none. Choose --faces yunet or haar, or leave participant = 'largest'."
        )
    if rule.kind != "photo":
        return Choices(rule)
    installed = all(store.verify(name, weights).state == "ok" for name in ("sface", "yunet"))
    return Choices(rule, SFACE if installed else "image tower")


def read_choices(study: Study, plain: Choices, faces: str, recordings: pd.DataFrame) -> Choices:
    """Add photos and review.csv to a rule.

    Parameters
    ----------
    study
        The study.
    plain
        The rule.
    faces
        What finds faces.
    recordings
        recordings.csv.

    Raises
    ------
    SettingsError
        There is no photo at all.
    StudyError
        review.csv is wrong, or chooses people where nobody is looked for.
    """
    photos = _photos(study, plain.rule, recordings) if plain.rule.kind == "photo" else {}
    reviews = read_reviews(study.review_csv, list(recordings["recording"]))
    if faces == "none" and any(one.people for one in reviews.values()):
        raise StudyError(
            f"{study.review_csv.name} chooses people, and faces = 'none' looks for nobody. Choose "
            "--faces yunet or haar, or remove its rows with 'choose'."
        )
    return replace(plain, photos=photos, reviews=reviews)


def _photos(
    study: Study, rule: ParticipantRule, recordings: pd.DataFrame
) -> dict[str, tuple[Path, str]]:
    """Find the photo of each recording's participant, and hash it."""
    found = {}
    for row in recordings.to_dict("records"):
        name = rule.photo(str(row["participant"]), str(row["session"]))
        # study.toml's paths are relative to the study
        places = (study.path / name, Path(name))
        path = next((place.absolute() for place in places if place.is_file()), None)
        if path is not None:
            found[str(row["recording"])] = path, study.sha256(path)
    if not found:
        raise SettingsError(
            f"participant = {rule.text!r}: there is no such photo for any recording. Give a path "
            "relative to the study, with {participant} where the participant's id stands in it."
        )
    return found
