"""What `ingest`, `encode` and `weights list` say on the screen."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic import weights
from tests.command_line import Type
from tests.videos import write_video

SETTINGS = '[study]\nscales = ["cains"]\n[encode]\nencoder = "emoclip-demo"\nfaces = "none"\n'
PROTOCOL = (
    "rate_hz = 5\nwindow_frames = 5\nstride_frames = 5\n[quality]\nmin_face_brightness = 0.5\n"
)
LIGHT, DARK = 200, 20


@pytest.fixture
def gappy(tmp_path: Path) -> Path:
    """Film 3 s, two light and one dark, 4 s of nothing, and 1 s; and somebody in the dark."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "study"
    rate_hz = 30_000 / 1001
    seconds = [LIGHT, LIGHT, DARK, LIGHT]
    starts_s = [0, 1, 2, 7]
    for name, levels in (("P1", seconds), ("P2", [DARK] * 4)):
        path = folder / "interviews" / name / "a.mp4"
        path.parent.mkdir(parents=True)
        frames = [
            np.clip(level + rng.normal(0, 3, (64, 64, 3)), 0, 255).astype(np.uint8)
            for level in levels
            for _ in range(29)
        ]
        times_s = np.concatenate([start + np.arange(29) / rate_hz for start in starts_s])
        write_video(path, frames, pts=times_s.tolist())
    (folder / "study.toml").write_text(SETTINGS)
    (folder / "protocols" / "encoding").mkdir(parents=True)
    (folder / "protocols" / "encoding" / "light.toml").write_text(PROTOCOL)
    return folder


def test_encode_counts_windows_and_names_every_file(cli: Type, gappy: Path) -> None:
    """A gap is no window; --verbose has all that was left out, grouped, and all files."""
    words = ("encode", gappy / "interviews", "--study", gappy, "--protocol", "light")
    answer = cli(*words, "--verbose")
    assert answer.code == 3
    # of P1: three windows before the gap, of which one is dark, and one after it; of P2: four
    assert "encode: 3 windows of 1 recordings, 5 windows left out." in answer.err
    name, gap = "sub-P1_ses-01", "gap: no new picture for more than half a window"
    dark = "brightness of the face; allowed: 0.5 or more"
    assert f"left out: 1 window of {name}: {dark}\n" in answer.err
    assert f"left out: 1 part of {name}: {gap}\n" in answer.err
    assert f"left out: recording sub-P2_ses-01: {dark}\n" in answer.err
    folder = gappy / "features" / "emoclip-demo"
    made = [*folder.iterdir(), gappy / "recordings.csv", gappy / "quality.csv"]
    made += (gappy / "provenance").glob("*.json")
    assert f"Wrote {folder / 'segments.csv'}." in answer.err
    said = re.findall("^  wrote (.+)$", answer.err, re.MULTILINE)
    assert sorted(said) == sorted(str(path) for path in made if path.name != "segments.csv")
    assert "2 of 2 recordings warn (" in answer.err
    assert f": see {Path('features/emoclip-demo/quality.csv')}" in answer.err
    plain = cli(*words)
    assert " of sub-P1" not in plain.err
    assert "  in " not in plain.err
    quality = cli("quality", "--study", gappy, "--encoder", "emoclip-demo")
    assert "quality: 3 of 8 windows are used." in quality.err
    assert "--measure MEASURE --encoder emoclip-demo --study" in quality.err


def test_times_in_tables_have_no_more_digits_than_a_clock(cli: Type, gappy: Path) -> None:
    """Microseconds; the other numbers are as they were measured."""
    cli("encode", gappy / "interviews", "--study", gappy, "--protocol", "light")
    folder = gappy / "features" / "emoclip-demo"
    columns = [
        (gappy / "recordings.csv", ["duration_s"]),
        (folder / "segments.csv", ["start_s", "stop_s"]),
        (folder / "quality_windows.csv", ["longest_gap_s"]),
    ]
    for path, names in columns:
        cells = pd.read_csv(path, dtype=str)[names].dropna().to_numpy().ravel()
        assert all(re.fullmatch(r"\d+\.\d{1,6}", cell) for cell in cells), path
    for path in (gappy / "quality.csv", folder / "quality.csv"):
        table = pd.read_csv(path, dtype=str)
        cells = table.loc[table["unit"] == "s", "value"]
        assert all(re.fullmatch(r"\d+\.\d{1,6}", cell) for cell in cells), path


def test_ingest_says_what_warns_and_what_to_run(cli: Type, gappy: Path) -> None:
    """In one line, with the table; the options that were given go along."""
    words = ("ingest", gappy / "interviews", "--study", gappy, "--pattern", "{participant}/{*}")
    answer = cli(*words)
    assert re.search(r"note: 2 of 2 recordings warn \(.*longest_gap 2.*\): see quality.csv\n",
                     answer.err)  # fmt: skip
    assert f"interviews --pattern '{{participant}}/{{*}}' --study {gappy}\n" in answer.err
    assert "  wrote " in cli(*words, "--quick", "--verbose").err


def test_weights_list_shows_whole_names(
    cli: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a narrow terminal: the folder once, and file names that go on in the next line."""
    monkeypatch.setenv("COLUMNS", "80")
    folder = tmp_path / "a-folder-of-weights-with-a-long-name" / "weights"
    answer = cli("weights", "list", "--weights", folder)
    assert answer.out.startswith(f"Folder: {folder}\n")
    assert "…" not in answer.out
    rows = [line.split("│") for line in answer.out.splitlines() if line.startswith("│")]
    assert "".join(row[3].strip() for row in rows) == "".join(
        file.filename for file in weights.FILES
    )
    answer = cli("weights", "list", "--weights", folder, "--json")
    assert answer.json["rows"][0]["file"] == str(folder / weights.FILES[0].filename)
