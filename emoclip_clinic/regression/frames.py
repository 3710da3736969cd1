"""What a model sees that tunes the encoder: the frames of windows, and the layers as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAMES", "Frames", "Layers"]

FRAMES = "frames"
"""The pooling of models that see frames."""


@dataclass(frozen=True, eq=False)
class Layers:
    """The encoder's temporal layers, with which tuning begins."""

    architecture: str
    """Dimensions of the encoder, as `Architecture.to_json` writes them."""
    weights: Mapping[str, NDArray[np.float32]]
    """By the names that `TemporalLayers` gives them; empty where the encoder has no such layers."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of some windows, embedded, before the temporal layers."""

    embeddings: NDArray[np.float32]
    """Shape (n_windows, time, dim); NaN after the last frame of a window."""
    layers: Layers | None = None
    """What training begins with; prediction needs none."""

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, windows: NDArray[Any]) -> Frames:
        """Keep the windows at these positions, or under this mask."""
        return replace(self, embeddings=self.embeddings[windows])

    def rows(self) -> NDArray[Any]:
        """Give a row a window: its frames one after the other, shape (n_windows, time x dim)."""
        return self.embeddings.reshape(len(self), -1)
