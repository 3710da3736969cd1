"""The model that a training begins with."""

from __future__ import annotations

import dataclasses

import torch

from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.checkpoints import fingerprint
from emoclip_clinic.encoder.model import REFERENCE, VideoEncoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.training.recipe import Recipe

__all__ = ["starting_model", "with_text_tower"]

TEXT = ("text_width", "text_layers", "text_heads", "context_length", "vocabulary")
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


def with_text_tower(model: VideoEncoder, other: VideoEncoder) -> VideoEncoder:
    """Give a model that has no text tower that of another, and its scale of similarities.

    EmoCLIP's released file has none; where CLIP was frozen in its training, CLIP's is the one.

    Raises
    ------
    EncoderError
        The other has none either, or embeds into another number of dimensions.
    """
    ours, theirs = model.architecture, other.architecture
    if not theirs.has_text or theirs.dim != ours.dim:
        raise EncoderError(
            f"the text tower of {other.name} ({theirs.dim if theirs.has_text else 'none'}) does "
            f"not fit {model.name}, whose embeddings have {ours.dim} numbers. Name another "
            "text_tower in the recipe."
        )
    text = {key: getattr(theirs, key) for key in TEXT}
    whole = VideoEncoder(dataclasses.replace(ours, **text))
    known = other.state_dict() | model.state_dict()
    whole.load_state_dict({name: known[name] for name in whole.state_dict()})
    whole.name, whole.notice = model.name, model.notice
    whole.fingerprint = fingerprint(whole)
    return whole


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
