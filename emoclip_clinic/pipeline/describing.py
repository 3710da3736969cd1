"""describe: what a recording resembles, in words, over time. Exploratory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic import files
from emoclip_clinic import weights as store
from emoclip_clinic.encoder import ENCODERS, load_encoder
from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.encoder.participant import encode_participant
from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import RecordingError, SettingsError
from emoclip_clinic.features import RecordingFeatures
from emoclip_clinic.participant_rule import ParticipantRule
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.choosing import plain_choices
from emoclip_clinic.pipeline.spoken import Spoken, of_file, on_clock
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.recordings import Exclusion, exclusion_table
from emoclip_clinic.report.numbers import number
from emoclip_clinic.report.recognition import timeline, write_figure
from emoclip_clinic.scan import safe_id
from emoclip_clinic.segments import GAP, is_window, plan
from emoclip_clinic.settings import EncodeSettings, Settings
from emoclip_clinic.study import SETTINGS_FILE, Study
from emoclip_clinic.training.described import describe_vectors
from emoclip_clinic.training.prompts import PromptSet, find_prompts, read_prompts
from emoclip_clinic.turns import TurnChoice
from emoclip_clinic.video.choosing import Chosen, choose
from emoclip_clinic.video.faces import load_face_finder
from emoclip_clinic.video.isolated import Limits, read_frames, timestamps

__all__ = ["EXPLORATORY", "TIMELINE", "describe"]

TIMELINE = (
    "recording", "window", "start_s", "stop_s", "description", "name", "similarity", "floor",
    "above_floor", "note",
)  # fmt: skip
EXPLORATORY = (
    "Exploratory: similarity of a window's embedding to sentences, which was not validated against "
    "any rating. The floor is the highest similarity of the window to a neutral sentence; only "
    "what stands above it says anything."
)


def describe(
    recording: Path,
    *,
    study: Path = Path(),
    encoder: str | None = None,
    faces: str | None = None,
    protocol: str | None = None,
    participant: str | None = None,
    turns: Path | None = None,
    speaker: Sequence[str] = (),
    sections: Sequence[str] = (),
    descriptions: str = "symptoms",
    output: Path | None = None,
    device: str = "auto",
    weights: Path | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Compare every window of a recording with a set of descriptions.

    Parameters
    ----------
    recording
        A video.
    study
        Where the results go (describe/), and whose settings and own descriptions are used.
    encoder, faces, protocol, participant
        In place of what study.toml says; photos and reviews are not looked at.
    turns
        The recording's file of turns; the whole recording if it is not given.
    speaker, sections
        As for `encode`.
    descriptions
        A file of protocols/encoding/descriptions/, or its path.
    output
        The CSV, with columns `TIMELINE`; the figure goes beside it. describe/RECORDING_SET.csv of
        the study if it is not given.
    device, weights, progress
        As for `encode`.

    Raises
    ------
    RecordingError
        The video cannot be read, or no window can be encoded.
    EncoderError
        The weights are missing, or have no text tower.
    SettingsError
        The file of descriptions is wrong, or a speaker is given without turns.
    TurnsError
        The file of turns cannot be used, or has no turn of the participant.
    """
    settings = _settings(study)
    faces = faces or settings.faces
    rule = _rule(participant or settings.participant, faces, weights)
    spoken = _spoken(recording, settings, turns, speaker, sections)
    words_file = find_prompts(descriptions, study)
    words = read_prompts(words_file)
    name = encoder or settings.encoder
    if name not in ENCODERS and (study / name).is_file():
        name = str(study / name)
    model = load_encoder(name, weights_dir=weights, device=device)
    # before the video is decoded
    words.class_vectors(model, list(words.classes))
    how = read_protocol(protocol or settings.protocol, study)
    made = _encoded(recording, model, faces, how, rule, spoken, weights, progress)
    table = _timeline(made, model, words)
    path = output or study / "describe" / f"{safe_id(recording.stem)}_{words_file.stem}.csv"
    figure = path.with_suffix(".pdf")
    files.write_csv(path, table)
    write_figure(figure, timeline(table, f"{recording.stem}: {words.title}", EXPLORATORY))
    segments = made.segments
    lost = segments[segments["status"].ne("used") & is_window(segments)]
    gaps = segments[segments["reason"] == GAP]
    n_windows = len(made.vectors)
    return StageResult(
        stage="describe",
        message=f"{counted(n_windows, 'window')}, {counted(len(words.classes), 'description')}.",
        written=(path, figure),
        exclusions=exclusion_table(
            Exclusion("describe", "window", str(row.window), str(row.reason))
            for row in lost.itertuples()
        ),
        notes=(
            EXPLORATORY,
            *([model.notice] if model.notice else []),
            *(f"{GAP}, {row.start_s:.1f} s to {row.stop_s:.1f} s" for row in gaps.itertuples()),
        ),
        summary={"exploratory": True, "n_windows": n_windows},
        table=_shown(table),
    )


def _settings(study: Path) -> EncodeSettings:
    """Take the study's settings, or the defaults where there is no study."""
    settings = Study(study).settings if (study / SETTINGS_FILE).is_file() else Settings()
    return settings.encode


def _spoken(
    recording: Path,
    settings: EncodeSettings,
    turns: Path | None,
    speaker: Sequence[str],
    sections: Sequence[str],
) -> Spoken | None:
    """Read when the participant speaks; None where the whole recording is described."""
    if turns is None:
        if speaker or sections:
            raise SettingsError("a speaker or a section is asked for: give --turns with it.")
        return None
    choice = TurnChoice(
        str(turns),
        tuple(speaker) or settings.speaker,
        tuple(sections) or settings.sections,
        settings.join_pauses_s,
    )
    return of_file(turns, recording, choice)


def _rule(participant: str, faces: str, weights: Path | None) -> ParticipantRule:
    rule = plain_choices(participant, faces, weights).rule
    if rule.kind == "photo":
        raise SettingsError(
            f"participant = {participant!r} is a photo, and 'describe' looks at none. Say "
            "--participant largest, longest, left, right or 'region x,y,w,h'."
        )
    return rule


def _encoded(
    path: Path,
    model: VideoEncoder,
    faces: str,
    protocol: EncodingProtocol,
    rule: ParticipantRule,
    spoken: Spoken | None,
    weights: Path | None,
    progress: Progress,
) -> RecordingFeatures:
    finder = load_face_finder(faces, store.path("yunet", weights) if faces == "yunet" else None)
    times_s = timestamps(path)
    cut = plan(times_s, protocol, on_clock(spoken, path, Limits()) if spoken else None)

    def read(positions: Sequence[int]) -> Iterator[npt.NDArray[np.uint8]]:
        return read_frames(path, cut.frames[list(positions)], times_s=times_s)

    with BatchedEncoder(model) as batched:
        made = encode_participant(
            read,
            cut,
            batched,
            finder,
            protocol,
            lambda people: Chosen((choose(people, rule),)),
            recording=path.stem,
            times_s=times_s,
            progress=lambda done, total: progress("frames", done, total),
        )
    if not len(made.vectors):
        reasons = ", ".join(sorted(set(made.segments["reason"])))
        raise RecordingError(
            f"no window of {path.name} can be described: {reasons}. Where it is a face crop "
            "already, add --faces none."
        )
    return made


def _timeline(made: RecordingFeatures, model: VideoEncoder, words: PromptSet) -> pd.DataFrame:
    """Give a row a window and description; a window that was not encoded has a note instead."""
    segments = made.segments.reset_index(drop=True)
    used = np.flatnonzero(segments["status"] == "used")
    found = describe_vectors(made.vectors, model, words)
    found["row"] = used[found["row"]]
    every = pd.MultiIndex.from_product(
        [segments.index, words.classes], names=["row", "description"]
    )
    table = found.set_index(["row", "description"]).reindex(every).reset_index()
    table["name"] = table["description"].map(words.shown)
    table = table.join(segments, on="row").rename(columns={"reason": "note"})
    return table[list(TIMELINE)]


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up each description over the recording, as texts."""
    rows = []
    for name, found in table.groupby("name", sort=False):
        above = found["above_floor"].dropna()
        nearest_s = found["start_s"].iloc[int(found["similarity"].argmax())]
        rows.append(
            {
                "description": name,
                "above floor, mean": number(above.mean(), 3),
                "windows above": f"{int((above > 0).sum())} of {len(above)}",
                "nearest at": f"{number(nearest_s, 1)} s",
            }
        )
    return pd.DataFrame(rows)
