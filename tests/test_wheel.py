"""What is shipped: protocols and templates are found from an installed wheel too."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUARD = str(ROOT / "tests" / "guard")
CODE = """
from emoclip_clinic import encoder, resources, scales
print(*resources.names("protocols/scales"), *resources.names("templates"))
print(encoder.DEMO_WEIGHTS.is_file())
print(scales.load_scale("panss").name)
"""


def test_a_wheel_holds_all_that_is_needed(tmp_path: Path) -> None:
    """Scales, templates and the demonstration's weights come along; tests do not."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.startswith("tests/")]
        archive.extractall(tmp_path / "site")
    words = [sys.executable, "-c", CODE]
    run = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), GUARD])},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    shipped = sorted(path.stem for path in (ROOT / "protocols" / "scales").glob("*.toml"))
    assert run.stdout.splitlines() == [
        f"{' '.join(shipped)} cohort participant",
        "True",
        "Positive and Negative Syndrome Scale",
    ]
