"""Time the whole demonstration, then `run` with nothing to do and `--help`; prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time


def seconds(*words: str) -> float:
    """Time a command in a process of its own, as a user waits for it."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "emoclip_clinic", *words]
    subprocess.run(command, check=True, capture_output=True)
    return round(time.perf_counter() - start, 2)


def main() -> None:
    """Print the three times."""
    with tempfile.TemporaryDirectory() as folder:
        study = f"{folder}/demo"
        result = {
            "demo_seconds": seconds("demo", study),
            "run_up_to_date_seconds": seconds("run", "--study", study),
            "help_seconds": min(seconds("--help") for _ in range(5)),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
