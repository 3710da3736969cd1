"""EmoCLIP's temporal transformer: the frames' embeddings of a clip to one vector.

Apart from the towers, so that these layers can be tuned without them.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from emoclip_clinic.encoder.architecture import Architecture

__all__ = ["TemporalLayers"]


class _Attention(nn.Module):
    """Self-attention whose heads may together be wider than the model."""

    def __init__(self, dim: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * heads * head_width, bias=False)
        # a list of one: the reference kept a dropout beside it
        self.to_out = nn.Sequential(nn.Linear(heads * head_width, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        qkv = self.to_qkv(x).reshape(batch, length, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        # softmax(q k' head_width^-0.5) v: (batch, heads, length, head_width)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        result: torch.Tensor = self.to_out(mixed.transpose(1, 2).reshape(batch, length, -1))
        return result


class _FeedForward(nn.Module):
    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        # the names 0 and 3 are the reference's: a dropout stood at 2
        self.net = nn.Sequential(
            nn.Linear(dim, width), nn.GELU("tanh"), nn.Identity(), nn.Linear(width, dim)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.net(x)
        return result


class _PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fn(self.norm(x))
        return result


class _Residual(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.fn(x)
        return result


class _Layers(nn.Module):
    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                _Residual(_PreNorm(arch.dim, block))
                for block in (
                    _Attention(arch.dim, arch.temporal_heads, arch.temporal_head_width),
                    _FeedForward(arch.dim, arch.temporal_mlp_width),
                )
            )
            for _ in range(arch.temporal_layers)
        )
        self.checkpoint_activations = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            for block in cast("nn.ModuleList", layer):
                if self.checkpoint_activations and torch.is_grad_enabled():
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = block(x)
        return x


class TemporalLayers(nn.Module):
    """Frame embeddings (batch, time, dim) to a vector a clip: (batch, dim).

    A class token is put first, positions are added, the layers are pre-norm, no norm follows.

    Parameters
    ----------
    arch
        Its dim, positions and temporal dimensions are used.
    """

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, arch.dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, arch.positions, arch.dim))
        self.temporal_transformer = _Layers(arch)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Give the class token as the layers leave it."""
        x = torch.cat([self.cls_token.expand(len(frames), -1, -1), frames], dim=1)
        x = x + self.pos_embedding[:, : x.shape[1]]
        result: torch.Tensor = self.temporal_transformer(x)[:, 0]
        return result
