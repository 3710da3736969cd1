"""Peak memory of encoding 2, 20 and 120 minutes of 720p, of one and of two people; prints JSON.

Everything of `encode` is done: times, plan, the process that decodes, faces, crops, windows. Each
recording has a process of its own, and what is counted is the resident memory of that process and
of its decoder together (/proc; libraries that both have count twice): its highest value of all,
which loading the weights may set, and its highest value while the recording is encoded.

The towers of full size (random weights: memory does not depend on them) would take an hour for 120
minutes. So they see as many frames of each recording, sampled at a lower rate; every frame of the
file is decoded all the same. The demonstration's encoder samples at the protocol's own rate, up to
20 minutes, or to the end with --whole. Long recordings repeat the packets of a short one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from emoclip_clinic import weights
from emoclip_clinic.encoder.checkpoints import save_checkpoint
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.encoding_protocol import read_protocol
from emoclip_clinic.pipeline.choosing import plain_choices
from emoclip_clinic.pipeline.recording_encoder import Encoding, RecordingEncoder
from tests.two_people import drawn, side_by_side

MINUTES = (2, 20, 120)
FPS, SHORT_S = 25, 8
HEIGHT, WIDTH = 720, 1280
SAMPLED = 256
"""Frames that the towers of full size see of each recording, whatever its length."""
WHOLE_MINUTES = 20
"""Longer ones take too long at the protocol's rate."""
LOOK_S = 0.05
PROTOCOL = read_protocol("emoclip")


@dataclass(frozen=True)
class Job:
    """One recording to encode in a process of its own."""

    recording: str
    n_frames: int
    encoder: str
    """A registry name, or the path of a checkpoint."""
    rate_hz: float
    """Frames sampled a second."""
    faces: str


class Watch:
    """Looks at the memory of this process and its children until it is left."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            self.peak_bytes = max(self.peak_bytes, sum(map(resident_bytes, family())))


def family() -> list[int]:
    """List this process and its children."""
    me = os.getpid()
    tasks = Path(f"/proc/{me}/task").glob("*/children")
    return [me, *(int(child) for task in tasks for child in task.read_text().split())]


def resident_bytes(pid: int) -> int:
    own, process = Path("/proc/self/cmdline"), Path(f"/proc/{pid}")
    try:
        # a child that is about to start its program still has this process's memory
        if pid != os.getpid() and (process / "cmdline").read_bytes() == own.read_bytes():
            return 0
        pages = (process / "statm").read_text().split()[1]
    except OSError:
        # it has just ended
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE")


def short_film(path: Path, n_people: int) -> Path:
    """Write a few seconds of drawn people, H.264, 1280 x 720."""
    people = [drawn(seed, FPS * SHORT_S, WIDTH // 2, FPS) for seed in (1, 2)]
    if n_people == 1:
        people[1] = [np.full_like(frame, 128) for frame in people[0]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        # in the order in which they are shown, so that packets can follow one another
        stream.options = {"preset": "veryfast", "bf": "0"}
        rows = (HEIGHT - WIDTH // 2) // 2
        for frame in side_by_side(*people):
            pixels = np.pad(frame, ((rows, rows), (0, 0), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def repeated(path: Path, source: Path, n_frames: int) -> None:
    """Write the packets of a recording again and again, each time later."""
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        stored = [packet for packet in film.demux(video=0) if packet.size]
        stream = out.add_stream_from_template(film.streams.video[0])
        for number in range(n_frames):
            first = stored[number % len(stored)]
            packet = av.Packet(bytes(first))
            packet.stream, packet.time_base = stream, first.time_base
            packet.is_keyframe, packet.duration = first.is_keyframe, first.duration
            packet.pts = packet.dts = number * first.duration
            out.mux(packet)


def encode(job: Job) -> dict[str, Any]:
    """Encode a recording; give the peaks in bytes, and what was made."""
    path = Path(job.recording)
    protocol = replace(PROTOCOL, rate_hz=job.rate_hz)
    choices = plain_choices("left", job.faces, None)
    encoding = Encoding(job.encoder, job.faces, protocol, None, "a", "", choices)
    row = {
        "recording": "a", "path": path.name, "sha256": "", "n_frames_decoded": job.n_frames,
        "duration_s": job.n_frames / FPS,
    }  # fmt: skip
    with Watch() as all_of_it:
        worker = RecordingEncoder(path.parent, encoding, "cpu")
        _ = worker.model, worker.finder
        start_s = time.perf_counter()
        with Watch() as encoding_only:
            made = worker(row)
        seconds = time.perf_counter() - start_s
    used = made.segments["status"] == "used"
    return {
        "peak_bytes": all_of_it.peak_bytes,
        "encoding_bytes": encoding_only.peak_bytes,
        "rate_hz": round(job.rate_hz, 3),
        "windows_used": int(used.sum()),
        "seconds": round(seconds, 1),
    }


def measured(job: Job) -> dict[str, Any]:
    """Encode in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.memory_by_length", "--job", json.dumps(asdict(job))]
    answer = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def found_faces() -> str:
    """Name the face finder: YuNet where its weights are installed."""
    return "yunet" if weights.verify("yunet").state == "ok" else "haar"


def full_size(folder: Path) -> str:
    """Write random weights of full size; give their path."""
    path = folder / "full-size.safetensors"
    save_checkpoint(VideoEncoder(), path)
    return str(path)


def series(folder: Path, encoder: str, n_people: int, minutes: list[int], all_frames: bool) -> Any:
    """Encode a recording of each length; give the facts of each by its minutes."""
    short = short_film(folder / f"{n_people}.mp4", n_people)
    result = {}
    for length in minutes:
        path, n_frames = folder / "long.mp4", 60 * length * FPS
        repeated(path, short, n_frames)
        own_hz = PROTOCOL.rate_hz or FPS
        rate_hz = own_hz if all_frames else min(own_hz, SAMPLED / (60 * length))
        result[str(length)] = measured(Job(str(path), n_frames, encoder, rate_hz, found_faces()))
        path.unlink()
    peaks = [one["encoding_bytes"] for one in result.values()]
    return {"by_minutes": result, "longest_over_shortest": round(peaks[-1] / peaks[0], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", help="encode this one, as JSON, in this process")
    parser.add_argument("--minutes", type=int, nargs="+", default=MINUTES)
    parser.add_argument("--whole", action="store_true", help="at the protocol's rate to the end")
    given = parser.parse_args()
    if given.job:
        print(json.dumps(encode(Job(**json.loads(given.job)))))
        return
    some = [length for length in given.minutes if given.whole or length <= WHOLE_MINUTES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full = full_size(folder)
        result = {
            "memory": "resident, of the encoding process and of its decoder together",
            "faces": found_faces(),
            "full_size": {
                "frames": "sampled at a lower rate in longer recordings; every one is decoded",
                **series(folder, full, 1, given.minutes, all_frames=False),
            },
            "demo": {
                "frames": "sampled at the protocol's rate",
                **series(folder, "emoclip-demo", 1, some, all_frames=True),
            },
            "demo_two_people": {
                "frames": "sampled at the protocol's rate",
                **series(folder, "emoclip-demo", 2, some, all_frames=True),
            },
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
