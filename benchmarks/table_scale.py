"""What the tables of a large study cost: bytes and seconds for each 100,000 recordings."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from emoclip_clinic import features, files
from emoclip_clinic.recordings import COLUMNS, read_recordings, write_recordings
from emoclip_clinic.segments import SEGMENT_COLUMNS

N_RECORDINGS = 100_000
N_WINDOWS, DIM = 235, 512
"""Of 20 minutes at 32 frames of 6.25 Hz; the length of EmoCLIP's vectors."""


def recordings() -> pd.DataFrame:
    names = [f"sub-{number:06d}_ses-01" for number in range(N_RECORDINGS)]
    table = pd.DataFrame({"recording": names, "participant": [name[4:10] for name in names]})
    table = table.assign(
        session="01", sha256=[f"{number:064x}" for number in range(N_RECORDINGS)], status="usable",
        path=[f"interviews/site-A/{name}/{name}_task-interview_video.mp4" for name in names],
        size_bytes=700_000_000, container="mov", codec="h264", width=1280, height=720,
        rotation_deg=0, duration_s=1200.04, n_frames_header=30_001, n_frames_decoded=30_001,
        fps_mean=25.0, variable_rate=False, has_audio=True, reason="",
    )  # fmt: skip
    return table[list(COLUMNS)]


def segments(recording: str) -> pd.DataFrame:
    rows = [
        (recording, k, 5.12 * k, 5.12 * (k + 1), 32, 1.0, False, "used", "")
        for k in range(N_WINDOWS)
    ]
    return pd.DataFrame(rows, columns=list(SEGMENT_COLUMNS))


def timed(work: object, *args: object) -> float:
    start = time.perf_counter()
    work(*args)  # type: ignore[operator]
    return round(time.perf_counter() - start, 3)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = recordings()
        write_s = timed(write_recordings, folder / "recordings.csv", table)
        read_s = timed(read_recordings, folder / "recordings.csv")
        recordings_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        vectors = np.random.default_rng(0).normal(size=(N_WINDOWS, DIM)).astype("f4")
        one = features.RecordingFeatures("sub-1", "emoclip", "f" * 64, segments("sub-1"), vectors)
        path = folder / "sub-1.safetensors"
        feature_ms = [1000 * timed(features.write, path, one) for _ in range(20)]
        read_ms = [1000 * timed(features.read, path) for _ in range(20)]
        files.write_csv(folder / "segments.csv", segments(table["recording"].iloc[0]))
        (folder / "zeros").write_bytes(bytes(256 << 20))
        hash_s = timed(files.sha256_file, folder / "zeros")
        outputs = {f"features/emoclip/{name}.safetensors": "0" * 64 for name in table["recording"]}
        provenance_s = timed(files.write_json, folder / "provenance.json", outputs)
        result = {
            "n_recordings": N_RECORDINGS,
            "windows_each": N_WINDOWS,
            "recordings_csv": {
                "megabytes": round((folder / "recordings.csv").stat().st_size / 1e6, 1),
                "write_s": write_s, "read_s": read_s, "peak_memory_mib": round(recordings_mb),
            },
            "segments_csv_bytes_a_row": (folder / "segments.csv").stat().st_size // N_WINDOWS,
            "features_file": {
                "kilobytes": round(path.stat().st_size / 1e3),
                "write_ms": round(float(np.median(feature_ms)), 2),
                "read_ms": round(float(np.median(read_ms)), 2),
            },
            "provenance_json": {
                "megabytes": round((folder / "provenance.json").stat().st_size / 1e6, 1),
                "write_s": provenance_s,
            },
            "sha256_megabytes_a_second": round((256 << 20) / 1e6 / hash_s),
        }  # fmt: skip
        print(json.dumps(result))


if __name__ == "__main__":
    main()
