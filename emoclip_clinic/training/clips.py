"""The clips of a training: their frames, read when they are needed, or embedded once for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.draws import variant
from emoclip_clinic.training.recipe import Recipe
from emoclip_clinic.training.zeroshot import Frame, prepare

__all__ = ["Clip", "Clips", "FeatureClips", "FrameClips", "ReadWindow", "prepared_clip"]

ReadWindow = Callable[[Path, float], list[Frame]]
"""A clip's path and where its window starts (0 to 1) to its frames, uint8 (h, w, 3) RGB."""
Clip = tuple[int, int]
"""The number of a clip, and of its variant."""

KEPT_BYTES = 1 << 30
"""Of a batch's frames, so much is kept from the first pass over it to the second."""


class Clips(Protocol):
    """What a training reads of its clips."""

    def announce(self, batch: Sequence[Clip]) -> None:
        """Say which clips will be asked for, in their order."""

    def tensor(self, clips: Sequence[Clip]) -> torch.Tensor:
        """Give frames (n, time, 3, size, size), or their embeddings (n, time, dim)."""


class FeatureClips:
    """Clips whose frames were embedded.

    Parameters
    ----------
    features
        The number of a clip and of its variant to float32 (time, dim); may come from disk.
    """

    def __init__(self, features: Callable[[int, int], NDArray[np.float32]]) -> None:
        self.features = features

    def announce(self, batch: Sequence[Clip]) -> None:
        """Nothing has to be prepared."""

    def tensor(self, clips: Sequence[Clip]) -> torch.Tensor:
        """Give embeddings (n, time, dim)."""
        return torch.from_numpy(np.stack([self.features(*clip) for clip in clips]))


class FrameClips:
    """Clips that are read from their files, some ahead, by threads.

    Parameters
    ----------
    paths
        Of the clips, by number.
    read
        Reads a window.
    encoder
        Prepares the frames, on its device.
    recipe
        Its augmentation and seed decide the variants.
    threads
        That read: decoders let Python go.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: ReadWindow,
        encoder: VideoEncoder,
        recipe: Recipe,
        threads: int = 2,
    ) -> None:
        self.paths = paths
        self.read = read
        self.encoder = encoder
        self.recipe = recipe
        self._pool = ThreadPoolExecutor(threads)
        self._ahead = 2 * max(threads, recipe.chunk_clips)
        self._batch: list[Clip] = []
        self._reading: dict[Clip, Future[list[Frame]]] = {}
        self._kept: dict[Clip, list[Frame]] = {}
        self._kept_bytes = 0

    def announce(self, batch: Sequence[Clip]) -> None:
        """Forget the last batch and begin to read this one."""
        self._kept.clear()
        self._kept_bytes = 0
        self._batch = list(batch)
        self._read_ahead()

    def tensor(self, clips: Sequence[Clip]) -> torch.Tensor:
        """Give frames (n, time, 3, size, size).

        Raises
        ------
        RecordingError
            A file can no longer be read.
        """
        prepared = [prepared_clip(self.encoder, self._frames(c), c, self.recipe) for c in clips]
        return torch.stack(prepared)

    def _frames(self, clip: Clip) -> list[Frame]:
        if clip in self._kept:
            return self._kept[clip]
        future = self._reading.pop(clip, None)
        self._read_ahead()
        frames = future.result() if future else self._window(clip)
        n_bytes = sum(frame.nbytes for frame in frames)
        if self._kept_bytes + n_bytes <= KEPT_BYTES:
            self._kept[clip] = frames
            self._kept_bytes += n_bytes
        return frames

    def _window(self, clip: Clip) -> list[Frame]:
        number, drawn = clip
        chosen = variant(number, drawn, self.recipe.augment, self.recipe.seed)
        return self.read(self.paths[number], chosen.start)

    def _read_ahead(self) -> None:
        while self._batch and len(self._reading) < self._ahead:
            clip = self._batch.pop(0)
            self._reading[clip] = self._pool.submit(self._window, clip)


def prepared_clip(
    encoder: VideoEncoder, frames: Sequence[Frame], clip: Clip, recipe: Recipe
) -> torch.Tensor:
    """Preprocess a window's frames and turn and mirror them: (time, 3, size, size)."""
    return variant(*clip, recipe.augment, recipe.seed).apply(prepare(encoder, frames))
