"""Frames a second that EmoCLIP's own architecture encodes on this CPU, in fp32; prints JSON.

The weights are random: speed does not depend on them. A recording of an hour at 6.25 Hz has 22 500
frames.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import torch

from emoclip_clinic.encoder.model import VideoEncoder

WINDOW_FRAMES = 32
BATCH = 32


def frames_per_second(windows: int) -> dict[str, float]:
    encoder = VideoEncoder().eval()
    pixels = torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8)
    seconds = {"preprocess": 0.0, "image tower": 0.0, "temporal layers": 0.0}
    with torch.inference_mode():
        encoder.encode_video(encoder.preprocess(pixels)[None])
        for _ in range(windows):
            start = time.perf_counter()
            prepared = encoder.preprocess(pixels)
            ready = time.perf_counter()
            frames = encoder.encode_frames(prepared)
            embedded = time.perf_counter()
            encoder.encode_temporal(frames[None])
            seconds["preprocess"] += ready - start
            seconds["image tower"] += embedded - ready
            seconds["temporal layers"] += time.perf_counter() - embedded
    total = sum(seconds.values())
    return {
        "frames_per_second": windows * WINDOW_FRAMES / total,
        **{f"share_{name.replace(' ', '_')}": spent / total for name, spent in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=8)
    arguments = parser.parse_args()
    result = {
        "benchmark": "encoder_speed",
        "claim": "EmoCLIP (ViT-B/32 and temporal layers, fp32) on a CPU, without decoding or faces",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        **frames_per_second(arguments.windows),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
