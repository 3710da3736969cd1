"""EmoCLIP's own architecture on this CPU in int8 beside fp32, speed and directions; prints JSON.

Both precisions take turns, and the fastest of each is compared: other work on the machine disturbs
it least. Speed does not depend on the weights. Directions are compared on the faces of the real
recordings in ../shared, where these are; the full-size weights are the reference's fill, or random.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import torch

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import REFERENCE, VideoEncoder
from tests.conftest import SHARED
from tests.real_faces import real_faces
from tests.reference import filled

BATCH = 32
TURNS = ("fp32", "int8")


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def speed(encoder: VideoEncoder, rounds: int) -> dict[str, float]:
    """Frames a second of the image tower, and of a window with the preparation of its pixels."""
    pixels = torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8)
    frames = encoder.preprocess(pixels)
    tower: dict[str, list[float]] = {name: [] for name in TURNS}
    window: dict[str, list[float]] = {name: [] for name in TURNS}
    for _ in range(rounds + 1):
        for encoder.precision in TURNS:
            tower[encoder.precision].append(seconds(lambda: encoder.encode_frames(frames)))
            window[encoder.precision].append(
                seconds(lambda: encoder.encode_video(encoder.preprocess(pixels)[None]))
            )
    result = {}
    for what, times in (("tower", tower), ("window", window)):
        # the first round makes the graph
        fp32, int8 = (min(times[name][1:]) for name in TURNS)
        result |= {
            f"{what}_fp32_frames_per_second": BATCH / fp32,
            f"{what}_int8_frames_per_second": BATCH / int8,
            f"{what}_ratio": fp32 / int8,
        }
    return result


def directions(encoder: VideoEncoder) -> dict[str, float]:
    """Find the least cosine between both precisions of real faces, and of their clip."""
    clip = encoder.preprocess(real_faces(SHARED, encoder.image_size))[None]
    found = []
    for encoder.precision in TURNS:
        frames = encoder.encode_frames(clip[0])
        found.append((frames, encoder.encode_temporal(frames[None])))
    cosine = torch.nn.functional.cosine_similarity
    frames, clips = (cosine(*both).min().item() for both in zip(*found, strict=True))
    return {"n_frames": clip.shape[1], "frames": frames, "clip": clips}


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    random = VideoEncoder().eval()
    result: dict[str, Any] = {"threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    with torch.inference_mode():
        result |= speed(random, rounds)
        if SHARED.is_dir():
            demo = load_encoder("emoclip-demo", device="cpu")
            fill = filled(SHARED, "b32", REFERENCE)
            result["least_cosine"] = {
                name: directions(one)
                for name, one in (("demo", demo), ("fill", fill), ("random", random))
            }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
