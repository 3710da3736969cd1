"""What models need that tune the encoder: the frames of a study's windows, and the layers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.features import FeatureTable
from emoclip_clinic.frames import read_frames
from emoclip_clinic.pipeline.encoded import encode_stage
from emoclip_clinic.regression import Recipe
from emoclip_clinic.regression.frames import FRAMES, Frames, Layers
from emoclip_clinic.study import Study

__all__ = ["frame_files", "frames_of", "layers_of", "tunes"]


def tunes(recipes: Iterable[Recipe]) -> bool:
    """Whether one of the models tunes the encoder."""
    return any(recipe.pooling == FRAMES for recipe in recipes)


def frame_files(study: Study, label: str) -> list[Path]:
    """List the files of frames of an encoder."""
    return sorted((study.features_dir(label) / "frames").glob("*.safetensors"))


def frames_of(
    study: Study, label: str, table: FeatureTable, layers: Layers | None = None
) -> Frames:
    """Read the frames of the windows of a table, in its order.

    Raises
    ------
    StudyError
        They were not kept, or are not those of these windows; the message has the command to run.
    """
    names = dict.fromkeys(table.segments["recording"])
    return Frames(read_frames(study.features_dir(label), names), layers)


def layers_of(study: Study, label: str, fingerprint: str) -> Layers:
    """Load the temporal layers of the encoder that made a study's features.

    Raises
    ------
    EncoderError
        Its weights are missing, or others than those of the features.
    """
    name = str((study.provenance(encode_stage(label)) or {}).get("encoder", label))
    # a checkpoint's path is relative to the study
    own = study.path / name
    encoder = load_encoder(own if own.is_file() else name, device="cpu")
    if encoder.fingerprint != fingerprint:
        raise EncoderError(
            f"the weights of {name} ({encoder.fingerprint[:8]}) are not those that the recordings "
            f"were encoded with ({fingerprint[:8]}), and tuning begins with these. Run "
            "'emoclip-clinic encode FOLDER --frames' again."
        )
    weights = {}
    if encoder.architecture.temporal_layers:
        state = encoder.temporal.state_dict()
        weights = {name: value.numpy().copy() for name, value in state.items()}
    return Layers(encoder.architecture.to_json(), weights)
