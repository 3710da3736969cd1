"""Clips of one colour each, their names, and a tiny model's recipe: what a training learns fast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from emoclip_clinic.demo.frames import write_frames
from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.clips import FeatureClips, FrameClips
from emoclip_clinic.training.ranks import ALONE, Ranks
from emoclip_clinic.training.recipe import Optimizer, Recipe, Schedule, Tuning, Validation
from emoclip_clinic.training.trainer import Material, Trainer
from emoclip_clinic.training.zeroshot import Sampling

__all__ = ["COLOURS", "RECIPE", "TINY", "material", "model", "trainer", "write_clips"]

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200), "grey": (90,) * 3}
N_FRAMES = 3
TINY = Architecture(
    dim=16, image_size=16, patch_size=8, vision_width=16, vision_layers=1, vision_heads=1,
    text_width=16, text_layers=1, text_heads=1, context_length=8, temporal_layers=1,
    temporal_heads=1, temporal_head_width=8, temporal_mlp_width=16, positions=8,
)  # fmt: skip
RECIPE = Recipe(
    start="",
    architecture=TINY,
    embedding_scale=10,
    epochs=2,
    batch_clips=8,
    chunk_clips=8,
    same_text_is_pair=True,
    clips=Sampling(N_FRAMES, 1),
    tune=Tuning(text=1, image=1),
    optimizer=Optimizer("adamw", 3e-3, weight_decay=0.05),
    schedule=Schedule("cosine", warm_up=0.05),
    validation=Validation(share=0),
)

RECIPE_TOML = """
start = ""
embedding_scale = 10
epochs = {epochs}
batch_clips = 8
chunk_clips = 4
same_text_is_pair = true
{more}
[architecture]
{architecture}
[tune]
text = 1
image = 1
[clips]
n_frames = 3
every_nth = 1
[optimizer]
name = "adamw"
learning_rate = 3e-3
[schedule]
name = "cosine"
warm_up = 0.05
[augment]
rotation_deg = 6
flip = true
[validation]
share = 0.2
"""


def frames_of(index: int) -> np.ndarray:
    """Draw a noisy clip of one colour, uint8 (3, 20, 20, 3): its number decides all."""
    colour = list(COLOURS.values())[index % len(COLOURS)]
    noise = np.random.default_rng(index).normal(0, 20, (N_FRAMES, 20, 20, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def names_of(n: int) -> list[str]:
    return [list(COLOURS)[index % len(COLOURS)] for index in range(n)]


def model(seed: int = 0) -> VideoEncoder:
    torch.manual_seed(seed)
    return VideoEncoder(TINY)


def material(encoder: VideoEncoder, recipe: Recipe, n: int, *, held_out: int = 0) -> Material:
    """Clips in memory, the last of them held out; embedded where the image tower is frozen."""
    frames = [list(frames_of(index)) for index in range(n)]
    if recipe.caches_frames:
        with torch.no_grad():
            features = [encoder.encode_frames(encoder.preprocess(np.stack(one))) for one in frames]
        clips: FeatureClips | FrameClips = FeatureClips(lambda clip, _: features[clip].numpy())
    else:
        paths = [Path(str(index)) for index in range(n)]
        clips = FrameClips(paths, lambda path, _: frames[int(path.name)], encoder, recipe)
    return Material(
        clips=clips,
        names=[f"clip {index}" for index in range(n)],
        labels=names_of(n),
        texts=list(COLOURS),
        options=[(index % len(COLOURS),) for index in range(n)],
        training=np.arange(n - held_out),
        validation=np.arange(n - held_out, n),
    )


def trainer(
    recipe: Recipe = RECIPE, n: int = 32, *, held_out: int = 0, ranks: Ranks = ALONE
) -> Trainer:
    encoder = model()
    recipe = replace(recipe, architecture=TINY)
    return Trainer(encoder, material(encoder, recipe, n, held_out=held_out), recipe, ranks)


def write_clips(folder: Path, n: int = 40, *, epochs: int = 4, more: str = "") -> Path:
    """Write clips as folders of frames with manifest.csv and recipe.toml; give the manifest."""
    rows = []
    for index, name in enumerate(names_of(n)):
        write_frames(folder / f"clip{index:02d}", frames_of(index))
        split = "test" if index >= n - 8 else "train"
        rows.append((f"clip{index:02d}", f"a {name} clip", name, split, f"p{index}"))
    columns = ["video", "caption", "label", "split", "participant"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "manifest.csv", index=False)
    architecture = "\n".join(f"{key} = {value}" for key, value in vars(TINY).items())
    text = RECIPE_TOML.format(epochs=epochs, architecture=architecture, more=more)
    (folder / "recipe.toml").write_text(text)
    return folder / "manifest.csv"
