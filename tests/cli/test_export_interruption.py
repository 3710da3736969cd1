"""Killed at any place, `export` leaves no half bundle; run again, it makes the whole one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emoclip_clinic.files import sha256_file
from emoclip_clinic.pseudonyms import read_or_make_key
from tests.command_line import Type

KILL_BEFORE_A_CHANGE = """
import json, os, sys
from pathlib import Path
from tests.killed import kill_before
changes = kill_before(Path(os.environ["PLACE"]), int(os.environ["LAST"]))
try:
    RUN
finally:
    print(json.dumps(changes))
"""
EXPORT = "from emoclip_clinic.cli import main; main()"
MAKE_KEY = "from pathlib import Path; from emoclip_clinic import pseudonyms as p; "
MAKE_KEY += "p.read_or_make_key(Path(sys.argv[1]))"


def run(program: str, words: list[str], place: Path, last: int) -> subprocess.CompletedProcess[str]:
    """Run a process, to be killed before the last-th change in a folder; 0: not at all."""
    command = [sys.executable, "-c", KILL_BEFORE_A_CHANGE.replace("RUN", program), *words]
    own = {**os.environ, "PLACE": str(place.absolute()), "LAST": str(last)}
    return subprocess.run(command, capture_output=True, text=True, env=own, check=False)


def export(output: Path, last: int = 0) -> subprocess.CompletedProcess[str]:
    """Type `export --force`, to be killed before the last-th change beside its output."""
    words = ["export", str(output), "--study", "study", "--key", "key", "--force"]
    return run(EXPORT, words, output.parent, last)


def content(output: Path) -> dict[str, str]:
    """Hash a bundle, file by file; nothing where there is none."""
    files = [output] if output.is_file() else output.rglob("*")
    return {str(one): sha256_file(one) for one in files if one.is_file()}


@pytest.mark.parametrize("name", ["bundle.zip", "bundle"])
def test_a_bundle_is_the_old_one_or_the_new_one(cli: Type, study: Path, name: str) -> None:
    """Whenever it is killed; a folder may be gone. What is left behind is hidden, and goes."""
    out, output = Path("out"), Path("out") / name
    assert cli("export", output, "--study", study, "--key", "key").code == 0
    old = content(output)
    shutil.copytree(out, "kept")
    settings = study / "study.toml"
    settings.write_text(settings.read_text() + '\n[report]\nlanguage = "de"\n')
    changes = json.loads(export(output).stdout)
    new = content(output)
    assert new != old
    (*_, move) = (n for n, event in enumerate(changes, start=1) if event == "os.rename")
    # a zip takes its place at once; of a folder, the old one is moved away before, and removed
    around = {move} if name.endswith(".zip") else {move - 1, move, move + 2}
    for last in (random.Random(name).randint(2, move - 2), *sorted(around)):
        shutil.rmtree(out)
        shutil.copytree("kept", out)
        assert export(output, last).returncode == -signal.SIGKILL
        assert content(output) in (old, new, *([] if name.endswith(".zip") else [{}]))
        assert {one.name for one in out.glob("[!.]*")} <= {name}
        again = export(output)
        assert again.returncode == 0, again.stderr
        assert content(output) == new
        assert [one.name for one in out.iterdir()] == [name]


def test_a_key_is_whole_or_not_there(tmp_path: Path) -> None:
    """An empty one would stop every run after it."""
    key = tmp_path / "keys" / "key"
    changes = json.loads(run(MAKE_KEY, [str(key)], key.parent, 0).stdout)
    assert len(changes) > 1
    for last in range(1, len(changes) + 1):
        shutil.rmtree(key.parent)
        key.parent.mkdir()
        assert run(MAKE_KEY, [str(key)], key.parent, last).returncode == -signal.SIGKILL
        read_or_make_key(key)
