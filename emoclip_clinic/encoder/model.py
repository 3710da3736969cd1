"""EmoCLIP: CLIP's towers and a temporal transformer over the frames' embeddings.

The mathematics and the parameters' names are those of the public code of Foteinopoulou and Patras,
"EmoCLIP: A Vision-Language Method for Zero-Shot Video Facial Expression Recognition" (FG 2024),
so that its checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import nn
from torch.nn import functional

from emoclip_clinic.encoder.architecture import REFERENCE, Architecture
from emoclip_clinic.encoder.int8 import Int8Tower
from emoclip_clinic.encoder.preprocess import preprocess
from emoclip_clinic.encoder.temporal import TemporalLayers
from emoclip_clinic.errors import EncoderError

__all__ = ["PRECISIONS", "REFERENCE", "Architecture", "VideoEncoder"]

PRECISIONS = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.float32,
}
"""Of the arithmetic on frames and clips, with its type; fp32 is the definition. In int8 the image
tower's products are in 8 bits, and all else is fp32."""


class _ImageOnly(nn.Module):
    """CLIP less its text tower."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.visual = VisionTransformer(
            image_size=arch.image_size,
            patch_size=arch.patch_size,
            width=arch.vision_width,
            layers=arch.vision_layers,
            heads=arch.vision_heads,
            mlp_ratio=4.0,
            output_dim=arch.dim,
            act_layer=QuickGELU,
        )


def _clip(arch: Architecture) -> nn.Module:
    vision = {
        "image_size": arch.image_size,
        "patch_size": arch.patch_size,
        "width": arch.vision_width,
        "layers": arch.vision_layers,
        "head_width": arch.vision_width // arch.vision_heads,
    }
    text = {
        "context_length": arch.context_length,
        "vocab_size": arch.vocabulary,
        "width": arch.text_width,
        "layers": arch.text_layers,
        "heads": arch.text_heads,
    }
    # OpenAI's weights need QuickGELU: with the usual GELU embeddings are off and nothing says so
    clip: nn.Module = open_clip.CLIP(arch.dim, vision, text, quick_gelu=True)
    # made here, because it is in no checkpoint and the model may be built without memory
    mask = torch.full((arch.context_length,) * 2, float("-inf"), device="cpu").triu(1)
    clip.register_buffer("attn_mask", mask, persistent=False)
    return clip


class VideoEncoder(nn.Module):
    """Video, frames and texts to vectors of one space.

    Freshly made, its layers are random, ready for training; `load_encoder` gives trained ones.
    Gradients flow through every `encode_` method.

    Parameters
    ----------
    architecture
        Dimensions of the towers and of the temporal layers.

    Attributes
    ----------
    name
        Registry name, or the stem of the checkpoint's file.
    notice
        What must be said wherever its results are shown; mostly empty.
    fingerprint
        SHA-256 of the weights' content; empty unless they came from a checkpoint.
    metadata
        What the checkpoint's file says of itself: where the weights come from.
    precision
        Of the arithmetic on frames and clips, one of `PRECISIONS`; weights and embeddings are fp32
        always. In bf16 and fp16 an embedding's cosine to that of fp32 is 0.9995 or more. int8 is
        for a CPU and for encoding only: no gradient flows, and the weights are those of its first
        use.
    """

    def __init__(self, architecture: Architecture = REFERENCE) -> None:
        super().__init__()
        self.architecture = architecture
        self.name = ""
        self.notice = ""
        self.fingerprint = ""
        self.metadata: dict[str, str] = {}
        self.precision = "fp32"
        self.backbone = _clip(architecture) if architecture.has_text else _ImageOnly(architecture)
        if architecture.has_text:
            self.logit_scale = nn.Parameter(torch.tensor(float(np.log(1 / 0.07))))
        if architecture.temporal_layers:
            self.temporal = TemporalLayers(architecture)

    @property
    def dim(self) -> int:
        """Length of every embedding."""
        return self.architecture.dim

    @property
    def image_size(self) -> int:
        """Height and width of a preprocessed frame, px."""
        return self.architecture.image_size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def checkpoint_activations(self, on: bool = True) -> None:
        """Have the layers' activations computed again for the gradient, instead of kept."""
        self.backbone.visual.set_grad_checkpointing(on)  # type: ignore[union-attr, operator]
        if self.architecture.has_text:
            self.backbone.transformer.grad_checkpointing = on  # type: ignore[union-attr]
        if self.architecture.temporal_layers:
            self.temporal.temporal_transformer.checkpoint_activations = on

    def preprocess(self, frames: npt.NDArray[np.uint8] | torch.Tensor) -> torch.Tensor:
        """Prepare uint8 (time, height, width, 3) RGB: float32 (time, 3, size, size) on `device`."""
        if isinstance(frames, np.ndarray):
            # torch takes neither read-only arrays nor negative strides
            frames = torch.from_numpy(np.require(frames, requirements=["C", "W"]))
        return preprocess(frames.to(self.device), self.image_size)

    def encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Embed preprocessed frames: float32 (n, 3, size, size) to (n, dim), not normalised."""
        size = self.image_size
        if frames.ndim != 4 or frames.shape[1:] != (3, size, size):
            raise EncoderError(
                f"frames of shape {tuple(frames.shape)} were given; allowed: (n, 3, {size}, "
                f"{size}), as `preprocess` gives them"
            )
        with self._arithmetic():
            tower = self._int8 if self.precision == "int8" else self.backbone.visual
            result: torch.Tensor = tower(frames.to(self.device))  # type: ignore[operator]
        return self._exact(result)

    @cached_property
    def _int8(self) -> Int8Tower:
        return Int8Tower(self.backbone.visual)

    def encode_temporal(self, features: torch.Tensor) -> torch.Tensor:
        """Embed clips of frame embeddings: float32 (batch, time, dim) to (batch, dim).

        Raises
        ------
        EncoderError
            A clip is empty, of another dimension, or longer than the position table.
        """
        longest = self.architecture.positions - 1
        if features.ndim != 3 or features.shape[2] != self.dim or features.shape[1] == 0:
            raise EncoderError(
                f"clips of shape {tuple(features.shape)} were given; allowed: (batch, time, "
                f"{self.dim}) with a time of 1 or more"
            )
        features = features.to(self.device)
        if not self.architecture.temporal_layers:
            return features.mean(dim=1)
        if features.shape[1] > longest:
            raise EncoderError(
                f"a clip of {features.shape[1]} frames was given; allowed: {longest} or fewer. "
                "Encode a longer recording in windows."
            )
        with self._arithmetic():
            result: torch.Tensor = self.temporal(features)
        return self._exact(result)

    def _arithmetic(self) -> AbstractContextManager[object]:
        if PRECISIONS[self.precision] == torch.float32:
            # whoever trains may have chosen another
            return nullcontext()
        return torch.autocast(self.device.type, PRECISIONS[self.precision])

    def _exact(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors if PRECISIONS[self.precision] == torch.float32 else vectors.float()

    def encode_video(self, clips: torch.Tensor) -> torch.Tensor:
        """Embed preprocessed clips: float32 (batch, time, 3, size, size) to (batch, dim)."""
        if clips.ndim != 5:
            raise EncoderError(
                f"clips of shape {tuple(clips.shape)} were given; allowed: (batch, time, 3, "
                f"{self.image_size}, {self.image_size}), as `preprocess` gives each clip"
            )
        frames = self.encode_frames(clips.flatten(0, 1))
        return self.encode_temporal(frames.reshape(*clips.shape[:2], self.dim))

    def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
        """Embed texts: (n, dim), not normalised; what is beyond 77 tokens is truncated.

        Raises
        ------
        EncoderError
            The checkpoint has no text tower.
        """
        if not self.architecture.has_text:
            raise EncoderError(
                f"the weights of {self.name or 'this encoder'} have no text tower, so texts cannot "
                "be encoded; use a checkpoint of the whole model."
            )
        tokens = open_clip.tokenize(list(texts), self.architecture.context_length)
        result: torch.Tensor = self.backbone.encode_text(tokens.to(self.device))  # type: ignore[operator]
        return result

    def similarity(self, videos: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Scaled cosines: (n, dim) and (m, dim) to logits (n, m), exp(logit_scale) x cosine."""
        videos, texts = (functional.normalize(vectors, dim=-1) for vectors in (videos, texts))
        return self.logit_scale.exp() * videos @ texts.T
