"""Ways to recognise clips by words: an encoder and its baseline, with descriptions and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from emoclip_clinic import weights as store
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import REFERENCE, VideoEncoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.pipeline.embeddings import Embedded
from emoclip_clinic.training.prompts import DESCRIPTIONS, LABELS, PromptSet
from emoclip_clinic.training.zeroshot import recognise

__all__ = ["PREDICTIONS", "Method", "Tower", "methods", "predict_all", "towers"]

PREDICTIONS = (
    "clip", "participant", "method", "prompts", "truth", "predicted", "similarity", "margin",
)  # fmt: skip
AVERAGE = "frame average"
NO_CLIP_WEIGHTS = (
    "CLIP's own weights are not here: the baseline averages the frames of the encoder's own image "
    "tower, which is CLIP's only where it was not tuned. 'emoclip-clinic weights list' says how to "
    "bring them"
)


@dataclass(frozen=True, eq=False)
class Tower:
    """An encoder, and which of its two embeddings of a clip is used."""

    encoder: VideoEncoder
    name: str
    temporal: bool
    """Whether by its temporal layers; else the frames are averaged."""

    def of(self, made: Mapping[str, Embedded]) -> NDArray[np.float32]:
        """Choose the embeddings, by the encoder's fingerprint."""
        found = made[self.encoder.fingerprint]
        return found.video if self.temporal else found.average


@dataclass(frozen=True, eq=False)
class Method:
    """A tower, and the words that its embeddings are compared with."""

    tower: Tower
    prompts: str
    """"descriptions" or "labels"."""
    classes: torch.Tensor
    """Embeddings of the classes, (n_classes, dim)."""


def towers(
    name: str, baseline: str, weights: Path | None, device: str
) -> tuple[list[Tower], list[str]]:
    """Load an encoder and its baseline; the notes say what the baseline is not.

    Parameters
    ----------
    name
        The encoder.
    baseline
        An encoder's name or path, whose frames are averaged; "own": the encoder's own towers;
        "none"; "auto": CLIP where its weights are here and the encoder has CLIP's dimensions, else
        "own".

    Raises
    ------
    EncoderError
        Weights are missing.
    """
    encoder = load_encoder(name, weights_dir=weights, device=device)
    notes = [encoder.notice] if encoder.notice else []
    first = Tower(encoder, encoder.name, temporal=True)
    if baseline == "none":
        return [first], notes
    if baseline == "auto":
        baseline = "own"
        if encoder.dim == REFERENCE.dim:
            try:
                store.path("clip", weights)
                baseline = "clip-mean"
            except EncoderError:
                notes.append(NO_CLIP_WEIGHTS)
    other = encoder
    if baseline != "own":
        other = load_encoder(baseline, weights_dir=weights, device=device)
    return [first, Tower(other, f"{other.name} {AVERAGE}", temporal=False)], notes


def methods(chosen: Sequence[Tower], prompts: PromptSet, classes: Sequence[str]) -> list[Method]:
    """Give every tower with descriptions, and with labels where the prompts have templates.

    Raises
    ------
    SettingsError
        A class has no words.
    EncoderError
        An encoder has no text tower.
    """
    kinds = [DESCRIPTIONS, *([LABELS] if prompts.templates else [])]
    return [
        Method(tower, kind, prompts.class_vectors(tower.encoder, classes, kind))
        for tower in chosen
        for kind in kinds
    ]


def predict_all(
    chosen: Sequence[Method],
    clips: pd.DataFrame,
    classes: Sequence[str],
    made: Mapping[str, Embedded],
) -> pd.DataFrame:
    """Recognise the clips by every method.

    Returns
    -------
    DataFrame
        `PREDICTIONS`, a row a method and clip that can be read: similarity is the cosine to the
        class that is nearest, margin what it is above the next.
    """
    tables = []
    for method in chosen:
        vectors = method.tower.of(made)
        whole = np.isfinite(vectors).all(axis=1)
        cosines = recognise(vectors[whole], method.classes)
        ordered = np.sort(cosines, axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "clip": clips["clip"].to_numpy()[whole],
                    "participant": clips["participant"].to_numpy()[whole],
                    "method": method.tower.name,
                    "prompts": method.prompts,
                    "truth": clips["label"].to_numpy()[whole],
                    "predicted": np.array(classes, dtype=object)[cosines.argmax(axis=1)],
                    "similarity": ordered[:, -1],
                    "margin": ordered[:, -1] - ordered[:, -2] if len(classes) > 1 else np.nan,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
