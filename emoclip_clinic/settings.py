"""What the authors of a study decide: study.toml as frozen dataclasses."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.participant_rule import parse_rule
from emoclip_clinic.resources import read_toml
from emoclip_clinic.schema import from_table

__all__ = [
    "AgreeSettings",
    "EncodeSettings",
    "FitSettings",
    "RatingsSettings",
    "ReportSettings",
    "Settings",
    "StudySettings",
    "check_settings",
    "read_settings",
    "to_toml",
]


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
    participant: str = "largest"
    """Who of the people in view is the participant: largest, longest, left, right, "region x,y,w,h"
    in fractions of the picture, or the path of a photo, such as "photos/{participant}.jpg"."""
    pattern: str = ""
    """Where participant and session stand in a recording's path; empty: BIDS names or folders."""
    turns: str = ""
    """Files that say who speaks when, such as "turns/{recording}.eaf", relative to the study folder
    or absolute; empty: recordings are encoded whole."""
    speaker: tuple[str, ...] = ()
    """Names that the participant has in them (a speaker, a tier), such as ["participant", "PAR"];
    empty: whoever speaks, where there is one speaker."""
    sections: tuple[str, ...] = ()
    """Parts of the interview that are encoded, by their names in these files; empty: all."""
    join_pauses_s: float = 0.0
    """Turns of the participant with a pause of up to so many seconds between them are one, and what
    is seen in the pause is encoded; 0: none are joined."""
    precision: str = "fp32"
    """Of the encoder's arithmetic: fp32; bf16 or fp16, which are faster on a GPU; or int8, which is
    faster on a CPU."""
    decoder_memory_mb: int = 4096
    """Memory that decoding a recording may take, MB; kept to on Linux."""
    decoder_wait_s: int = 60
    """How long decoding may make no progress until a recording is given up."""
    frames: bool = False
    """Whether the embeddings of frames are kept, which models need that tune the encoder."""


@dataclass(frozen=True)
class RatingsSettings:
    """Where the clinicians' ratings are, and how their files are read."""

    files: tuple[str, ...] = ("ratings.csv", "ratings/{scale}.csv", "ratings/{scale}.xlsx")
    """CSV, TSV, Excel or SPSS files, wide or long, relative to the study folder; those that exist
    are read. `{scale}` stands for the id of the scale that is asked for."""
    columns: dict[str, str] = field(default_factory=dict)
    """Heading to item code, such as "HAMD_q1" to "1" ("hamd_17.1" where scales share a code);
    an empty text: the column is left out."""
    participant: str = ""
    """Heading of the participants' ids; empty: participant, participant_id, subject, ..."""
    session: str = ""
    """Heading of the session; empty: session, session_id, visit."""
    rater: str = ""
    """Heading of the rater; empty: rater, rater_id."""
    date: str = ""
    """Heading of the date of the rating; empty: date, rating_date."""
    sessions: dict[str, str] = field(default_factory=dict)
    """Session in the file to session of the recordings, such as "visit_1_arm_1" to "01"."""
    sheet: str = ""
    """The sheet of a workbook; empty: the only one that has items of the scale."""
    header_row: int = 0
    """The row of the headings; 0: the first one."""
    dictionary: str = ""
    """The data dictionary of a REDCap export, relative to the study folder."""
    missing: tuple[float | str, ...] = ()
    """What else means "not rated" in an item's cell, such as [-9999, "not done"]."""
    duplicates: str = "error"
    """A rating that is given twice: error, first, last or mean."""
    consensus: str = "mean"
    """The score that is predicted: the mean of the raters, or "rater:NAME"."""


@dataclass(frozen=True)
class FitSettings:
    """How symptom scores are predicted and how that is validated."""

    models: tuple[str, ...] = ("ridge",)
    """The first is the one that is reported and saved; others are compared with it. Each is
    ESTIMATOR, ESTIMATOR@POOLING, with +covariates or -covariates, or "covariates" alone."""
    pooling: str = "mean_sd"
    """How the windows of a recording become one vector, for models that do not say @POOLING."""
    covariates: tuple[str, ...] = ()
    """Columns of participants.csv (or .tsv), such as ["age", "sex"]."""
    cv: str = "repeated"
    """repeated (participant-grouped k-fold, several times), lopo (leave one participant out) or
    loso (leave one site out)."""
    folds: int = 10
    """Outer folds of a repeat."""
    repeats: int = 5
    """How often the participants are dealt into folds anew."""
    inner_folds: int = 5
    """Folds of the search for the penalty, inside each outer training set."""
    stratify: str = ""
    """A score, such as "total", that all folds of a repeat have alike; empty: folds by chance."""
    holdout: float = 0.0
    """Share of the participants that is locked away (holdout.csv) until 'fit --open-holdout'."""
    permutations: int = 1000
    """Exchanges of scores between participants behind each p-value; 0: no p-values."""
    permute_within: str = ""
    """A column of participants.csv, such as "site", within which scores are exchanged."""
    resamples: int = 2000
    """Bootstrap resamples of participants behind each interval."""
    visits: tuple[str, ...] = ()
    """Sessions in order of time, for change between visits; empty: as their names sort."""
    subgroups: tuple[str, ...] = ()
    """Columns of participants.csv by which performance is shown; empty: sex, age, ethnicity and
    site, where there are such."""
    learning_curve: bool = False
    """Whether performance over the number of participants is estimated, which takes long."""


@dataclass(frozen=True)
class AgreeSettings:
    """How agreement is estimated."""

    resamples: int = 2000
    """Bootstrap resamples of participants behind each interval."""
    margin: float = 0.0
    """By how much the model's ICC(A,1) with the raters may be lower than theirs with each other,
    and it still counts as not inferior; set it before the data are seen. 0: nothing is tested."""
    interchange_margin: float = 0.0
    """By how much the chance that two scores agree may be lower once the model replaces a
    clinician; set it before the data are seen. 0: nothing is tested."""
    tolerance: float = 1.0
    """Points that two scores of an item may differ and still agree; sqrt(n) times as many for a
    sum of n items."""
    groups: tuple[str, ...] = ()
    """Columns of participants.csv by which agreement is shown; empty: sex, age, ethnicity and
    site, where there are such."""


@dataclass(frozen=True)
class ReportSettings:
    """How the report looks."""

    template: str = "cohort"
    """A file of templates/, without its suffix."""
    primary: tuple[str, ...] = ()
    """The targets chosen before the data were seen, such as ["N1"]; the rest is secondary."""
    language: str = ""
    """A file of templates/languages/: en, de, es, zh; empty: as the template says."""
    logo: str = ""
    """A picture (PNG or JPEG) for the first page, relative to the study folder."""
    font: str = ""
    """A TrueType font for a language whose letters DejaVu Sans has not (zh), relative to the study
    folder or absolute; empty: a known one of this machine."""
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    """What only the authors know of a reporting checklist, by checklist and item, such as
    answers.grras = {"7" = "Consecutive patients."}."""


@dataclass(frozen=True)
class Settings:
    """The whole of study.toml."""

    study: StudySettings = StudySettings()
    encode: EncodeSettings = EncodeSettings()
    ratings: RatingsSettings = RatingsSettings()
    fit: FitSettings = FitSettings()
    agree: AgreeSettings = AgreeSettings()
    report: ReportSettings = ReportSettings()


def read_settings(path: Path) -> Settings:
    """Read study.toml.

    Raises
    ------
    SettingsError
        The file is not TOML, or has a key or value that is not allowed.
    """
    settings = from_table(Settings, read_toml(path), path.name)
    check_settings(settings, path.name)
    return settings


def check_settings(settings: Settings, where: str) -> None:
    """Check every value that has a range.

    Raises
    ------
    SettingsError
        Some are not allowed; the message begins with `where` they stand.
    """
    problems = _problems(settings)
    if problems:
        raise SettingsError(f"{where}: {'; '.join(problems)}")


def _problems(settings: Settings) -> list[str]:
    fit, encode = settings.fit, settings.encode
    least = {
        "fit: folds": (fit.folds, 2),
        "fit: inner_folds": (fit.inner_folds, 2),
        "fit: repeats": (fit.repeats, 1),
        "fit: resamples": (fit.resamples, 100),
        "fit: permutations": (fit.permutations or 19, 19),
        "agree: resamples": (settings.agree.resamples, 100),
        "ratings: header_row": (settings.ratings.header_row, 0),
        "encode: join_pauses_s": (encode.join_pauses_s, 0),
        "encode: decoder_memory_mb": (encode.decoder_memory_mb, 256),
        "encode: decoder_wait_s": (encode.decoder_wait_s, 1),
        "study: seed": (settings.study.seed, 1),
    }
    words = {
        "fit: cv": (fit.cv, ("repeated", "lopo", "loso")),
        "encode: faces": (encode.faces, ("yunet", "haar", "none")),
        "encode: precision": (encode.precision, ("fp32", "bf16", "fp16", "int8")),
        "ratings: duplicates": (settings.ratings.duplicates, ("error", "first", "last", "mean")),
        "ratings: consensus": (_without_name(settings.ratings.consensus), ("mean", "rater:NAME")),
    }
    margins = {
        "agree: margin": settings.agree.margin,
        "agree: interchange_margin": settings.agree.interchange_margin,
    }
    try:
        parse_rule(encode.participant)
        rule = []
    except SettingsError as error:
        rule = [f"encode: {error}"]
    share = [f"fit: holdout = {fit.holdout}; allowed: 0 (none) to 0.5"]
    return (
        rule
        + share * (not 0 <= fit.holdout <= 0.5)
        + [f"agree: tolerance = {settings.agree.tolerance}; allowed: more than 0"]
        * (not settings.agree.tolerance > 0)
        + [
            f"{name} = {value}; allowed: 0 (none) to below 1"
            for name, value in margins.items()
            if not 0 <= value < 1
        ]
        + [
            f"{name} = {value}; allowed: {lowest} or more"
            for name, (value, lowest) in least.items()
            if value < lowest
        ]
        + [
            f"{name} = {value!r}; allowed: {', '.join(allowed)}"
            for name, (value, allowed) in words.items()
            if value not in allowed
        ]
    )


def _without_name(consensus: str) -> str:
    return "rater:NAME" if re.fullmatch("rater:.+", consensus) else consensus


def to_toml(settings: Settings) -> str:
    """Write the text of a study.toml that holds every setting."""
    blocks = ["# What the authors of this study decide. Paths are relative to this folder."]
    for section in dataclasses.fields(settings):
        values = getattr(settings, section.name)
        lines = [f"[{section.name}]"]
        lines += [
            f"{key.name} = {_toml(getattr(values, key.name))}" for key in dataclasses.fields(values)
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{_toml(key)} = {_toml(one)}" for key, one in value.items()]
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)
