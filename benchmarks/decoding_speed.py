"""Time reading a recording: its times, its probe, every 4th frame by either reader; prints JSON."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.probe import probe, timestamps
from emoclip_clinic.video.reader import read_frames

STEP = 4


def film(path: Path, n_frames: int, height: int, width: int) -> None:
    """Write H.264 at 25 frames a second: a smooth texture that moves under a little noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 128 + 50 * np.sin(rows / 17) + 50 * np.sin(columns / 23)
    noise = rng.normal(scale=4, size=(8, height, width))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"preset": "veryfast"}
        for number in range(n_frames):
            grey = np.roll(waves, 2 * number, axis=1) + noise[number % len(noise)]
            pixels = np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def frames_per_second(work: Callable[[], object], n_frames: int) -> float:
    start = time.perf_counter()
    work()
    return round(n_frames / (time.perf_counter() - start))


def largest_difference(path: Path, n_frames: int) -> int:
    pairs = zip(
        read_frames(path, range(0, n_frames, STEP), backend="pyav"),
        read_frames(path, range(0, n_frames, STEP), backend="decord"),
        strict=True,
    )
    return max(int(np.abs(one.astype(np.int16) - other).max()) for one, other in pairs)


def measure(path: Path) -> dict[str, float | str]:
    times_s = timestamps(path)
    n_frames = len(times_s)
    result: dict[str, float | str] = {
        "listed_times": frames_per_second(lambda: timestamps(path, n_frames), n_frames),
        "probe": frames_per_second(lambda: probe(path), n_frames),
    }
    for backend in ("pyav", "decord"):

        def read(backend: str = backend) -> None:
            wanted = range(0, n_frames, STEP)
            for _ in read_frames(path, wanted, backend=backend, times_s=times_s):
                pass

        try:
            result[backend] = frames_per_second(read, n_frames)
        except RecordingError as error:
            result[backend] = str(error)
    if isinstance(result["decord"], float | int):
        result["largest_difference"] = largest_difference(path, n_frames)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, help="instead of a synthetic one")
    parser.add_argument("--frames", type=int, default=180)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--width", type=int, default=1280)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.recording
        if path is None:
            path = Path(folder) / "film.mp4"
            film(path, given.frames, given.height, given.width)
        facts = probe(path)
        about = {"codec": facts.codec, "width": facts.width, "height": facts.height}
        speeds = measure(path)
    print(json.dumps({**about, "frames": facts.n_frames_decoded, "frames_per_second": speeds}))


if __name__ == "__main__":
    main()
