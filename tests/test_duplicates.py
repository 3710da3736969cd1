"""Ratings given twice, and exports that were pasted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.ratings import read_ratings
from emoclip_clinic.scale import Scale
from emoclip_clinic.settings import RatingsSettings
from tests.rating_scales import HAMD17, PHQ9

TWICE = "participant,phq1,phq2\n1,0,2\n2,1,1\n1,3,2\n"


def read(
    folder: Path, text: str, settings: RatingsSettings, scale: Scale = PHQ9
) -> tuple[pd.DataFrame, list[str]]:
    path = folder / "ratings.csv"
    path.write_text(text)
    notes: list[str] = []
    return read_ratings(path, scale, notes.append, settings), notes


@pytest.mark.parametrize(("rule", "value"), [("first", 0.0), ("last", 3.0), ("mean", 1.5)])
def test_a_rule_says_which_rating_counts(tmp_path: Path, rule: str, value: float) -> None:
    """What is kept is the first, the last or the mean; a note counts what was resolved."""
    table, notes = read(tmp_path, TWICE, RatingsSettings(duplicates=rule))
    found = table[table["participant"] == "1"].set_index("item")["value"]
    assert found.to_dict() == {"1": value, "2": 2.0}
    assert not table.duplicated(["participant", "item"]).any()
    said = "2 ratings of 1 visit given twice or more, 1 of them unequal"
    assert f'{said}; duplicates = "{rule}" was taken' in notes


def test_without_a_rule_both_rows_are_named(tmp_path: Path) -> None:
    """The default is an error."""
    with pytest.raises(RatingsError) as caught:
        read(tmp_path, TWICE, RatingsSettings())
    assert "row 4: participant 1, session 01, rater rater1: PHQ-9 item 1, 2 rated" in str(
        caught.value
    )
    assert 'duplicates = "first", "last" or "mean"' in str(caught.value)


@pytest.mark.parametrize("rule", ["error", "first", "mean"])
def test_alternatives_rated_in_one_row_are_never_resolved(tmp_path: Path, rule: str) -> None:
    """16a and 16b are two ways to rate one item: which of them counts is said by nobody else."""
    text = "participant,hamd16a,hamd16b,hamd1\n1,0,,1\n2,,2,1\n"
    table, _ = read(tmp_path, text, RatingsSettings(duplicates=rule), HAMD17)
    assert table.query("item == '16'")["value"].tolist() == [0.0, 2.0]
    with pytest.raises(RatingsError) as caught:
        read(tmp_path, f"{text}3,1,1,1\n4,0,1,1\n", RatingsSettings(duplicates=rule), HAMD17)
    assert "item 16 is rated in hamd16a and hamd16b at once in 2 rows" in str(caught.value)
    assert 'columns = {"hamd16b" = ""}' in str(caught.value)


def rows(values: np.ndarray, first_id: int = 1) -> str:
    return "".join(
        f"{number},{','.join(map(str, row))}\n" for number, row in enumerate(values, start=first_id)
    )


def test_a_block_that_recurs_under_new_ids_is_noted(tmp_path: Path) -> None:
    """Thirty rows, of which twelve were pasted again with the numbers going on."""
    values = np.random.default_rng(1).integers(0, 4, (30, 9))
    header = "participant," + ",".join(f"phq{n}" for n in range(1, 10)) + "\n"
    settings = RatingsSettings()
    _, notes = read(tmp_path, header + rows(values) + rows(values[5:17], 31), settings)
    assert (
        "ratings.csv: rows 32-43 have the ratings of rows 7-18 under other participants: was a "
        "part of the export pasted twice?"
    ) in notes
    _, notes = read(tmp_path, header + rows(values), settings)
    assert not any("pasted" in text for text in notes)


def test_healthy_people_who_are_all_alike_are_no_pasted_block(tmp_path: Path) -> None:
    """Forty rows of zeros recur everywhere and mean nothing."""
    header = "participant," + ",".join(f"phq{n}" for n in range(1, 10)) + "\n"
    _, notes = read(tmp_path, header + rows(np.zeros((40, 9), int)), RatingsSettings())
    assert not any("pasted" in text for text in notes)


def test_a_long_sheet_is_compared_by_visits_and_not_by_rows(tmp_path: Path) -> None:
    """Two people who share a row of items are no block; twelve people who recur are."""
    values = np.random.default_rng(1).integers(0, 4, (30, 9))

    def long(people: np.ndarray, first_id: int) -> str:
        return "".join(
            f"{who},phq{item},{value}\n"
            for who, row in enumerate(people, start=first_id)
            for item, value in enumerate(row, start=1)
        )

    header, alike = "participant,item,value\n", values.copy()
    alike[20:22] = alike[3:5]
    _, notes = read(tmp_path, header + long(alike, 1), RatingsSettings())
    assert not any("pasted" in text for text in notes)
    pasted = header + long(values, 1) + long(values[5:17], 31)
    _, notes = read(tmp_path, pasted, RatingsSettings())
    assert any("rows 272-379 have the ratings of rows 47-154 under" in text for text in notes)
