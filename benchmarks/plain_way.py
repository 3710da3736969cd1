"""`encode` beside the script that it replaces: seconds and peak memory of both; prints JSON.

The script is a straightforward one: it reads every sampled frame of a recording into memory (PyAV),
finds the largest face of each, crops it, prepares it by torchvision's transforms, and encodes clip
after clip. Both find faces with the same finder and have the same weights (random ones for the
towers of full size); loading them does not count as time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from benchmarks.memory_by_length import (
    FPS,
    PROTOCOL,
    Job,
    Watch,
    encode,
    found_faces,
    full_size,
    repeated,
    short_film,
)
from emoclip_clinic import weights
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.encoder.preprocess import MEAN, STD
from emoclip_clinic.video.faces import FaceFinder, largest, load_face_finder

MINUTES = (1, 2, 3)
FULL_SIZE_MINUTES = (1,)


def plain(job: Job) -> dict[str, Any]:
    """Encode as such scripts do; give the peak in bytes, and the seconds."""
    encoder = load_encoder(job.encoder, device="cpu")
    finder = load_face_finder(job.faces, weights.path("yunet") if job.faces == "yunet" else None)
    start_s = time.perf_counter()
    with Watch() as watch:
        n_windows = len(script(Path(job.recording), encoder, finder))
    seconds = round(time.perf_counter() - start_s, 1)
    return {"encoding_bytes": watch.peak_bytes, "seconds": seconds, "windows_used": n_windows}


def script(path: Path, encoder: VideoEncoder, finder: FaceFinder) -> list[torch.Tensor]:
    """Give the vector of each window of 32 sampled frames."""
    every, size = round(FPS / (PROTOCOL.rate_hz or FPS)), PROTOCOL.window_frames
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = [
            frame.to_ndarray(format="rgb24")
            for number, frame in enumerate(container.decode(video=0))
            if number % every == 0
        ]
    faces = [face for frame in frames if (face := crop(frame, finder)) is not None]
    prepare = transforms.Compose(
        [
            transforms.Resize(
                encoder.image_size, interpolation=transforms.InterpolationMode.BICUBIC
            ),
            transforms.CenterCrop(encoder.image_size),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    pixels = torch.stack([prepare(face) for face in faces])
    with torch.inference_mode():
        starts = range(0, len(pixels) - size + 1, size)
        return [encoder.encode_video(pixels[start : start + size][None]) for start in starts]


def crop(frame: np.ndarray[Any, np.dtype[np.uint8]], finder: FaceFinder) -> Image.Image | None:
    """Cut the largest face out, with the protocol's margin."""
    box = largest(finder.find(frame))
    if box is None:
        return None
    half = max(box.w, box.h) * (0.5 + PROTOCOL.face_margin)
    x, y = box.x + box.w / 2, box.y + box.h / 2
    return Image.fromarray(frame).crop((x - half, y - half, x + half, y + half))


WAYS = {"plain": plain, "encode": encode}


def measured(way: str, job: Job) -> dict[str, Any]:
    """Do it in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.plain_way", "--job", json.dumps(asdict(job))]
    answer = subprocess.run([*words, "--way", way], check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def both(folder: Path, encoder: str, minutes: tuple[int, ...]) -> dict[str, Any]:
    """Encode recordings of these lengths in both ways; give the facts by minutes and way."""
    short, faces = short_film(folder / "short.mp4", 1), found_faces()
    result = {}
    for length in minutes:
        path, n_frames = folder / "long.mp4", 60 * length * FPS
        repeated(path, short, n_frames)
        job = Job(str(path), n_frames, encoder, PROTOCOL.rate_hz or FPS, faces)
        result[str(length)] = {way: measured(way, job) for way in WAYS}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", help="encode this one, as JSON, in this process")
    parser.add_argument("--way", choices=list(WAYS))
    given = parser.parse_args()
    if given.job:
        print(json.dumps(WAYS[given.way](Job(**json.loads(given.job)))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = {
            "threads": torch.get_num_threads(),
            "faces": found_faces(),
            "demo": both(folder, "emoclip-demo", MINUTES),
            "full_size": both(folder, full_size(folder), FULL_SIZE_MINUTES),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
