"""How near windows of a recording are to words: cosines, above the floor of neutral sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.training.prompts import PromptSet
from emoclip_clinic.training.zeroshot import recognise

__all__ = ["DESCRIBED", "best_described", "describe_vectors"]

DESCRIBED = ("row", "description", "name", "similarity", "floor", "above_floor")


def describe_vectors(
    vectors: NDArray[np.float32], encoder: VideoEncoder, prompts: PromptSet
) -> pd.DataFrame:
    """Compare embeddings of windows with every description of a set.

    Parameters
    ----------
    vectors
        float32 (n_windows, dim), as the encoder gives them.
    encoder
        The encoder of the vectors, with a text tower.
    prompts
        With neutral sentences.

    Returns
    -------
    DataFrame
        `DESCRIBED`, a row a window and description. similarity: the cosine. floor: the highest
        cosine of the window to a neutral sentence. above_floor: their difference; at 0 or below,
        words that say nothing of the expression fit as well.

    Raises
    ------
    SettingsError
        The set has no neutral sentences.
    EncoderError
        The encoder has no text tower.
    """
    if not prompts.neutral:
        raise SettingsError(
            "the descriptions have no neutral sentences, so a similarity has no floor; write "
            'neutral = ["a face", ...].'
        )
    names = list(prompts.classes)
    classes = prompts.class_vectors(encoder, names)
    with torch.inference_mode():
        neutral = functional.normalize(encoder.encode_text(prompts.neutral), dim=-1)
    unit = functional.normalize(torch.from_numpy(vectors), dim=-1).numpy()
    similarity = recognise(unit, classes)
    floor = recognise(unit, neutral).max(axis=1, keepdims=True)
    n, k = similarity.shape
    table = pd.DataFrame(
        {
            "row": np.repeat(np.arange(n), k),
            "description": np.tile(np.array(names, dtype=object), n),
            "name": np.tile(np.array([prompts.shown(one) for one in names], dtype=object), n),
            "similarity": similarity.ravel(),
            "floor": np.broadcast_to(floor, (n, k)).ravel(),
            "above_floor": (similarity - floor).ravel(),
        }
    )
    return table[list(DESCRIBED)]


def best_described(
    vectors: NDArray[np.float32], encoder: VideoEncoder, prompts: PromptSet
) -> pd.DataFrame:
    """Give the nearest description of each window.

    Returns
    -------
    DataFrame
        description, similarity, above_floor: a row a window, in order.
    """
    table = describe_vectors(vectors, encoder, prompts)
    best = table.loc[table.groupby("row")["similarity"].idxmax()] if len(table) else table
    return best[["description", "similarity", "above_floor"]].reset_index(drop=True)
