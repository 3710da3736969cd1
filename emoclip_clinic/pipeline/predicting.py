"""predict: score new recordings with a fitted model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from emoclip_clinic import features, files, participants
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import SettingsError, StudyError, TurnsError
from emoclip_clinic.features import FeatureTable
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.encoding import encode
from emoclip_clinic.pipeline.fitting import ENCODING_JSON
from emoclip_clinic.pipeline.sources import (
    encoder_label,
    lies_in,
    read_participants,
    require_recordings,
)
from emoclip_clinic.pipeline.tuning import frames_of, tunes
from emoclip_clinic.quality import QualityLimits
from emoclip_clinic.regression import Features, FittedModel, load
from emoclip_clinic.regression import predict as predict_scores
from emoclip_clinic.regression.applied import accept, require_covariates
from emoclip_clinic.regression.drivers import drivers as find_drivers
from emoclip_clinic.regression.frames import Frames
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.study import Study
from emoclip_clinic.training.described import best_described
from emoclip_clinic.training.prompts import PromptSet, find_prompts, read_prompts
from emoclip_clinic.turns import TurnChoice

__all__ = ["predict"]

EXPLORATORY_WORDS = "exploratory: the descriptions of windows were not validated against any rating"


@alone
def predict(
    study: Study,
    folder: Path,
    model_dir: Path,
    output: Path,
    *,
    pattern: str | None = None,
    turns: str | None = None,
    speaker: Sequence[str] = (),
    sections: Sequence[str] = (),
    device: str = "auto",
    weights: Path | None = None,
    covariates: pd.DataFrame | None = None,
    drivers: Path | None = None,
    descriptions: str = "symptoms",
    progress: Progress = quiet,
) -> StageResult:
    """Encode the recordings of a folder as the model's were, and predict their scores.

    Parameters
    ----------
    study
        Where recordings.csv and the features go.
    folder
        The recordings.
    model_dir
        A folder that `fit` wrote, such as models/panss.
    output
        The CSV: participant, session, recording, scale, target, model, predicted, interval_low,
        interval_high, outside, note.
    pattern, device, weights, progress
        As for `encode`.
    turns, speaker, sections
        For a model that was made from turns: the path pattern of this study's files of turns, and
        what the participant and the model's sections are called in them. Those of study.toml if
        they are not given, else the model's; of sections, the model's.
    covariates
        Index participant, with the columns that the model needs; those of the study's
        participants.csv if absent.
    drivers
        A further CSV: how much each window moves each score (`regression.drivers`); where the
        encoder has a text tower also description, similarity and above_floor: the sentence that
        the window resembles most (`training.described`). Exploratory.
    descriptions
        Which sentences: a file of protocols/encoding/descriptions/.

    Raises
    ------
    StudyError
        `model_dir` holds no model, or no recording could be encoded.
    ClinicError
        The model is damaged, the encoder's weights are others than the model's, or a covariate
        that it needs is absent.
    SettingsError
        Turns are given, and the model was made from whole recordings.
    TurnsError
        The model was made from turns, and no recording has any.
    """
    if not (model_dir / ENCODING_JSON).is_file():
        raise StudyError(f"{model_dir} holds no fitted model: give a folder such as models/panss.")
    words = read_prompts(find_prompts(descriptions, study.path))
    model = load(model_dir)
    covariates = _covariates(study, model, covariates)
    how = _encoding(model_dir)
    # what warns is this study's matter
    warn = read_protocol(study.settings.encode.protocol, study.path).warn
    spoken = _turns(study, how.turns, TurnChoice(turns or "", tuple(speaker), tuple(sections)))
    with _from_turns_alone():
        encoded = encode(
            study,
            folder,
            encoder=how.encoder,
            faces=how.faces,
            protocol=replace(how.protocol, warn=warn),
            precision=how.precision,
            pattern=pattern,
            device=device,
            weights=weights,
            keep_frames=tunes([model.recipe]) or None,
            progress=progress,
            turns=spoken,
        )
    recordings, label = require_recordings(study), encoder_label(how.encoder)
    table = _windows(study, folder, recordings, label)
    frames = frames_of(study, label, table) if tunes([model.recipe]) else None
    inputs = _inputs(table, recordings, covariates, frames)
    made_with = Features(table.encoder, table.fingerprint, model.features.pooling)
    scores = predict_scores(model, inputs, recordings, made_with)
    remarks: list[str] = []
    if drivers:
        moved = find_drivers(model, accept(model, inputs, made_with), table.segments)
        moved, remarks = _in_words(moved, table, how.encoder, words, weights)
        files.write_csv(drivers, moved)
    files.write_csv(output, scores)
    return StageResult(
        stage="predict",
        message=f"{len(model.targets)} scores of {len(inputs)} recordings.",
        written=(output, *([drivers] if drivers else [])),
        exclusions=encoded.exclusions,
        notes=(
            *encoded.notes,
            *([table.notice] if table.notice else []),
            *remarks,
            *_how_otherwise(how, study.settings.encode.participant, spoken),
            *sorted({note for note in scores["note"] if note}),
        ),
        summary={"n_recordings": len(inputs), "n_targets": len(model.targets)},
    )


def _windows(study: Study, folder: Path, recordings: pd.DataFrame, label: str) -> FeatureTable:
    """Read what was encoded of the usable recordings in a folder."""
    usable = recordings[recordings["status"].eq("usable") & lies_in(study, recordings, folder)]
    table = features.read_folder(study.features_dir(label), list(usable["recording"]))
    if table.segments.empty:
        raise StudyError("no window of any recording could be encoded: see segments.csv for why.")
    return table


def _in_words(
    moved: pd.DataFrame,
    table: FeatureTable,
    encoder: str,
    words: PromptSet,
    weights: Path | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Add the description that each window resembles most, where the encoder reads texts."""
    model = load_encoder(encoder, weights_dir=weights, device="cpu")
    if not model.architecture.has_text:
        return moved, ["the encoder has no text tower: windows are not compared with descriptions"]
    found = best_described(table.vectors, model, words)
    windows = table.segments[["recording", "window"]].reset_index(drop=True)
    return moved.merge(windows.join(found), on=["recording", "window"], how="left"), [
        f"{EXPLORATORY_WORDS} ({words.title})"
    ]


def _covariates(
    study: Study, model: FittedModel, given: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Find the covariates that the model needs, before anything is decoded; mostly none."""
    if not model.covariates:
        return None
    if given is not None:
        require_covariates(model, given.columns)
        return given
    people = read_participants(study)
    require_covariates(model, people.columns)
    return participants.covariates(people, model.covariates)


def _inputs(
    table: FeatureTable,
    recordings: pd.DataFrame,
    covariates: pd.DataFrame | None,
    frames: Frames | None,
) -> Inputs:
    if covariates is not None:
        people, names = recordings["participant"], recordings["recording"]
        covariates = covariates.reindex(people).set_axis(names)
    of_window = table.segments["recording"].to_numpy()
    return Inputs.of_windows(table.vectors, of_window, covariates, frames)


def _turns(study: Study, made: TurnChoice | None, given: TurnChoice) -> TurnChoice:
    """Choose the model's turns, by the names that are given or that this study has for them."""
    if made is None:
        if given != TurnChoice():
            raise SettingsError(
                "the model was made from whole recordings, and predicts from whole recordings. "
                "Leave out --turns, --speaker and --section, or fit a model from turns."
            )
        return given
    here = study.settings.encode
    return TurnChoice(
        given.pattern or here.turns or made.pattern,
        given.speaker or here.speaker or made.speaker,
        given.sections or made.sections,
        made.join_pauses_s,
    )


@contextlib.contextmanager
def _from_turns_alone() -> Iterator[None]:
    """Say why turns are asked for, where there are none."""
    try:
        yield
    except TurnsError as error:
        raise TurnsError(
            f"the model was made from turns, and predicts from turns: {error} Give --turns and "
            "--speaker as they are here."
        ) from error


class _How(NamedTuple):
    """How the recordings of a model were encoded."""

    encoder: str
    faces: str
    protocol: EncodingProtocol
    precision: str
    participant: str
    """The rule that named the participant."""
    turns: TurnChoice | None


def _encoding(model_dir: Path) -> _How:
    """Read how the model's recordings were encoded."""
    try:
        how = json.loads((model_dir / ENCODING_JSON).read_text(encoding="utf-8"))
        limits = QualityLimits(**how["protocol"].pop("quality", {}))
        protocol = EncodingProtocol(**how["protocol"], quality=limits)
        encoder, faces = str(how["encoder"]), str(how["faces"])
        turns = TurnChoice(**how["turns"]) if "turns" in how else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{model_dir / ENCODING_JSON} is damaged. Run 'emoclip-clinic fit' again."
        ) from error
    # a checkpoint's path is relative to the study of the model: models/SCALE lies two folders in
    checkpoint = model_dir.absolute().parents[1] / encoder
    name = str(checkpoint) if checkpoint.is_file() else encoder
    precision, rule = how.get("precision", "fp32"), how.get("participant", "largest")
    return _How(name, faces, protocol, str(precision), str(rule), turns)


def _how_otherwise(how: _How, participant: str, spoken: TurnChoice) -> list[str]:
    """Say what is to be known of the way in which recordings were encoded."""
    notes = []
    if how.faces == "none":
        notes.append("no face was searched for: whole frames were encoded")
    if participant != how.participant:
        # where people sit is this study's matter, so its own rule holds
        notes.append(
            f"who the participant is was told by {participant!r} here, and by "
            f"{how.participant!r} in the model's recordings"
        )
    if how.turns and set(spoken.sections) != set(how.turns.sections):
        notes.append(
            f"sections are {_listed(spoken.sections)} here, and {_listed(how.turns.sections)} in "
            "the model's recordings"
        )
    return notes


def _listed(sections: Sequence[str]) -> str:
    return ", ".join(map(repr, sections)) or "all"
