"""SPSS files: numbers, labels, and what the file itself calls missing."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from emoclip_clinic import ratings, ratings_files
from emoclip_clinic.errors import RatingsError
from emoclip_clinic.scales import load_scale
from emoclip_clinic.settings import RatingsSettings

PANSS = load_scale("panss")
LEVELS = {n: f"degree {n}" for n in range(1, 8)}


def save(folder: Path, table: pd.DataFrame, name: str = "ratings.sav", **said: Any) -> Path:
    pyreadstat.write_sav(table, folder / name, compress=name.endswith(".zsav"), **said)
    return folder / name


def read(path: Path, **rules: Any) -> tuple[pd.DataFrame, list[str]]:
    settings, notes = RatingsSettings(**rules), list[str]()
    table = ratings.read_ratings(
        path,
        PANSS,
        notes.append,
        settings,
        lambda one: ratings_files.read(one, PANSS, settings, path.parent),
    )
    return table, notes


@pytest.mark.parametrize("name", ["ratings.sav", "ratings.zsav"])
def test_items_are_found_by_label_and_stay_numbers(tmp_path: Path, name: str) -> None:
    """Variable labels find the items; value labels never take the place of the numbers."""
    table = pd.DataFrame({"id": ["007", "8"], "v1": [3.0, 7.0], "v2": [1.0, None]})
    path = save(
        tmp_path, table, name,
        column_labels=["Patient", "Delusions", "N1 Blunted affect"],
        variable_value_labels={"v1": LEVELS, "v2": LEVELS},
    )  # fmt: skip
    found, _ = read(path)
    rows = found[["participant", "item", "value"]].to_numpy().tolist()
    assert rows == [["007", "P1", 3.0], ["007", "N1", 1.0], ["8", "P1", 7.0]]


def test_user_missing_values_are_missing_and_counted(tmp_path: Path) -> None:
    """A single value and a range; their labels are no part of the scale's range."""
    table = pd.DataFrame({"id": [1.0, 2, 3, 4], "P1": [9.0, 2, 9, 97], "P2": [1.0, 2, 3, 4]})
    path = save(
        tmp_path, table,
        missing_ranges={"P1": [9, {"lo": 90, "hi": 99}]},
        variable_value_labels={"P1": {**LEVELS, 9: "not rated"}},
    )  # fmt: skip
    found, notes = read(path)
    assert found.query("item == 'P1'")["participant"].tolist() == ["2"]
    assert "ratings.sav: PANSS item P1: 9 is 'missing' by the file's own rule, in 2 cells" in notes
    assert "ratings.sav: PANSS item P1: 97 is 'missing' by the file's own rule, in 1 cell" in notes


def test_a_nine_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    """Without a rule of the file or the study 9 is no rating; rows count as SPSS counts cases."""
    path = save(tmp_path, pd.DataFrame({"id": [1.0, 2.0], "P1": [3.0, 9.0]}))
    with pytest.raises(RatingsError, match=r"row 2: PANSS item P1 = 9; allowed 1-7"):
        read(path)
    assert len(read(path, missing=(9.0,))[0]) == 1


def test_dates_are_iso(tmp_path: Path) -> None:
    """Dates before the calendars of other programs begin are read too."""
    days = [datetime.date(2024, 3, 5), datetime.date(1583, 1, 1)]
    path = save(tmp_path, pd.DataFrame({"id": ["a", "b"], "when": days, "P1": [3.0, 4.0]}))
    assert read(path, date="when")[0]["date"].tolist() == ["2024-03-05", "1583-01-01"]


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".por"])
def test_what_is_no_spss_file_is_refused(tmp_path: Path, suffix: str) -> None:
    """The message says what to do."""
    path = tmp_path / f"ratings{suffix}"
    path.write_bytes(b"no data")
    with pytest.raises(RatingsError, match=r"cannot be read as SPSS data.*Save it again"):
        read(path)
    with pytest.raises(RatingsError, match="cannot be read as SPSS data"):
        read(tmp_path / f"absent{suffix}")
