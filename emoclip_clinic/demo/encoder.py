"""The small encoder of the demonstration: made by `python -m emoclip_clinic.demo.encoder`.

It has EmoCLIP's architecture and comes about in the same two steps: an image and a text tower learn
from captioned stills (as CLIP), then temporal layers over the frozen image tower learn from
captioned clips. Everything is drawn, so it is fit for the demonstration only.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
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
from emoclip_clinic.demo.people import random_camera, random_identity
from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.checkpoints import load_checkpoint, save_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.training.contrastive import TrainingSettings, train

__all__ = ["WEIGHTS", "check_encoder", "draw_clip", "evaluate", "train_encoder"]

WEIGHTS = Path(__file__).parents[1] / "encoder" / "emoclip-demo.safetensors"
NOTICE = "Fit for the demonstration only: this encoder was trained on drawn faces."

SEED = 16640
SIZE_PX = 128
EVERY_NTH = 4  # frames: 6.25 a second
CLIP_S = 32 * EVERY_NTH / FPS
N_CLIPS = 2048
N_PEOPLE = 8000  # of the stills
STILLS = 8  # of a person
N_THREADS = 2  # of torch: their number decides the order of sums, and so the last bits
HELD_OUT = range(1_000_000, 1_000_256)  # clips that no training sees
CHECKED = 2_000_000  # the clip whose embedding is kept beside the weights
TOLERANCE = 1e-4

ARCHITECTURE = Architecture(
    dim=64,
    image_size=64,
    patch_size=8,
    vision_width=64,
    vision_layers=2,
    vision_heads=2,
    text_width=32,
    text_layers=2,
    text_heads=2,
    context_length=40,
    temporal_layers=2,
    temporal_heads=2,
    temporal_head_width=48,
    temporal_mlp_width=64,
    positions=128,
)
STILLS_SETTINGS = TrainingSettings(epochs=1, batch_size=64, learning_rate=1e-3, seed=SEED)
CLIPS_SETTINGS = TrainingSettings(epochs=30, batch_size=64, learning_rate=1e-3, seed=SEED)

Progress = Callable[[str, int, int], None]
Captioned = tuple[torch.Tensor, str]
Result = TypeVar("Result")


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


def train_encoder(
    n_people: int = N_PEOPLE,
    n_clips: int = N_CLIPS,
    progress: Progress = lambda what, done, total: None,
) -> VideoEncoder:
    """Train the encoder from nothing, and round its weights to half precision.

    Parameters
    ----------
    n_people
        How many people to draw stills of.
    n_clips
        How many clips to draw.
    progress
        Called with what is done, how much, and of how much.
    """
    torch.manual_seed(SEED)
    clip = VideoEncoder(dataclasses.replace(ARCHITECTURE, temporal_layers=0))
    with torch.no_grad():
        # at CLIP's own small start, texts begin all but equal in a tower this narrow
        for name, weight in clip.backbone.named_parameters():
            if name in ("token_embedding.weight", "positional_embedding"):
                weight.mul_(10)

    def stills(person: int) -> list[Captioned]:
        rng = np.random.default_rng([SEED, 0, person])
        motion = random_stills(STILLS, rng)
        pixels = clip.preprocess(_draw(motion, rng)).half()
        texts = [caption(STILL_WORDS, still_levels(motion, frame)) for frame in range(STILLS)]
        return list(zip(pixels[:, None], texts, strict=True))

    portraits = _all("drawing stills", stills, range(n_people), progress)
    train(clip, list(itertools.chain.from_iterable(portraits)), STILLS_SETTINGS, progress)

    def embedded(index: int) -> Captioned:
        frames, motion = draw_clip(index)
        features = clip.encode_frames(clip.preprocess(frames))
        return features, caption(CLIP_WORDS, clip_levels(motion))

    clips = _all("drawing clips", embedded, range(n_clips), progress)
    model = VideoEncoder(ARCHITECTURE)
    model.backbone.load_state_dict(clip.backbone.state_dict())
    train(model, clips, CLIPS_SETTINGS, progress)
    model.name, model.notice = "emoclip-demo", NOTICE
    return model.half().float()


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


def _all(
    what: str, one: Callable[[int], Result], indices: Iterable[int], progress: Progress
) -> list[Result]:
    """Do something for every index in two threads: OpenCV and torch let Python go."""
    indices = list(indices)
    results = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for result in pool.map(one, indices):
            results.append(result)
            progress(what, len(results), len(indices))
    return results


def _main() -> None:
    torch.set_num_threads(N_THREADS)

    def show(what: str, done: int, total: int) -> None:
        if done % max(1, total // 20) == 0:
            print(f"{what}: {done} of {total}", file=sys.stderr)

    model = train_encoder(progress=show)
    pixels, embedding = _checked(model)
    metadata = {
        "script": "python -m emoclip_clinic.demo.encoder",
        "seed": str(SEED),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "open_clip_torch")},
        "opencv": version("opencv-python-headless"),
        "held_out": json.dumps(evaluate(model), sort_keys=True),
        "check_pixels_sha256": pixels,
        "check_embedding": json.dumps(embedding.tolist()),
    }
    # rounded before it was measured, so that nothing changes here
    save_checkpoint(model.half(), WEIGHTS, metadata)
    print(json.dumps(evaluate(load_checkpoint(WEIGHTS)), indent=2))


if __name__ == "__main__":
    _main()
