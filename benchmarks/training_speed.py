"""An epoch of training with embedded frames beside one that embeds them anew; prints JSON.

CLIP is frozen, the weights are random (speed does not depend on them), and the clips lie in memory,
so that no decoder is measured. The first epoch with embedded frames pays for embedding them.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.clips import Clips, FeatureClips, FrameClips
from emoclip_clinic.training.recipe import Optimizer, Recipe
from emoclip_clinic.training.trainer import Material, Trainer
from emoclip_clinic.training.zeroshot import Frame

N_CLIPS = 32
N_FRAMES = 32
RECIPE = Recipe(epochs=1, batch_clips=16, chunk_clips=8, optimizer=Optimizer("adamw", 1e-4))


def clip(path: Path, start: float) -> list[Frame]:
    """Draw a clip of noise about a colour of its own."""
    rng = np.random.default_rng(int(path.name))
    noise = rng.integers(-40, 40, (N_FRAMES, 224, 224, 3))
    return list(np.clip(rng.integers(60, 200, 3) + noise, 0, 255).astype(np.uint8))


def epoch(model: VideoEncoder, clips: Clips, recipe: Recipe) -> tuple[float, list[float]]:
    """Give the seconds of an epoch, and its losses."""
    material = Material(
        clips,
        names=[str(number) for number in range(N_CLIPS)],
        labels=[""] * N_CLIPS,
        texts=[f"clip number {number}" for number in range(N_CLIPS)],
        options=[(number,) for number in range(N_CLIPS)],
        training=np.arange(N_CLIPS),
        validation=np.arange(0),
    )
    trainer = Trainer(model, material, recipe)
    start = time.perf_counter()
    losses = [step.row[2] for step in trainer.run()]
    return time.perf_counter() - start, losses


def model() -> VideoEncoder:
    """Make the full-size model, the same each time."""
    torch.manual_seed(0)
    return VideoEncoder()


def main() -> None:
    """Print the seconds of both epochs, their ratio, and how far their losses are apart."""
    paths = [Path(str(number)) for number in range(N_CLIPS)]
    encoder = model()
    plain_s, plain = epoch(encoder, FrameClips(paths, clip, encoder, RECIPE), RECIPE)
    encoder = model()
    start = time.perf_counter()
    with torch.no_grad():
        features = [
            encoder.encode_frames(encoder.preprocess(np.stack(clip(path, 0.5)))).numpy()
            for path in paths
        ]
    embedding_s = time.perf_counter() - start
    cached = FeatureClips(lambda number, _: features[number])
    cached_s, losses = epoch(encoder, cached, replace(RECIPE))
    apart = float(np.abs(np.array(losses) / np.array(plain) - 1).max())
    print(
        json.dumps(
            {
                "plain_epoch_s": plain_s,
                "embedding_once_s": embedding_s,
                "cached_epoch_s": cached_s,
                "ratio": plain_s / cached_s,
                "largest_relative_difference_of_losses": apart,
                "clips": N_CLIPS,
                "frames_per_clip": N_FRAMES,
            }
        )
    )


if __name__ == "__main__":
    main()
