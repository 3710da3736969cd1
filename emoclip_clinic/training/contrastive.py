"""Contrastive training at small scale: videos find their captions, captions their videos."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch.nn import functional

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError, SettingsError, TooFewError

__all__ = ["Clips", "TrainingSettings", "contrastive_loss", "train"]

Clips = Sequence[tuple[torch.Tensor, str]]
"""Preprocessed frames (time, 3, size, size) and what they show; or, to leave the image tower as it
is, the frames' embeddings (time, dim). Every clip has as many frames."""

Progress = Callable[[str, int, int], None]

# CLIP's: a larger scale only sharpens what is already decided
LOGIT_SCALE_MAX = math.log(100)
WARM_UP = 0.05  # share of the steps


@dataclass(frozen=True)
class TrainingSettings:
    """How to train; the defaults suit a small model that starts from nothing."""

    epochs: int = 10
    """Times that every clip is seen."""
    batch_size: int = 32
    """Clips a step; each is told apart from all the others."""
    learning_rate: float = 1e-3
    """Of AdamW, at its highest: it rises in the first 5 % of the steps, then falls as a cosine."""
    weight_decay: float = 0.05
    seed: int = 0
    """Of the order of the clips."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.learning_rate <= 0:
            raise SettingsError(
                f"epochs = {self.epochs}, batch_size = {self.batch_size}, learning_rate = "
                f"{self.learning_rate}; allowed: 1 or more, 2 or more, above 0."
            )


def contrastive_loss(logits: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy of a batch.

    The mean of -log softmax at the pairs, over the rows (which caption is this video's?) and over
    the columns (which video is this caption's?), halved: Radford et al., "Learning Transferable
    Visual Models From Natural Language Supervision" (ICML 2021), figure 3.

    Parameters
    ----------
    logits
        Scaled similarities (videos, texts), the pairs on the diagonal.

    Returns
    -------
    torch.Tensor
        A number: log(n) where nothing is known, 0 where every pair is certain.
    """
    pairs = torch.arange(len(logits), device=logits.device)
    by_video = functional.cross_entropy(logits, pairs)
    by_text = functional.cross_entropy(logits.T, pairs)
    return (by_video + by_text) / 2


def train(
    model: VideoEncoder,
    clips: Clips,
    settings: TrainingSettings = TrainingSettings(),  # frozen
    progress: Progress = lambda what, done, total: None,
) -> pd.DataFrame:
    """Train every weight of a model, in place; on a CPU, equal input gives equal weights.

    Parameters
    ----------
    model
        An encoder with a text tower; it is left in evaluation mode.
    clips
        A list, or anything that has a length and gives a clip and its caption by number.
    settings
        How to train.
    progress
        Called with "training", how many steps are done, and of how many.

    Returns
    -------
    pandas.DataFrame
        One row a step: epoch, step (both from 1), loss.

    Raises
    ------
    TooFewError
        Fewer clips than a batch.
    EncoderError
        The loss is no longer a number, or the model has no text tower.
    """
    if len(clips) < settings.batch_size:
        raise TooFewError(
            f"{len(clips)} clips were given for batches of {settings.batch_size}; give more clips "
            "or a smaller batch_size."
        )
    steps = settings.epochs * (len(clips) // settings.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    model.train().requires_grad_(True)
    rows = []
    for step, (epoch, batch) in enumerate(_batches(len(clips), settings), start=1):
        loss = _loss(model, [clips[index] for index in batch])
        if not torch.isfinite(loss):
            raise EncoderError(
                f"the loss is {loss.item()} at step {step} of {steps}: training cannot go on. "
                f"Use a learning rate below {settings.learning_rate:g}, and check the frames."
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without types
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=LOGIT_SCALE_MAX)
        rows.append((epoch, step, loss.item()))
        progress("training", step, steps)
    model.eval().requires_grad_(False)
    return pd.DataFrame(rows, columns=["epoch", "step", "loss"])


def _loss(model: VideoEncoder, batch: Clips) -> torch.Tensor:
    videos, texts = zip(*batch, strict=True)
    frames = torch.stack(videos).to(model.device, torch.float32)
    encode = model.encode_video if frames.ndim == 5 else model.encode_temporal
    return contrastive_loss(model.similarity(encode(frames), model.encode_text(texts)))


def _batches(n_clips: int, settings: TrainingSettings) -> Iterator[tuple[int, list[int]]]:
    """Epoch and clips of each step: every epoch in a new order, its incomplete end left out."""
    generator = torch.Generator().manual_seed(settings.seed)
    size = settings.batch_size
    for epoch in range(1, settings.epochs + 1):
        order = torch.randperm(n_clips, generator=generator).tolist()
        for start in range(0, n_clips - size + 1, size):
            yield epoch, order[start : start + size]


def _rate(step: int, steps: int) -> float:
    """Learning rate relative to its highest."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
