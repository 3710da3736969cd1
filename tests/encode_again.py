"""`python -m tests.encode_again FOLDER N`: kill `encode` at N places and more, then encode again.

The folder holds studies to begin with. Each run is a fork of this process, which has encoded
already and so has everything imported. A line of JSON a place says how the run ended, how the one
after it did, and which files are not those of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

from emoclip_clinic.cli import app
from emoclip_clinic.video import isolated
from tests.killed import content, kill_before

SEED = 6


def encode(study: Path) -> int:
    """Type `encode --frames`; give the exit code."""
    words = ["encode", str(study / "interviews"), "--study", str(study), "--frames", "--quiet"]
    try:
        app(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def forked(study: Path, last: int = 0) -> int:
    """Encode in a fork, to be killed before the last-th change; give what its parent hears.

    Beside the study it writes how many changes there were.
    """
    pid = os.fork()
    if pid == 0:
        changes = kill_before(study, last)
        code = encode(study)
        study.with_suffix(".txt").write_text(str(len(changes)))
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def places(n_changes: int, n: int) -> list[int]:
    """Choose n places evenly, the first and the last among them, and half as many by chance."""
    if n_changes <= n:
        return list(range(1, n_changes + 1))
    evenly = {1 + round(place * (n_changes - 1) / (n - 1)) for place in range(n)}
    return sorted(evenly | set(random.Random(SEED).sample(range(1, n_changes + 1), n // 2)))


def main(folder: Path, n: int) -> None:
    """Try every study in a folder: once undisturbed, and then twice a place."""
    starts = sorted(folder.iterdir())
    encode(shutil.copytree(starts[0], folder / "first"))
    isolated.close_all()
    for start in starts:
        whole = shutil.copytree(start, folder / "whole")
        code = forked(whole)
        expected, n_changes = content(whole), int(whole.with_suffix(".txt").read_text())
        shutil.rmtree(whole)
        for last in places(n_changes, n):
            study = shutil.copytree(start, folder / "study")
            killed, again = forked(study, last), forked(study)
            said = {"start": start.name, "last": last, "of": n_changes, "code": code}
            found = {"killed": killed, "again": again, "other": others(content(study), expected)}
            print(json.dumps({**said, **found}), flush=True)
            shutil.rmtree(study)


def others(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Name the files that are not the expected ones, are missing, or are too many."""
    names = sorted(found.keys() | expected)
    return [name for name in names if found.get(name) != expected.get(name)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
