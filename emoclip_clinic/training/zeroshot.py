"""Recognising what was never trained on: a clip is given the class whose words are nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError, SettingsError

__all__ = ["Sampling", "embed_clip", "prepare", "recognise"]

Frame = NDArray[np.uint8]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip are looked at: always the same ones."""

    n_frames: int = 32
    """Frames of a window."""
    every_nth: int = 4
    """Distance of two of them in the video."""
    n_windows: int = 1
    """1: a window at the centre; more: so many, evenly over the whole video."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise SettingsError(f"{name} = {value}; allowed: 1 or more.")

    def windows(self, length: int) -> NDArray[np.int64]:
        """Choose the frames of a video of `length` frames, shape (n_windows, n_frames).

        A video that is too short for a window gives every n-th of its frames and then their
        reflection (0 1 2 3 2 1 0 ...), as the reference does.
        """
        shares = [0.5] if self.n_windows == 1 else np.linspace(0, 1, self.n_windows)
        return np.unique([self.window(length, share) for share in shares], axis=0)

    def window(self, length: int, share: float) -> NDArray[np.int64]:
        """Choose the frames of one window that starts at a share, 0 to 1, of what is possible."""
        span = (self.n_frames - 1) * self.every_nth + 1
        if length < span:
            own = np.arange(0, length, self.every_nth)
            return np.pad(own, (0, self.n_frames - len(own)), mode="reflect")
        return int((length - span) * share) + self.every_nth * np.arange(self.n_frames)


def embed_clip(
    encoder: VideoEncoder, frames: Sequence[Frame], windows: NDArray[np.int64]
) -> tuple[Vector, Vector]:
    """Embed a clip twice: with the temporal layers, and as the average of its frames.

    Parameters
    ----------
    encoder
        Any encoder.
    frames
        uint8 (height, width, 3) RGB, each frame once; they may differ in size.
    windows
        Which of `frames` each window has, shape (n_windows, n_frames).

    Returns
    -------
    video, average
        float32 (dim,), of length 1: means over the windows' embeddings, each of length 1. Of an
        encoder without temporal layers both are the average.

    Raises
    ------
    EncoderError
        An embedding is not finite.
    """
    with torch.inference_mode():
        clips = encoder.encode_frames(prepare(encoder, frames))[torch.as_tensor(windows)]
        both = [_mean(encoder.encode_temporal(clips)), _mean(clips.mean(dim=1))]
    if not all(torch.isfinite(vector).all() for vector in both):
        raise EncoderError(
            f"{encoder.name} gave a value that is not a finite number. Check the weights with "
            "'emoclip-clinic weights list'."
        )
    video, average = (vector.cpu().numpy() for vector in both)
    return video, average


def prepare(encoder: VideoEncoder, frames: Sequence[Frame]) -> torch.Tensor:
    """Preprocess frames of any sizes: uint8 (height, width, 3) to float32 (n, 3, size, size)."""
    if len({frame.shape for frame in frames}) == 1:
        return encoder.preprocess(np.stack(frames))
    return torch.cat([encoder.preprocess(frame[np.newaxis]) for frame in frames])


def _mean(vectors: torch.Tensor) -> torch.Tensor:
    return functional.normalize(functional.normalize(vectors, dim=-1).mean(dim=0), dim=-1)


def recognise(clips: NDArray[np.float32], classes: torch.Tensor) -> NDArray[np.float64]:
    """Cosines of clips (n, dim) and classes (k, dim), all of length 1: shape (n, k).

    The class of a clip is that of the highest; of equal ones, the first.
    """
    cosines: NDArray[np.float64] = clips.astype(np.float64) @ classes.double().cpu().numpy().T
    return cosines
