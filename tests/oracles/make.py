"""Draw designs, have R compute their agreement, and keep both: see README.md here."""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
N_DESIGNS = 200


def designs() -> list[list[list[int | None]]]:
    """Draw scores of subjects by raters; None where a rater missed a subject."""
    rng = np.random.default_rng(20261125)
    found = []
    while len(found) < N_DESIGNS:
        n, k = int(rng.integers(6, 31)), int(rng.integers(2, 6))
        n_categories = int(rng.choice([2, 3, 5, 7, 100]))
        noise = rng.choice([0.2, 0.7, 2.0])
        latent = rng.normal(size=(n, 1)) + noise * rng.normal(size=(n, k))
        bias = rng.choice([0.0, 0.8]) * rng.normal(size=k)
        edges = np.linspace(-2, 2, n_categories + 1)[1:-1]
        scores = 1 + np.digitize(latent + bias, edges)
        missing = rng.random((n, k)) < (0.12 if len(found) % 2 else 0.0)
        complete = scores[~missing.any(axis=1)]
        pair = scores[~missing[:, :2].any(axis=1), :2]
        if len(complete) < 4 or (np.ptp(complete, axis=0) == 0).any() or not np.ptp(pair):
            # R has an answer where each rater tells subjects apart
            continue
        rows = [
            [None if gone else int(value) for value, gone in zip(row, lost, strict=True)]
            for row, lost in zip(scores, missing, strict=True)
        ]
        found.append(rows)
    return found


def main() -> None:
    made = designs()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lines = [json.dumps({"scores": scores}) for scores in made]
        (place / "designs.jsonl").write_text("\n".join(lines) + "\n")
        script = ["Rscript", "--vanilla", str(HERE / "agreement.R")]
        subprocess.run(script, cwd=place, check=True)
        results = [json.loads(line) for line in (place / "results.jsonl").read_text().splitlines()]
        versions = json.loads((place / "versions.json").read_text())
    content = {
        "versions": versions,
        "designs": [{"scores": s, **r} for s, r in zip(made, results, strict=True)],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    # no time in the file: the same designs give the same bytes
    (HERE / "agreement.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
