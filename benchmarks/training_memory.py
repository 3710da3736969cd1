"""Peak memory of a step on 128 clips, a chunk at a time, and of a step on one chunk; prints JSON.

All of CLIP is tuned, full size, so that the activations are the largest part. Each step runs in a
process of its own: a process never gives its peak back. Clips have 4 frames, for the sake of time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.clips import FrameClips
from emoclip_clinic.training.recipe import Recipe, Tuning
from emoclip_clinic.training.trainer import Material, Trainer
from emoclip_clinic.training.zeroshot import Frame, Sampling

CHUNK, BATCH, N_FRAMES = 8, 128, 4


def peak_bytes() -> int:
    """Give this process' highest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def clip(path: Path, start: float) -> list[Frame]:
    """Draw a clip of noise."""
    rng = np.random.default_rng(int(path.name))
    return list(rng.integers(0, 256, (N_FRAMES, 224, 224, 3), dtype=np.uint8))


def step(n: int) -> dict[str, int]:
    """Take a step on `n` clips; give the peak before it and after."""
    recipe = Recipe(
        epochs=1, batch_clips=n, chunk_clips=CHUNK, tune=Tuning(1e-3, 1e-3),
        clips=Sampling(N_FRAMES, 1),
    )  # fmt: skip
    torch.manual_seed(0)
    encoder = VideoEncoder()
    paths = [Path(str(number)) for number in range(n)]
    material = Material(
        FrameClips(paths, clip, encoder, recipe),
        names=[path.name for path in paths],
        labels=[""] * n,
        texts=[f"clip number {path.name}" for path in paths],
        options=[(number,) for number in range(n)],
        training=np.arange(n),
        validation=np.arange(0),
    )
    trainer = Trainer(encoder, material, recipe)
    before = peak_bytes()
    for _ in trainer.run():
        pass
    return {"before": before, "peak": peak_bytes()}


def measured(n: int) -> dict[str, int]:
    """Take a step in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.training_memory", str(n)]
    answer = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def main() -> None:
    """Print both peaks and their ratio."""
    if len(sys.argv) > 1:
        print(json.dumps(step(int(sys.argv[1]))))
        return
    chunk, batch = measured(CHUNK), measured(BATCH)
    print(
        json.dumps(
            {
                "chunk_clips": CHUNK,
                "batch_clips": BATCH,
                "frames_per_clip": N_FRAMES,
                "chunk_peak_gb": chunk["peak"] / 1e9,
                "batch_peak_gb": batch["peak"] / 1e9,
                "ratio": batch["peak"] / chunk["peak"],
                "ratio_beyond_the_model": (batch["peak"] - batch["before"])
                / (chunk["peak"] - chunk["before"]),
            }
        )
    )


if __name__ == "__main__":
    main()
