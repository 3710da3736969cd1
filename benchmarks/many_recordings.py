"""What `encode` costs a short recording beyond decoding and encoding it; prints JSON.

The recordings differ, last two seconds and are face crops; the demonstration's encoder encodes
them. What is counted: hashing, examining, planning, and writing features and tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import av
import numpy as np

import emoclip_clinic as ec
from emoclip_clinic import pipeline
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.encode import encode_recording
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.segments import plan
from emoclip_clinic.video.faces import WholeFrame
from emoclip_clinic.video.probe import timestamps
from emoclip_clinic.video.reader import read_frames

N_FRAMES, FPS, SIZE = 50, 25, 128
PROTOCOL = read_protocol("emoclip")


def write(path: Path, number: int) -> None:
    """Write a film of blurred noise, another for each number."""
    rng = np.random.default_rng(number)
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for _ in range(N_FRAMES):
            small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            picture = np.kron(small, np.ones((SIZE // 8, SIZE // 8, 1), np.uint8))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def bare_s(paths: list[Path]) -> float:
    """Time decoding and encoding alone."""
    batched = BatchedEncoder(load_encoder("emoclip-demo", device="cpu"))
    start = time.perf_counter()
    for path in paths:
        times_s = timestamps(path)
        cut = plan(times_s, PROTOCOL)
        frames = read_frames(path, cut.frames, times_s=times_s)
        encode_recording(enumerate(frames), cut, batched, WholeFrame(), PROTOCOL, recording="a")
    return time.perf_counter() - start


def main() -> None:
    """Print the seconds of both, the difference a recording, and of a run with nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=1000)
    n = parser.parse_args().recordings
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder) / "interviews"
        paths = [recordings / f"P{number:05d}" / "a.mp4" for number in range(n)]
        for number, path in enumerate(paths):
            write(path, number)
        alone_s = bare_s(paths)
        study = ec.Study.create(Path(folder) / "study")
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            pipeline.encode(study, recordings, encoder="emoclip-demo", faces="none")
            seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "recordings": n,
                "encode_s": seconds[0],
                "decode_and_encode_alone_s": alone_s,
                "overhead_ms": 1000 * (seconds[0] - alone_s) / n,
                "nothing_to_do_s": seconds[1],
            }
        )
    )


if __name__ == "__main__":
    main()
