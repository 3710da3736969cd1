"""The model that a training begins with."""

from __future__ import annotations

import dataclasses

import torch

from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.model import REFERENCE, VideoEncoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.training.recipe import Recipe

__all__ = ["starting_model"]

TEMPORAL = ("temporal_layers", "temporal_heads", "temporal_head_width", "temporal_mlp_width")


def starting_model(recipe: Recipe, start: VideoEncoder | None) -> VideoEncoder:
    """Make the model to train, on the CPU: its random weights are decided by the recipe's seed.

    Parameters
    ----------
    recipe
        Its `architecture` has the dimensions; of a start without temporal layers (CLIP), only
        theirs, which then begin at random, with the table of positions.
    start
        A trained encoder, which is left as it is; None: everything begins at random.

    Raises
    ------
    EncoderError
        The start has no text tower, or other dimensions than the recipe: the message names them.
    """
    if start is None:
        model = _at_random(recipe.architecture or REFERENCE, recipe.seed)
        with torch.no_grad():
            for name in ("token_embedding.weight", "positional_embedding"):
                model.backbone.get_parameter(name).mul_(recipe.embedding_scale)
        return model
    if not start.architecture.has_text:
        raise EncoderError(
            f"{start.name} has no text tower, so it cannot learn from captions. Start with "
            "clip-mean, or a checkpoint of a whole model."
        )
    target = _target(recipe, start)
    model = _at_random(target, recipe.seed)
    known = start.state_dict()
    own = model.state_dict()
    model.load_state_dict({name: known.get(name, own[name]) for name in own})
    return model


def _at_random(architecture: Architecture, seed: int) -> VideoEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VideoEncoder(architecture)


def _target(recipe: Recipe, start: VideoEncoder) -> Architecture:
    has = start.architecture
    wanted = recipe.architecture or REFERENCE
    if not has.temporal_layers:
        added = {key: getattr(wanted, key) for key in (*TEMPORAL, "positions")}
        has = dataclasses.replace(has, **added)
    if recipe.architecture is not None and has != recipe.architecture:
        ours, theirs = dataclasses.asdict(has), dataclasses.asdict(wanted)
        pairs = [
            f"{key} is {ours[key]}, in the recipe {theirs[key]}"
            for key in ours
            if ours[key] != theirs[key]
        ]
        raise EncoderError(
            f"{start.name} has another architecture than the recipe: {'; '.join(pairs)}. Leave "
            "[architecture] out of the recipe, or begin with other weights."
        )
    return has
