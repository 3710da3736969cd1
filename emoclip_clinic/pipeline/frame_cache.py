"""Embeddings of the frames of a training's clips, made once: a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emoclip_clinic import files
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.embeddings import clip_state
from emoclip_clinic.study import digest
from emoclip_clinic.training.clips import ReadWindow, prepared_clip
from emoclip_clinic.training.draws import variant
from emoclip_clinic.training.ranks import Ranks
from emoclip_clinic.training.recipe import Recipe

__all__ = ["CachedFrames"]

SHARD = 64
"""Clips in a file: at most so many are made again after a stop."""

Named = tuple[int, Path]


class CachedFrames:
    """Frame embeddings on disk, float32 (n, n_variants, time, dim) a file of `SHARD` clips.

    Parameters
    ----------
    folder
        Where they are kept.
    clips
        The number of each clip, and its path.
    variants
        Numbers of the variants that are kept of each.
    """

    def __init__(self, folder: Path, clips: Sequence[Named], variants: Sequence[int]) -> None:
        self.folder = folder
        self.clips = list(clips)
        self.variants = list(variants)
        self._places = {number: place for place, (number, _) in enumerate(clips)}
        self._shards: list[NDArray[np.float32]] = []

    def make(
        self,
        encoder: VideoEncoder,
        recipe: Recipe,
        read: ReadWindow,
        progress: Progress,
        ranks: Ranks,
        origin: str,
    ) -> None:
        """Embed what is not there yet, each process its share, and open all of it.

        Parameters
        ----------
        encoder, recipe, read
            Who embeds, what is drawn, and how windows are read.
        progress
            Told of clips.
        ranks
            The processes.
        origin
            Names the encoder's weights and the way to read: files of another are made again.

        Raises
        ------
        RecordingError
            A clip can no longer be read.
        """
        starts = range(0, len(self.clips), SHARD)
        paths = [self.folder / self._name(start, recipe, origin) for start in starts]
        if ranks.first:
            for old in set(self.folder.glob("*.npy")) - set(paths):
                old.unlink()
        for turn, (start, path) in enumerate(zip(starts, paths, strict=True)):
            done = min(start + SHARD, len(self.clips))
            if turn % ranks.size == ranks.rank and not path.is_file():
                some = self.clips[start:done]
                made = np.stack([self._embed(clip, encoder, recipe, read) for clip in some])
                with files.atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.save(file, made, allow_pickle=False)
            progress("embedding frames", done, len(self.clips))
        ranks.wait()
        self._shards = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]

    def __call__(self, clip: int, variant_number: int) -> NDArray[np.float32]:
        """Give a clip's embeddings (time, dim)."""
        shard, row = divmod(self._places[clip], SHARD)
        found: NDArray[np.float32] = self._shards[shard][row, self.variants.index(variant_number)]
        return found

    def _name(self, start: int, recipe: Recipe, origin: str) -> str:
        """Name a file after all that decides its content."""
        some = [
            [number, path.name, clip_state(path)]
            for number, path in self.clips[start : start + SHARD]
        ]
        ways = [
            [str(variant(number, one, recipe.augment, recipe.seed)) for one in self.variants]
            for number, _ in self.clips[start : start + SHARD]
        ]
        key = digest([origin, str(recipe.clips), some, ways])
        return f"{start // SHARD:05d}-{key[:16]}.npy"

    def _embed(
        self, clip: Named, encoder: VideoEncoder, recipe: Recipe, read: ReadWindow
    ) -> NDArray[np.float32]:
        number, path = clip
        made = []
        for one in self.variants:
            chosen = variant(number, one, recipe.augment, recipe.seed)
            frames = prepared_clip(encoder, read(path, chosen.start), (number, one), recipe)
            with torch.inference_mode():
                made.append(encoder.encode_frames(frames).cpu().numpy())
        return np.stack(made)
