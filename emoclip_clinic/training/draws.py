"""What each epoch sees of each clip: decided by the seed, the epoch and the clip alone.

Nothing here remembers anything: a training that was stopped, or is spread over several processes,
draws the same as one that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as images

from emoclip_clinic.training.recipe import Augmentation, Recipe

__all__ = ["Variant", "batches", "held_out", "text_numbers", "variant", "variant_number"]

# what a draw is for: no two purposes share their numbers
ORDER, VARIANT, CHOICE, TEXT, VALIDATION = range(5)


@dataclass(frozen=True)
class Variant:
    """One way to see a clip."""

    start: float = 0.5
    """Where its window starts: 0 the first place it can, 1 the last."""
    angle_deg: float = 0.0
    """Counter-clockwise."""
    flipped: bool = False

    def apply(self, frames: torch.Tensor) -> torch.Tensor:
        """Turn and mirror preprocessed frames (time, 3, size, size), all alike.

        What is turned into view has CLIP's mean colour.
        """
        if self.angle_deg:
            frames = images.rotate(frames, self.angle_deg, InterpolationMode.BILINEAR)
        return images.hflip(frames) if self.flipped else frames


CENTRE = Variant()


def variant(clip: int, number: int, augment: Augmentation, seed: int) -> Variant:
    """Draw a clip's variant by its number; number -1 is the clip as it is, at its centre."""
    if augment.off or number < 0:
        return CENTRE
    rng = np.random.default_rng([seed, VARIANT, clip, number])
    start, turn, coin = rng.uniform(size=3)
    return Variant(
        float(start) if augment.random_start else 0.5,
        float(2 * turn - 1) * augment.rotation_deg,
        augment.flip and coin < 0.5,
    )


def variant_number(clip: int, epoch: int, augment: Augmentation, seed: int) -> int:
    """Say which of its variants a clip has in an epoch (from 1)."""
    if augment.off:
        return 0
    if not augment.variants:
        return epoch
    return int(np.random.default_rng([seed, CHOICE, clip, epoch]).integers(augment.variants))


def batches(labels: Sequence[str], epoch: int, recipe: Recipe) -> npt.NDArray[np.int64]:
    """Give the clips of each batch of an epoch, shape (n_batches, batch_clips), in a new order.

    With `oversample`, the clips of each class are repeated until it is as frequent as the largest:
    each as often as another, and what then lacks drawn without replacement. The incomplete batch at
    the end of the order is left out.
    """
    rng = np.random.default_rng([recipe.seed, ORDER, epoch])
    chosen = np.arange(len(labels))
    if recipe.oversample:
        members = pd.Series(chosen).groupby(np.asarray(labels, dtype=str)).indices.values()
        most = max(map(len, members))
        chosen = np.concatenate(
            [
                np.concatenate(
                    [*[own] * (most // len(own)), rng.permutation(own)[: most % len(own)]]
                )
                for own in members
            ]
        )
    n_batches = len(chosen) // recipe.batch_clips
    order = rng.permutation(chosen)[: n_batches * recipe.batch_clips]
    return order.reshape(n_batches, recipe.batch_clips)


def text_numbers(
    clips: npt.NDArray[np.int64], epoch: int, options: Sequence[Sequence[int]], seed: int
) -> list[int]:
    """Choose a text of each clip, where `options` has the numbers of those it may have."""
    chosen = []
    for clip in clips.tolist():
        own = options[clip]
        place = 0
        if len(own) > 1:
            place = int(np.random.default_rng([seed, TEXT, clip, epoch]).integers(len(own)))
        chosen.append(own[place])
    return chosen


def held_out(clips: pd.DataFrame, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Choose the clips to validate with: whole participants where they are known.

    Parameters
    ----------
    clips
        Columns path and participant (empty where it is not known).
    share
        Of the participants (clips without one count as one each), rounded up.
    """
    units = clips["participant"].where(clips["participant"] != "", "\0" + clips["path"])
    known = np.sort(units.unique())
    n = int(np.ceil(share * len(known)))
    chosen = np.random.default_rng([seed, VALIDATION]).permutation(known)[:n]
    return units.isin(chosen).to_numpy(dtype=bool)
