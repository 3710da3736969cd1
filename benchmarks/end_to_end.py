"""Encoding a recording end to end, over decoding alone and the encoder alone; prints JSON.

Frames a second are sampled ones. The towers of full size have random weights: speed does not depend
on them. End to end is measured twice: with whole frames, which is decoding and the encoder, and as
`encode` does it, where the face is looked for and its quality measured as well.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.decoding_speed import film
from benchmarks.memory_by_length import found_faces, repeated, short_film
from emoclip_clinic import weights
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.encode import encode_recording
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.segments import plan
from emoclip_clinic.video import isolated, reader
from emoclip_clinic.video.faces import FaceFinder, WholeFrame, load_face_finder
from emoclip_clinic.video.probe import timestamps

PROTOCOL = read_protocol("emoclip")
N_SHORT = 50
HELD = 32
"""Frames that are encoded over and over where nothing is decoded."""

Read = Callable[[], Iterable[Any]]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speeds(path: Path, encoder: VideoEncoder, repeats: int) -> dict[str, float]:
    """Count sampled frames a second: the best of several runs, since other work only slows."""
    times_s = timestamps(path)
    cut = plan(times_s, PROTOCOL)

    def elsewhere() -> Iterator[Any]:
        return isolated.read_frames(path, cut.frames, times_s=times_s)

    def here() -> Iterator[Any]:
        return reader.read_frames(path, cut.frames, times_s=times_s)

    batched = BatchedEncoder(encoder)
    held = list(reader.read_frames(path, cut.frames[:HELD]))

    name, whole = found_faces(), WholeFrame()
    finder = load_face_finder(name, weights.path(name) if name == "yunet" else None)

    def encode(read: Read, faces: FaceFinder = whole) -> None:
        made = encode_recording(enumerate(read()), cut, batched, faces, PROTOCOL, recording="a")
        assert len(made.vectors)

    works: dict[str, Callable[[], object]] = {
        "decoder_alone": lambda: [None for _ in elsewhere()],
        "encoder_alone": lambda: encode(lambda: (held[n % HELD] for n in range(len(cut.frames)))),
        "end_to_end": lambda: encode(elsewhere),
        "end_to_end_without_process": lambda: encode(here),
        "end_to_end_with_faces": lambda: encode(elsewhere, finder),
    }
    encode(elsewhere)
    # in turns: a machine that others use is not always as fast
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(repeats)]
    best = {name: len(cut.frames) / min(one[name] for one in rounds) for name in works}
    slower = min(best["decoder_alone"], best["encoder_alone"])
    rounded = {name: round(value, 1) for name, value in best.items()}
    shares = {
        "share_of_the_slower": round(best["end_to_end"] / slower, 3),
        "share_with_faces": round(best["end_to_end_with_faces"] / slower, 3),
    }
    return rounded | shares


def overhead_ms(folder: Path) -> float:
    """Give what the process costs a short recording, its start not counted."""
    path = folder / "short.mp4"
    film(path, 10, 96, 128)

    def read(video: Any) -> None:
        for _ in range(N_SHORT):
            times_s = video.timestamps(path)
            for _ in video.read_frames(path, np.arange(len(times_s)), times_s=times_s):
                pass

    class Here:
        timestamps = staticmethod(timestamps)
        read_frames = staticmethod(reader.read_frames)

    read(isolated)
    read(Here)
    return round(
        1000 * (seconds(lambda: read(isolated)) - seconds(lambda: read(Here))) / N_SHORT, 2
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=480, help="of 720p at 25 Hz")
    parser.add_argument("--repeats", type=int, default=4)
    given = parser.parse_args()
    encoders = {
        "emoclip-demo": load_encoder("emoclip-demo", device="cpu"),
        "emoclip": VideoEncoder(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "film.mp4"
        repeated(path, short_film(folder / "short_film.mp4", 1), given.frames)
        result = {
            "benchmark": "end_to_end",
            "source_frames": given.frames,
            "threads": torch.get_num_threads(),
            "faces": found_faces(),
            "overhead_a_recording_ms": overhead_ms(folder),
            "frames_per_second": {
                name: speeds(path, encoder.eval(), given.repeats)
                for name, encoder in encoders.items()
            },
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
