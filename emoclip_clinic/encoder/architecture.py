"""The dimensions of an EmoCLIP model, read from a checkpoint's shapes or its metadata."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from emoclip_clinic.errors import EncoderError

__all__ = ["REFERENCE", "Architecture"]

# CLIP's towers use heads 64 wide; the temporal layers' head width cannot be read from a shape
CLIP_HEAD_WIDTH = 64
CONTEXT_LENGTH = 77
VOCABULARY = 49408
LAYER = re.compile(r"layers\.(\d+)\.|resblocks\.(\d+)\.")

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Dimensions of the towers and of the temporal layers; the defaults are the reference's."""

    dim: int = 512
    """Length of every embedding: frames, videos, texts."""
    image_size: int = 224
    """Height and width of a preprocessed frame, px."""
    patch_size: int = 32
    """Height and width of an image patch, px."""
    vision_width: int = 768
    vision_layers: int = 12
    vision_heads: int = 12
    text_width: int = 512
    text_layers: int = 12
    """0: there is no text tower."""
    text_heads: int = 8
    context_length: int = CONTEXT_LENGTH
    """Tokens of a text; longer texts are truncated."""
    vocabulary: int = VOCABULARY
    temporal_layers: int = 2
    """0: a clip's embedding is the mean of its frames' embeddings (the CLIP baseline)."""
    temporal_heads: int = 8
    temporal_head_width: int = 2048
    temporal_mlp_width: int = 512
    positions: int = 1024
    """Length of the temporal position table; a clip has at most one frame less."""

    @property
    def has_text(self) -> bool:
        """Whether texts can be encoded."""
        return self.text_layers > 0

    @classmethod
    def from_shapes(
        cls, shapes: Shapes, *, temporal_heads: int | None = None, text_heads: int | None = None
    ) -> Architecture:
        """Read the dimensions from the shapes of a state dict named as layout 1.

        Parameters
        ----------
        shapes
            Parameter name -> shape.
        temporal_heads
            Heads of the temporal layers; by default 8 if `dim` is 512, as in the reference.
        text_heads
            Heads of the text tower; by default one for each 64 of its width, as in CLIP.

        Raises
        ------
        EncoderError
            `temporal_heads` is needed and not given.
        KeyError, IndexError, ValueError
            The shapes are not those of such a model.
        """
        patches, vision_width = shapes["backbone.visual.positional_embedding"]
        dim = shapes["backbone.visual.proj"][1]
        patch_size = shapes["backbone.visual.conv1.weight"][2]
        vision = {
            "dim": dim,
            "patch_size": patch_size,
            "image_size": math.isqrt(patches - 1) * patch_size,
            "vision_width": vision_width,
            "vision_layers": _count(shapes, "backbone.visual.transformer."),
            "vision_heads": max(1, vision_width // CLIP_HEAD_WIDTH),
        }
        return cls(**vision, **_text(shapes, text_heads), **_temporal(shapes, dim, temporal_heads))

    def to_json(self) -> str:
        """Every dimension, as a line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote.

        Raises
        ------
        EncoderError
            It is not JSON, or its keys or values are not those of an architecture.
        """
        try:
            values = json.loads(text)
            architecture = cls(**values)
        except (TypeError, ValueError) as error:
            raise EncoderError(f"the weights' metadata hold no architecture: {error}") from error
        if not all(type(value) is int and value >= 0 for value in values.values()):
            raise EncoderError("the weights' metadata hold an architecture that is not of numbers")
        return architecture


def _count(shapes: Shapes, prefix: str) -> int:
    found = [LAYER.search(name) for name in shapes if name.startswith(prefix)]
    return 1 + max((int(match[1] or match[2]) for match in found if match), default=-1)


def _text(shapes: Shapes, heads: int | None) -> dict[str, int]:
    layers = _count(shapes, "backbone.transformer.")
    if not layers:
        return {"text_layers": 0}
    vocabulary, width = shapes["backbone.token_embedding.weight"]
    return {
        "text_layers": layers,
        "text_width": width,
        "text_heads": heads or max(1, width // CLIP_HEAD_WIDTH),
        "vocabulary": vocabulary,
        "context_length": shapes["backbone.positional_embedding"][0],
    }


def _temporal(shapes: Shapes, dim: int, heads: int | None) -> dict[str, int]:
    prefix = "temporal.temporal_transformer."
    layers = _count(shapes, prefix)
    if not layers:
        return {"temporal_layers": 0}
    if heads is None and dim != REFERENCE.dim:
        raise EncoderError(
            f"the number of temporal heads cannot be read from weights of dimension {dim} (it is "
            f"known for {REFERENCE.dim} only); give temporal_heads."
        )
    heads = heads or REFERENCE.temporal_heads
    return {
        "temporal_layers": layers,
        "temporal_heads": heads,
        "temporal_head_width": shapes[f"{prefix}layers.0.0.fn.fn.to_qkv.weight"][0] // 3 // heads,
        "temporal_mlp_width": shapes[f"{prefix}layers.0.1.fn.fn.net.0.weight"][0],
        "positions": shapes["temporal.pos_embedding"][1],
    }


REFERENCE = Architecture()
"""The released model, text tower included."""
