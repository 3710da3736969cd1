"""What the authors of a study decide: study.toml as frozen dataclasses."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.resources import close_matches, read_toml

__all__ = [
    "AgreeSettings",
    "EncodeSettings",
    "FitSettings",
    "RatingsSettings",
    "ReportSettings",
    "Settings",
    "StudySettings",
    "from_table",
    "read_settings",
    "to_toml",
]

T = TypeVar("T")


@dataclass(frozen=True)
class StudySettings:
    """Who and what the study is."""

    title: str = "Untitled study"
    """Printed on the report's first page."""
    institution: str = ""
    """Printed below the title."""
    recordings: str = "interviews"
    """The folder of the recordings, relative to the study folder or absolute."""
    scales: tuple[str, ...] = ("panss",)
    """The scales that `run` fits and reports: files of protocols/scales/."""
    seed: int = 20231025
    """Every random choice (folds, resamples) derives from it."""


@dataclass(frozen=True)
class EncodeSettings:
    """How recordings become feature vectors."""

    encoder: str = "emoclip"
    """A registry name (emoclip, clip-mean, emoclip-demo) or the path of a checkpoint."""
    protocol: str = "emoclip"
    """A file of protocols/encoding/, without its suffix."""
    faces: str = "yunet"
    """yunet, haar, or none for recordings that are face crops already."""
    pattern: str = ""
    """Where participant and session stand in a recording's path; empty: BIDS names or folders."""


@dataclass(frozen=True)
class RatingsSettings:
    """Where the clinicians' ratings are."""

    files: tuple[str, ...] = ("ratings.csv", "ratings/{scale}.csv")
    """CSV or TSV files, wide or long, relative to the study folder; those that exist are read.
    `{scale}` stands for the id of the scale that is asked for."""


@dataclass(frozen=True)
class FitSettings:
    """How symptom scores are predicted and how that is validated."""

    cv: str = "repeated"
    """repeated (participant-grouped k-fold, several times) or lopo (leave one participant out)."""
    folds: int = 10
    """Outer folds of a repeat."""
    repeats: int = 5
    """How often the participants are dealt into folds anew."""
    inner_folds: int = 5
    """Folds of the search for the penalty, inside each outer training set."""
    resamples: int = 2000
    """Bootstrap resamples of participants behind each interval."""


@dataclass(frozen=True)
class AgreeSettings:
    """How agreement is estimated."""

    resamples: int = 2000
    """Bootstrap resamples of participants behind each interval."""


@dataclass(frozen=True)
class ReportSettings:
    """How the report looks."""

    template: str = "cohort"
    """A file of templates/, without its suffix."""


@dataclass(frozen=True)
class Settings:
    """The whole of study.toml."""

    study: StudySettings = field(default_factory=StudySettings)
    encode: EncodeSettings = field(default_factory=EncodeSettings)
    ratings: RatingsSettings = field(default_factory=RatingsSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    agree: AgreeSettings = field(default_factory=AgreeSettings)
    report: ReportSettings = field(default_factory=ReportSettings)


def from_table(cls: type[T], table: dict[str, Any], where: str) -> T:
    """Make a dataclass from a TOML table, nested ones included.

    Raises
    ------
    SettingsError
        A key is unknown (the allowed ones are named) or a value has another type.
    """
    types = get_type_hints(cls)
    for key in table:
        if key not in types:
            raise SettingsError(
                f"{where} has no key {key!r}. {close_matches(key, list(types))}"
                f"Allowed: {', '.join(types)}."
            )
    return cls(**{key: _value(types[key], value, f"{where}: {key}") for key, value in table.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise SettingsError(f"{where} must be a table, written [{where.split()[-1]}]")
        return from_table(kind, value, where)  # type: ignore[arg-type]
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise SettingsError(f"{where} = {value!r}; allowed: a list of texts")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise SettingsError(f"{where} = {value!r}; allowed: a value of type {kind.__name__}")
    return value


def read_settings(path: Path) -> Settings:
    """Read study.toml.

    Raises
    ------
    SettingsError
        The file is not TOML, or has a key or value that is not allowed.
    """
    settings = from_table(Settings, read_toml(path), path.name)
    for name, value in [
        ("fit: folds", settings.fit.folds),
        ("fit: inner_folds", settings.fit.inner_folds),
    ]:
        if value < 2:
            raise SettingsError(f"{path.name}: {name} = {value}; allowed: 2 or more")
    for name, value in [
        ("fit: repeats", settings.fit.repeats),
        ("fit: resamples", settings.fit.resamples),
        ("agree: resamples", settings.agree.resamples),
        ("study: seed", settings.study.seed),
    ]:
        if value < 1:
            raise SettingsError(f"{path.name}: {name} = {value}; allowed: 1 or more")
    choices = {"cv": ("repeated", "lopo"), "faces": ("yunet", "haar", "none")}
    for key, given in [("cv", settings.fit.cv), ("faces", settings.encode.faces)]:
        if given not in choices[key]:
            allowed = ", ".join(choices[key])
            raise SettingsError(f"{path.name}: {key} = {given!r}; allowed: {allowed}")
    return settings


def to_toml(settings: Settings) -> str:
    """The text of a study.toml that holds every setting."""
    blocks = ["# What the authors of this study decide. Paths are relative to this folder."]
    for section in dataclasses.fields(settings):
        values = getattr(settings, section.name)
        lines = [f"[{section.name}]"]
        lines += [
            f"{key.name} = {json.dumps(getattr(values, key.name), ensure_ascii=False)}"
            for key in dataclasses.fields(values)
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
