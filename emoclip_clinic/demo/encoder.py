"""The small encoder of the demonstration: what it learns from, and what it tells apart.

It has EmoCLIP's architecture and comes about in the same two steps: an image and a text tower learn
from captioned stills (as CLIP), then temporal layers over the frozen image tower learn from
captioned clips. Everything is drawn, so it is fit for the demonstration only.
`python -m emoclip_clinic.pipeline.demo_encoder` makes it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from emoclip_clinic.demo.animation import FPS, Motion, animate, random_behaviour, random_stills
from emoclip_clinic.demo.captions import (
    CLIP_WORDS,
    STILL_WORDS,
    caption,
    clip_levels,
    still_levels,
)
from emoclip_clinic.demo.faces import film
from emoclip_clinic.demo.frames import write_frames
from emoclip_clinic.demo.people import random_camera, random_identity
from emoclip_clinic.encoder.checkpoints import load_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.files import sha256_bytes, write_csv

__all__ = [
    "NOTICE", "N_CLIPS", "N_PEOPLE", "WEIGHTS", "check_encoder", "draw_clip", "evaluate",
    "held_out_metadata", "write_clips", "write_stills",
]  # fmt: skip

WEIGHTS = Path(__file__).parents[1] / "encoder" / "emoclip-demo.safetensors"
NOTICE = "Fit for the demonstration only: this encoder was trained on drawn faces."

SEED = 16640
SIZE_PX = 128
EVERY_NTH = 4  # frames: 6.25 a second
CLIP_S = 32 * EVERY_NTH / FPS
N_CLIPS = 2048
N_PEOPLE = 8000  # of the stills
STILLS = 8  # of a person
HELD_OUT = range(1_000_000, 1_000_256)  # clips that no training sees
CHECKED = 2_000_000  # the clip whose embedding is kept beside the weights
TOLERANCE = 1e-4

Progress = Callable[[str, int, int], None]
Captioned = tuple[str, NDArray[np.uint8], str]
"""Name, frames (time, height, width, 3) and caption."""


def untold(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def draw_clip(index: int) -> tuple[NDArray[np.uint8], Motion]:
    """Draw a clip: its number decides the person, the camera and the behaviour.

    Returns
    -------
    frames
        uint8 (32, 128, 128, 3), 6.25 a second.
    motion
        What was drawn.
    """
    rng = np.random.default_rng([SEED, 1, index])
    motion = animate(random_behaviour(rng), CLIP_S, rng)[::EVERY_NTH]
    return _draw(motion, rng), motion


def write_stills(folder: Path, n_people: int, progress: Progress = untold) -> Path:
    """Write captioned stills, `STILLS` a person, as folders of one frame; give their manifest."""

    def stills(person: int) -> list[Captioned]:
        rng = np.random.default_rng([SEED, 0, person])
        motion = random_stills(STILLS, rng)
        return [
            (f"{person:05d}-{frame}", pixels[np.newaxis], caption(STILL_WORDS, shown))
            for frame, pixels in enumerate(_draw(motion, rng))
            for shown in [still_levels(motion, frame)]
        ]

    return _write("drawing stills", stills, range(n_people), folder, progress)


def write_clips(folder: Path, n_clips: int, progress: Progress = untold) -> Path:
    """Write captioned clips as folders of frames; give their manifest."""

    def clip(index: int) -> list[Captioned]:
        frames, motion = draw_clip(index)
        return [(f"{index:05d}", frames, caption(CLIP_WORDS, clip_levels(motion)))]

    return _write("drawing clips", clip, range(n_clips), folder, progress)


def _write(
    what: str,
    draw: Callable[[int], list[Captioned]],
    indices: Sequence[int],
    folder: Path,
    progress: Progress,
) -> Path:
    """Draw and write in two threads: OpenCV lets Python go."""

    def written(index: int) -> list[tuple[str, str]]:
        drawn = draw(index)
        for name, frames, _ in drawn:
            write_frames(folder / name, frames)
        return [(name, text) for name, _, text in drawn]

    rows = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, some in enumerate(pool.map(written, indices), start=1):
            rows += some
            progress(what, done, len(indices))
    table = pd.DataFrame(rows, columns=["video", "caption"]).assign(split="train")
    write_csv(folder / "manifest.csv", table)
    return folder / "manifest.csv"


def held_out_metadata(model: VideoEncoder) -> dict[str, str]:
    """Give what is kept beside the weights: what they tell apart, and an embedding to check."""
    pixels, embedding = _checked(model)
    return {
        "seed": str(SEED),
        "held_out": json.dumps(evaluate(model), sort_keys=True),
        "check_pixels_sha256": pixels,
        "check_embedding": json.dumps(embedding.tolist()),
    }


def evaluate(model: VideoEncoder, indices: Sequence[int] = HELD_OUT) -> dict[str, float]:
    """Measure what the encoder tells apart in clips of people whom it never saw.

    Zero-shot: a clip is given the level whose text is nearest, where a level's text is the mean
    over every caption that names it; the value is the mean recall over the levels (UAR). Retrieval:
    the share of clips whose own caption is among the nearest tenth of the captions.

    Returns
    -------
    dict
        A value for each attribute, then "retrieval"; and for each its "... by chance".
    """
    drawn = [draw_clip(index) for index in indices]
    truths = [clip_levels(motion) for _, motion in drawn]
    with torch.no_grad():
        videos = torch.cat([model.encode_video(model.preprocess(f)[None]) for f, _ in drawn])
        every = [
            dict(zip(CLIP_WORDS, levels, strict=True))
            for levels in itertools.product(*(range(len(words)) for words in CLIP_WORDS.values()))
        ]
        texts = model.encode_text([caption(CLIP_WORDS, levels) for levels in every])
        texts = torch.nn.functional.normalize(texts, dim=-1)
        result = {}
        for attribute, words in CLIP_WORDS.items():
            of_level = torch.tensor([levels[attribute] for levels in every])
            means = torch.stack([texts[of_level == k].mean(dim=0) for k in range(len(words))])
            guess = model.similarity(videos, means).argmax(dim=1).numpy()
            truth = np.array([levels[attribute] for levels in truths])
            recalls = [float((guess[truth == k] == k).mean()) for k in np.unique(truth)]
            result[attribute] = float(np.mean(recalls))
            result[f"{attribute} by chance"] = 1 / len(recalls)
        scores = model.similarity(videos, texts).numpy()
    own = [every.index(dict(levels)) for levels in truths]
    better = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    result["retrieval"] = float((better < len(every) / 10).mean())
    result["retrieval by chance"] = 0.1
    return result


def check_encoder(path: Path = WEIGHTS) -> dict[str, float | bool]:
    """Recompute the embedding that is kept beside the weights.

    Returns
    -------
    dict
        "max_relative_difference" (largest difference over the largest value), "same_pixels"
        (whether the clip was drawn alike: another OpenCV may round otherwise), and "ok" (the
        difference is at most 1e-4).

    Raises
    ------
    EncoderError
        The weights are missing or damaged.
    """
    model = load_checkpoint(path)
    pixels, embedding = _checked(model)
    stored = np.array(json.loads(model.metadata["check_embedding"]))
    difference = float(np.abs(embedding - stored).max() / np.abs(stored).max())
    return {
        "max_relative_difference": difference,
        "same_pixels": pixels == model.metadata["check_pixels_sha256"],
        "ok": difference <= TOLERANCE,
    }


def _checked(model: VideoEncoder) -> tuple[str, NDArray[np.float32]]:
    frames, _ = draw_clip(CHECKED)
    with torch.no_grad():
        embedding = model.encode_video(model.preprocess(frames)[None])[0].numpy()
    return sha256_bytes(frames.tobytes()), embedding


def _draw(motion: Motion, rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.stack(list(film(random_identity(rng), random_camera(rng), motion, SIZE_PX, rng)))
