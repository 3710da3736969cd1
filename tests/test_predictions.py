from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic import predictions
from emoclip_clinic.errors import StudyError


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("007", "01", "sub-007_ses-01", "panss", "N1", "ridge", 3.0, 0.1 + 0.2, 0.05),
        ("NA", "02", "sub-NA_ses-02", "panss", "N1", "ridge", 5.5, 1 / 3, np.nan),
    ]
    return pd.DataFrame(rows, columns=predictions.COLUMNS)


def test_written_predictions_are_read_back_exactly(tmp_path: Path, table: pd.DataFrame) -> None:
    """Ids stay text, even 007 and NA; numbers keep every bit; a missing SD stays missing."""
    predictions.write_predictions(tmp_path / "panss.csv", table)
    pd.testing.assert_frame_equal(
        predictions.read_predictions(tmp_path / "panss.csv"), table, check_exact=True
    )


def test_label_adds_the_scale_and_each_recording_s_session(table: pd.DataFrame) -> None:
    """What a cross-validation does not know is looked up by recording."""
    sessions = table.set_index("recording")["session"]
    bare = table.drop(columns=["scale", "session"])
    pd.testing.assert_frame_equal(predictions.label(bare, "panss", sessions[::-1]), table)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("participant", "", "row 3: an empty key"),
        ("session", None, "row 3: an empty key"),
        ("predicted", np.inf, "row 3: an observed or predicted score"),
        ("observed", np.nan, "row 3: an observed or predicted score"),
        ("recording", "sub-007_ses-01", "row 3: a recording, scale, target and model given twice"),
    ],
)
def test_a_wrong_row_is_named(
    table: pd.DataFrame, column: str, value: object, message: str
) -> None:
    """The message has the row as a spreadsheet counts it."""
    table.loc[1, column] = value
    with pytest.raises(StudyError, match=message):
        predictions.validate(table)


def test_a_file_without_a_column_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    """The message names the column, whether it holds keys or numbers."""
    for column in ("target", "predicted_sd"):
        table.drop(columns=column).to_csv(tmp_path / "panss.csv", index=False)
        with pytest.raises(StudyError, match=f"no column {column}"):
            predictions.read_predictions(tmp_path / "panss.csv")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"observed\nthree\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """An absent, empty, binary or wordy file is one clear error."""
    path = tmp_path / "panss.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StudyError, match=r"panss\.csv cannot be read"):
        predictions.read_predictions(path)
