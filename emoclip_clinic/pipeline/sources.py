"""What several stages read: ratings with their scores, features, and who took part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emoclip_clinic import participants, ratings, ratings_files, scales, scoring
from emoclip_clinic.encoder import ENCODERS
from emoclip_clinic.errors import RatingsError, StudyError
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import read_recordings
from emoclip_clinic.resources import close_matches, find
from emoclip_clinic.scale import Scale
from emoclip_clinic.scan import safe_id
from emoclip_clinic.study import Study

__all__ = [
    "Rated",
    "cohort_slug",
    "encoder_label",
    "feature_files",
    "fit_stage",
    "in_cohort",
    "lies_in",
    "read_participants",
    "read_rated",
    "reported_model",
    "require_recordings",
    "scale_file",
    "stale_predictions",
]


VISIT = ["participant", "session"]
CHECKPOINTS = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True, eq=False)
class Rated:
    """Ratings on a scale, and what is scored from them."""

    scale: Scale
    ratings: pd.DataFrame
    """participant, session, rater, scale, item, value, and date where a sheet has it."""
    scored: pd.DataFrame
    """participant, session, rater, scale, target, kind, value: rater by rater."""
    consensus: pd.DataFrame
    """participant, session, scale, target, kind, value, n_raters."""
    notes: tuple[str, ...]
    """What of the sheets was left out."""


def read_rated(study: Study, scale_id: str) -> Rated:
    """Read the ratings on a scale, check them, score them rater by rater.

    Raises
    ------
    ScaleError, RatingsError
        The scale is unknown; there are no ratings, or some are wrong; the rater whose scores are
        the consensus is unknown.
    """
    scale, rules = scales.load_scale(scale_id, study.path), study.settings.ratings
    notes: list[str] = []
    table = ratings.read_ratings(
        study.ratings_files(scale_id),
        scale,
        notes.append,
        rules,
        partial(ratings_files.read, scale=scale, settings=rules, folder=study.path),
    )
    scored = scoring.score(table, scale)
    agreed = scoring.consensus(_of_consensus(scored, rules.consensus, notes))
    return Rated(scale, table, scored, agreed, tuple(notes))


def _of_consensus(scored: pd.DataFrame, rule: str, notes: list[str]) -> pd.DataFrame:
    """Keep the scores that the consensus is made of; note the visits that have none."""
    _, named, rater = rule.partition("rater:")
    if not named:
        return scored
    own = scored[scored["rater"] == rater]
    if own.empty:
        known = ", ".join(sorted(scored["rater"].unique()))
        raise RatingsError(
            f'study.toml, [ratings] consensus = "{rule}": there is no rater {rater}. Raters: '
            f"{known}."
        )
    lost = len(scored[VISIT].drop_duplicates()) - len(own[VISIT].drop_duplicates())
    if lost:
        notes.append(
            f"{counted(lost, 'visit')} without a rating of {rater}, whose ratings are the consensus"
        )
    return own


def scale_file(study: Study, scale_id: str) -> Path:
    """Find the file that defines a scale.

    Raises
    ------
    ScaleError
        The scale is unknown (the close ones are suggested), or its file is wrong.
    """
    scales.load_scale(scale_id, study.path)
    return find("protocols/scales", scale_id, study.path)


def encoder_label(encoder: str) -> str:
    """Name an encoder's folder of features: a registry name, or a checkpoint's without suffix."""
    path = Path(encoder)
    if encoder in ENCODERS or path.suffix not in CHECKPOINTS:
        return safe_id(path.name)
    # a file that is called as the registry's is not the registry's
    return safe_id(f"{path.stem}-file" if path.stem in ENCODERS else path.stem)


def require_recordings(study: Study) -> pd.DataFrame:
    """Read recordings.csv.

    Raises
    ------
    StudyError
        Nothing was ingested yet.
    """
    if not study.recordings_csv.is_file():
        raise StudyError(
            "no recordings are known yet. Run 'emoclip-clinic encode FOLDER' with the folder that "
            "holds them."
        )
    return read_recordings(study.recordings_csv)


def lies_in(study: Study, recordings: pd.DataFrame, folder: Path) -> NDArray[np.bool_]:
    """Say of each recording whether its file lies below `folder`, links followed."""
    here = os.path.realpath(folder)
    places = [os.path.realpath(study.path / path) for path in recordings["path"]]
    return np.array([Path(place).is_relative_to(here) for place in places], bool)


def feature_files(study: Study, label: str) -> list[Path]:
    """List the feature files of an encoder, and its segments.csv first.

    Raises
    ------
    StudyError
        The recordings were not encoded with it.
    """
    folder = study.features_dir(label)
    if (folder / "segments.csv").is_file():
        return [folder / "segments.csv", *sorted(folder.glob("*.safetensors"))]
    others = sorted(path.parent.name for path in study.features_dir("").glob("*/segments.csv"))
    other = f" They were with {', '.join(others)}: add --encoder {others[0]}." if others else ""
    raise StudyError(
        f"the recordings were not encoded with {label}.{other} "
        f"'emoclip-clinic encode FOLDER --encoder {label}' does it."
    )


def read_participants(study: Study) -> pd.DataFrame:
    """Read participants.csv or participants.tsv, as `participants.read_participants` does."""
    return participants.read_participants(study.participants_csv)


def fit_stage(slug: str) -> str:
    """Name the stage in provenance/: there is one a scale, and one a question about it."""
    return f"fit-{slug}"


def reported_model(study: Study, slug: str) -> str:
    """Name the model of a fit that is reported and saved: the first of its models."""
    record = study.provenance(fit_stage(slug)) or {}
    models = record.get("settings", {}).get("models") or ["ridge"]
    return str(models[0])


def stale_predictions(study: Study, scale_id: str) -> list[str]:
    """Say so where the ratings have changed since the predictions were made: else nothing."""
    record = study.provenance(fit_stage(scale_id))
    if record is None:
        return []
    now = study.stamp("", study.ratings_files(scale_id), {}).inputs
    known = record.get("inputs", {})
    if all(known.get(name) == digest for name, digest in now.items()):
        return []
    again = f"emoclip-clinic fit --scale {scale_id}"
    return [f"the ratings have changed since the predictions were made: run '{again}' again"]


def cohort_slug(scale_id: str, cohort: str) -> str:
    """Name the files of a scale's cohort: "panss" for everyone, "panss_site-A" for a part."""
    return f"{scale_id}_{safe_id(cohort.replace('=', '-'))}" if cohort else scale_id


def in_cohort(study: Study, cohort: str) -> set[str] | None:
    """Find the participants of a cohort such as "site=A"; None for an empty text: everyone.

    Raises
    ------
    StudyError
        The text is not COLUMN=VALUE, the column is unknown, or nobody has the value.
    """
    if not cohort:
        return None
    column, equals, value = (part.strip() for part in cohort.partition("="))
    table = read_participants(study)
    columns = [str(name) for name in table.columns if name != "participant"]
    if not equals or column not in columns:
        raise StudyError(
            f"--cohort {cohort!r}: {close_matches(column, columns)}allowed: COLUMN=VALUE with a "
            f"column of {study.participants_csv.name} ({', '.join(columns) or 'it has none'})."
        )
    chosen = table.loc[table[column].astype(str) == value, "participant"]
    if chosen.empty:
        known = ", ".join(sorted(table[column].dropna().astype(str).unique())[:20])
        raise StudyError(f"--cohort {cohort!r}: nobody has {column} {value}. Values: {known}.")
    return set(chosen)
