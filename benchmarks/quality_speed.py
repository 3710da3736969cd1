"""Time measuring the quality of a frame, beside finding the face in it; prints JSON.

The pose, and finding the face, take YuNet's weights: without them only the rest is timed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import cv2
import numpy as np

from emoclip_clinic import weights
from emoclip_clinic.encoder.looks import POSE_EVERY, Looks
from emoclip_clinic.video.faces import Box, WholeFrame, YuNet
from emoclip_clinic.video.pose import pose

HEIGHT, WIDTH = 720, 1280
FACE = Box(490, 160, 300, 400, 1)
N_FRAMES = 400


def milliseconds(work: Callable[[int], object]) -> float:
    """Median CPU time of a call on one thread, after some to warm up."""
    for number in range(20):
        work(number)
    times = []
    for number in range(20, N_FRAMES):
        start = time.process_time()
        work(number)
        times.append(time.process_time() - start)
    return round(1000 * float(np.median(times)), 2)


def main() -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (8, HEIGHT, WIDTH, 3), dtype=np.uint8)
    looks, whole = Looks(N_FRAMES), WholeFrame()
    looks_ms = milliseconds(lambda number: looks.note(number, frames[number % 8], FACE, whole))
    result = {"height": HEIGHT, "threads": 1, "looks_ms": looks_ms}
    yunet = weights.verify("yunet")
    if yunet.state == "ok":
        finder = YuNet(yunet.path)
        result["find_ms"] = milliseconds(lambda number: finder.find(frames[number % 8]))
        once = milliseconds(lambda number: pose(finder, frames[number % 8], FACE))
        result["pose_ms"] = round(once / POSE_EVERY, 2)
        result["all_ms"] = round(looks_ms + once / POSE_EVERY, 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
