"""encode: every usable recording becomes feature vectors."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import features, files, frames
from emoclip_clinic import weights as store
from emoclip_clinic.encoder import ENCODERS, checkpoint_path, devices, require_precision
from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import AGAIN, EncoderError, StudyError
from emoclip_clinic.flags import MEASURED_COLUMNS, flagged
from emoclip_clinic.pipeline._stage import Progress, StageResult, alone, quiet
from emoclip_clinic.pipeline.choosing import photo_measures, plain_choices, read_choices
from emoclip_clinic.pipeline.copying import refuse_shared_copy
from emoclip_clinic.pipeline.encoded import encode_stage, result_of
from emoclip_clinic.pipeline.ingesting import ingest
from emoclip_clinic.pipeline.left_off import left_off
from emoclip_clinic.pipeline.next_step import cured
from emoclip_clinic.pipeline.quality_tables import write_quality
from emoclip_clinic.pipeline.recording_encoder import Encoding, RecordingEncoder
from emoclip_clinic.pipeline.sources import encoder_label
from emoclip_clinic.pipeline.spoken import TurnFiles, turn_choice, with_turns
from emoclip_clinic.pipeline.together import at_once, encode_together
from emoclip_clinic.quality import WINDOW_COLUMNS, require_pose
from emoclip_clinic.recordings import read_recordings
from emoclip_clinic.regression.jobs import Apart, Lost, Runner
from emoclip_clinic.segments import SEGMENT_COLUMNS
from emoclip_clinic.settings import EncodeSettings
from emoclip_clinic.study import Stamp, Study
from emoclip_clinic.turns import TurnChoice
from emoclip_clinic.video.decoder import Limits

__all__ = ["encode"]

CHANGED = "the file changed or went away while it was encoded"


@alone
def encode(
    study: Study,
    folder: Path,
    *,
    encoder: str | None = None,
    faces: str | None = None,
    protocol: str | EncodingProtocol | None = None,
    participant: str | None = None,
    pattern: str | None = None,
    turns: str | TurnChoice | None = None,
    speaker: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    device: str = "auto",
    precision: str | None = None,
    weights: Path | None = None,
    keep_frames: bool | None = None,
    run: Runner | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Ingest what is new in `folder`, then encode every usable recording of the study.

    A recording that was encoded with the same content, settings and weights is not encoded again,
    so that a run that was stopped goes on. One that fails costs its own row and no other.

    Parameters
    ----------
    study, folder
        Where the features go, and where the recordings are.
    encoder, faces, protocol, participant
        In place of what study.toml says.
    pattern
        As for `ingest`.
    turns, speaker, sections
        In place of what study.toml says: the path pattern of files of turns (empty: recordings are
        encoded whole), names of the participant, names of sections; or all of it as one choice.
    device
        "auto", "cpu", "cuda" (every GPU) or "cuda:N"; several with commas between.
    precision
        "fp32", "bf16", "fp16" or "int8", in place of what study.toml says.
    weights
        Folder of weights.
    keep_frames
        Whether the embeddings of frames are kept, for models that tune the temporal layers; in
        place of what study.toml says.
    run
        Who encodes, a job a recording, such as `cluster.connect` gives; this process if it is not
        given. Workers read the recordings and the weights where this machine does.
    progress
        Told of recordings and, in this process, of the frames of the one in work.

    Raises
    ------
    RecordingError
        There is no recording in `folder`.
    EncoderError
        Weights are missing or damaged, or differ on a worker, or the precision is not to be had
        here; the message says what to do.
    StudyError
        The study cannot be written or is a shared copy, a worker does not see a recording, or
        review.csv is wrong.
    TurnsError
        Turns are asked for, and no recording has any.
    """
    if not folder.is_dir():
        refuse_shared_copy(study, "encode")
    encoding = _encoding(study, encoder, faces, protocol, participant, weights)
    settings = study.settings.encode
    encoding = replace(
        encoding,
        precision=precision or settings.precision,
        frames=settings.frames if keep_frames is None else keep_frames,
    )
    if encoding.precision != "fp32":
        # before anything is decoded; fp32, which is to be had everywhere, does not wait for torch
        for one in devices(device):
            require_precision(encoding.precision, one)
    choice = turn_choice(settings, turns, speaker, sections)
    found = ingest(study, folder, pattern=pattern, warn=encoding.protocol.warn, progress=progress)
    table = read_recordings(study.recordings_csv)
    choices = read_choices(study, encoding.choices, encoding.faces, table)
    encoding = replace(encoding, choices=choices)
    usable = table[table["status"] == "usable"]
    spoken = TurnFiles.of(study, choice, usable) if choice else None
    stamp = study.stamp(
        encode_stage(encoding.label),
        [study.recordings_csv, study.review_csv],
        encoding.settings
        | {"warn": asdict(encoding.protocol.warn)}
        | ({"frames": True} if encoding.frames else {})
        | ({"turns": spoken.settings} if spoken else {}),
        encoder=encoding.encoder_sha256,
        **encoding.choices.facts,
        **(spoken.hashes if spoken else {}),
    )
    fresh = study.is_fresh(stamp)
    # before the record of this run takes the place of the last one's
    about = {"turns": (turns, speaker, sections), "participant": (participant,)}
    otherwise = left_off(study.provenance(stamp.stage), stamp, about)
    if not fresh:
        _encode_all(study, encoding, usable, spoken, stamp, device, run, progress)
    given = {"faces": faces, "protocol": protocol, "participant": participant, "turns": turns}
    options = files.given(**given, speaker=speaker, section=sections)
    # the default is nobody's choice
    chosen = bool(participant) or settings.participant != EncodeSettings().participant
    result = cured(result_of(study, encoding, found, fresh, chosen), options)
    return replace(result, notes=(*otherwise, *result.notes, *(spoken.notes if spoken else ())))


def _encoding(
    study: Study,
    encoder: str | None,
    faces: str | None,
    protocol: str | EncodingProtocol | None,
    participant: str | None,
    weights_dir: Path | None,
) -> Encoding:
    settings = study.settings.encode
    name, finder = encoder or settings.encoder, faces or settings.faces
    if name not in ENCODERS and (study.path / name).is_file():
        # study.toml's paths are relative to the study
        name = str(study.path / name)
    chosen = protocol or settings.protocol
    if isinstance(chosen, str):
        chosen = read_protocol(chosen, study.path)
    require_pose(chosen.quality, finder)
    if name not in ENCODERS:
        # workers of a cluster start in other folders
        name = str(Path(name).absolute())
    if finder == "yunet":
        # before anything is decoded, so that missing weights cost no time
        store.path("yunet", weights_dir)
    return Encoding(
        encoder=name,
        faces=finder,
        protocol=chosen,
        weights=weights_dir and weights_dir.absolute(),
        label=encoder_label(name),
        encoder_sha256=study.sha256(checkpoint_path(name, weights_dir)),
        limits=Limits(settings.decoder_memory_mb, settings.decoder_wait_s),
        choices=plain_choices(participant or settings.participant, finder, weights_dir),
    )


def _encode_all(
    study: Study,
    encoding: Encoding,
    usable: pd.DataFrame,
    spoken: TurnFiles | None,
    stamp: Stamp,
    device: str,
    run: Runner | None,
    progress: Progress,
) -> None:
    """Encode what has no fresh features, then write the tables over all of them."""
    folder = study.features_dir(encoding.label)
    paths = {name: folder / f"{name}.safetensors" for name in usable["recording"]}
    workers = [
        RecordingEncoder(study.path.absolute(), encoding, one)
        for one in (devices(device) if run is None else [device])
    ]
    every = with_turns(usable, spoken)
    rows = [row for row in every if not _is_fresh(paths[row["recording"]], encoding, row)]
    changed = {}
    n_fresh = len(paths) - len(rows)
    progress("recordings", n_fresh, len(paths))
    with contextlib.closing(_each(workers, rows, run, progress)) as each:
        for done, (row, made) in enumerate(each, n_fresh + 1):
            name, key = row["recording"], encoding.key(row)
            if _content(study, study.path / row["path"]) != row["sha256"]:
                made = workers[0].failed(row, CHANGED, final=False)
            if not made.final:
                # without a key the next run tries again
                changed[name], key = str(made.segments["reason"].iloc[0]), ""
            if encoding.frames:
                # before the vectors: where these are fresh, their frames are there
                frames.write_frames(folder, made, key)
            features.write(paths[name], made, key)
            progress("recordings", done, len(paths))
    participants = usable.set_index("recording")["participant"]
    tables = _write_tables(folder, paths.values(), participants, encoding)
    kept = [frames.frames_path(folder, name) for name in paths if encoding.frames]
    model, name = workers[0].model, encoding.encoder
    study.record(
        replace(stamp, inputs={**stamp.inputs, **changed}),
        [*tables, *paths.values(), *kept],
        device="cluster" if run else ",".join(str(one.model.device) for one in workers),
        encoder=name if name in ENCODERS else study.relative(Path(name)),
        notice=model.notice,
        dim=model.dim,
    )


def _is_fresh(path: Path, encoding: Encoding, row: Mapping[Any, Any]) -> bool:
    """Whether a recording's features, and its frames if they are kept, are what would be made."""
    keys = [features.read_key(path)]
    if encoding.frames:
        keys.append(frames.read_key(frames.frames_path(path.parent, path.stem)))
    return set(keys) == {encoding.key(row)}


def _each(
    workers: list[RecordingEncoder],
    rows: list[dict[Hashable, Any]],
    run: Runner | None,
    progress: Progress,
) -> Generator[tuple[dict[Hashable, Any], features.RecordingFeatures], None, None]:
    """Encode each recording, here or by `run`, and yield it when it is done."""
    # weights that are missing or damaged are known of before anything is decoded or sent
    fingerprint = workers[0].model.fingerprint
    if run is None:
        yield from encode_together(workers, rows, at_once(len(workers)), progress)
        return
    # what takes longest first: at the end nobody waits for it alone
    rows = sorted(rows, key=lambda row: -row["duration_s"])
    by_name = {row["recording"]: row for row in rows}
    # a copy: the model that is loaded here is not sent
    job = Apart(replace(workers[0]).elsewhere, workers[0].encoding.libraries)
    for made in run(job, rows):
        if isinstance(made, Lost):
            reason = f"{made.reason}; {AGAIN}"
            yield made.job, workers[0].failed(made.job, reason, final=False)
            continue
        row = by_name[made.recording]
        if made.fingerprint != fingerprint:
            raise EncoderError(
                f"recording {row['recording']} was encoded with other weights than those of this "
                f"machine ({made.fingerprint[:8]}, here {fingerprint[:8]}). Install the same "
                "weights where the workers run, or name one folder that all see with --weights."
            )
        yield row, made


def _write_tables(
    folder: Path, paths: Iterable[Path], participants: pd.Series, encoding: Encoding
) -> list[Path]:
    """Write segments.csv and the tables of quality over the features of all recordings."""
    segments = [pd.DataFrame(columns=list(SEGMENT_COLUMNS))]
    quality = [pd.DataFrame(columns=list(MEASURED_COLUMNS))]
    windows = [pd.DataFrame(columns=list(WINDOW_COLUMNS))]
    for path in paths:
        one = features.read(path)
        segments.append(one.segments)
        quality.append(one.quality)
        windows.append(one.window_quality)
    table = pd.concat(segments, ignore_index=True)
    used = table.loc[table["status"] == "used", "recording"].unique()
    quality.append(photo_measures(encoding.choices, used))
    words = table["padded"].map({True: "true", False: "false"})
    times = table[["start_s", "stop_s"]].astype(float).round(files.TIME_DIGITS)
    files.write_csv(folder / "segments.csv", table.assign(padded=words, **times))
    looks = pd.concat(windows, ignore_index=True)
    measured = pd.concat(quality).sort_values("recording", kind="stable", ignore_index=True)
    measured = flagged(measured, encoding.protocol.warn)
    return [folder / "segments.csv", *write_quality(folder, measured, looks, participants)]


def _content(study: Study, path: Path) -> str:
    with contextlib.suppress(StudyError):
        return study.sha256(path)
    return ""
