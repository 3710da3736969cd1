"""Recognise drawn expressions of people whom the demonstration's encoder never saw; prints JSON."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from emoclip_clinic import pipeline
from emoclip_clinic.demo.expressions import write_expressions
from emoclip_clinic.training.zeroshot import Sampling

N = 16  # clips of each expression


def main() -> None:
    """Print the UAR of each method with its interval, and that of guessing."""
    with tempfile.TemporaryDirectory() as folder:
        result = pipeline.zeroshot(
            str(write_expressions(Path(folder) / "faces", N)),
            encoder="emoclip-demo",
            prompts="demo",
            sampling=Sampling(every_nth=1),
            output=Path(folder) / "results",
        )
    uar = [row for row in result.summary["scores"] if row["statistic"] == "UAR"]
    keys = ("method", "prompts", "value", "ci_low", "ci_high", "chance", "n_clips")
    print(json.dumps({"uar": [{key: row[key] for key in keys} for row in uar]}))


if __name__ == "__main__":
    main()
