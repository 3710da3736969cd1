"""BIDS phenotype tables with their JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.ratings_files import bids, read, sidecars
from emoclip_clinic.scales import load_scale
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import Column, Sheet

PANSS = load_scale("panss")


def sheet(folder: Path, said: Any) -> Sheet:
    path = folder / "panss.tsv"
    path.write_bytes("\ufeffparticipant_id\tp1\ttotal\r\nsub-01\t3\tn/a\r\n".encode())
    (folder / "panss.json").write_text(said if isinstance(said, str) else json.dumps(said))
    return read(path, PANSS, RatingsSettings(), folder)


def test_the_json_says_what_the_columns_are(tmp_path: Path) -> None:
    """Description, levels, range as texts or numbers, and what was computed."""
    found = sheet(
        tmp_path,
        {
            "p1": {"Description": "P1", "Levels": {"1": "absent"}, "MinValue": "1", "MaxValue": 7},
            "total": {"LongName": "Sum", "Derivative": True},
            "MeasurementToolMetadata": {"Description": "PANSS"},
        },
    )
    assert found.header == ("participant_id", "p1", "total")
    assert found.columns == (
        Column(),
        Column("P1", {"1": "absent"}, 1, 7),
        Column("Sum", no_item=True),
    )


@pytest.mark.parametrize("said", ["{", "[1]", '"x"'])
def test_a_json_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    """It is not passed over: it may say that a column is no item."""
    with pytest.raises(RatingsError, match=r"panss\.json"):
        sheet(tmp_path, said)


def test_only_a_tsv_has_a_json_beside_it(tmp_path: Path) -> None:
    """A stage is stale when the JSON of its table changes; a CSV has none."""
    sheet(tmp_path, {})
    assert sidecars(tmp_path / "panss.tsv") == [bids.sidecar(tmp_path / "panss.tsv")]
    assert sidecars(tmp_path / "panss.csv") == []
    assert sidecars(tmp_path / "other.tsv") == []


def test_a_table_of_text_needs_no_library_for_other_files(tmp_path: Path) -> None:
    """Openpyxl and pyreadstat are imported where an Excel or SPSS file is read, and only there."""
    (tmp_path / "a.csv").write_text("participant,P1\n1,2\n")
    code = (
        "import sys; from pathlib import Path; from emoclip_clinic import ratings_files, scales;"
        "from emoclip_clinic.settings import RatingsSettings;"
        "ratings_files.read(Path(sys.argv[1]), scales.load_scale('panss'), RatingsSettings(), "
        "Path()); print({'openpyxl', 'pyreadstat', 'torch'} & set(sys.modules))"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")],
        capture_output=True, text=True, check=True, cwd=root,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
