"""predict: score new recordings with a fitted model."""

from __future__ import annotations

import json
from pathlib import Path

from emoclip_clinic import features, files
from emoclip_clinic.errors import StudyError
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.encoding import encode
from emoclip_clinic.pipeline.fitting import ENCODING_JSON
from emoclip_clinic.pipeline.sources import encoder_label, lies_in, require_recordings
from emoclip_clinic.regression import Features, load
from emoclip_clinic.regression import predict as predict_scores
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.segments import EncodingProtocol
from emoclip_clinic.study import Study

__all__ = ["predict"]


def predict(
    study: Study,
    folder: Path,
    model_dir: Path,
    output: Path,
    *,
    pattern: str | None = None,
    device: str = "auto",
    weights: Path | None = None,
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
        interval_high, note.
    pattern, device, weights, progress
        As for `encode`.

    Raises
    ------
    StudyError
        `model_dir` holds no model, or no recording could be encoded.
    ClinicError
        The model is damaged, or the encoder's weights are others than the model's.
    """
    if not (model_dir / ENCODING_JSON).is_file():
        raise StudyError(f"{model_dir} holds no fitted model: give a folder such as models/panss.")
    model = load(model_dir)
    encoder, faces, protocol = _encoding(model_dir)
    encoded = encode(
        study,
        folder,
        encoder=encoder,
        faces=faces,
        protocol=protocol,
        pattern=pattern,
        device=device,
        weights=weights,
        progress=progress,
    )
    recordings = require_recordings(study)
    usable = recordings[recordings["status"].eq("usable") & lies_in(study, recordings, folder)]
    label = encoder_label(encoder)
    table = features.read_folder(study.features_dir(label), list(usable["recording"]))
    if table.segments.empty:
        raise StudyError("no window of any recording could be encoded: see segments.csv for why.")
    x = Inputs.of_windows(table.vectors, table.segments["recording"].to_numpy())
    made_with = Features(table.encoder, table.fingerprint, model.features.pooling)
    scores = predict_scores(model, x, recordings, made_with)
    files.write_csv(output, scores)
    return StageResult(
        stage="predict",
        message=f"{len(model.targets)} scores of {len(x)} recordings.",
        written=(output,),
        exclusions=encoded.exclusions,
        notes=(
            *encoded.notes,
            *([table.notice] if table.notice else []),
            *(["no face was searched for: whole frames were encoded"] if faces == "none" else []),
            *sorted({note for note in scores["note"] if note}),
        ),
        summary={"n_recordings": len(x), "n_targets": len(model.targets)},
    )


def _encoding(model_dir: Path) -> tuple[str, str, EncodingProtocol]:
    """Read how the model's recordings were encoded: encoder, face finder, protocol."""
    try:
        how = json.loads((model_dir / ENCODING_JSON).read_text(encoding="utf-8"))
        protocol = EncodingProtocol(**how["protocol"])
        encoder, faces = str(how["encoder"]), str(how["faces"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{model_dir / ENCODING_JSON} is damaged. Run 'emoclip-clinic fit' again."
        ) from error
    # a checkpoint's path is relative to the study of the model: models/SCALE lies two folders in
    checkpoint = model_dir.absolute().parents[1] / encoder
    return str(checkpoint) if checkpoint.is_file() else encoder, faces, protocol
