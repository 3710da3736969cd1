"""The report's page of quality: what it counts, whom it names, and how."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from emoclip_clinic.report import ReportData, build
from emoclip_clinic.report.exports import dictionary, exported
from emoclip_clinic.report.spec import parse_template
from emoclip_clinic.resources import find, read_toml
from tests.report_data import report_data

REASONS = pd.DataFrame(
    [["too few frames with a face", 1234, 7], ["size of the face; allowed: 60 px or more", 56, 3]],
    columns=["reason", "n_windows", "n_recordings"],
)
THRESHOLDS = pd.DataFrame(
    [
        ("", "", np.nan, 200, 16, 16, 0),
        ("face_size_px", "min", 48.0, 150, 14, 13, 0),
        ("roll_deg", "max", 20.0, 0, 0, 0, 200),
        ("face_clipped", "max", 0.05, 60, 5, 5, 0),
    ],
    columns=[
        "measure", "limit", "threshold", "n_windows", "n_recordings", "n_participants", "n_unknown",
    ],
)  # fmt: skip


@cache
def data() -> ReportData:
    return report_data(16, 3, scale="cains", n_targets=8)


def sensitivity() -> pd.DataFrame:
    """Make the fits at two limits, of which the second leaves too few people."""
    rows = []
    for limit, threshold, values in (
        ("", np.nan, (0.61, 0.4, 0.8)), ("min", 48.0, (0.72, 0.5, 0.9)), ("min", 96.0, None),
    ):  # fmt: skip
        for metric in ("pearson", "ccc", "mae"):
            value, low, high = values or (np.nan,) * 3
            rows.append(
                {
                    "scale": "cains", "target": data().primary[0], "model": "ridge",
                    "measure": "face_size_px", "limit": limit, "threshold": threshold,
                    "n_windows": 150, "n_recordings": 14, "n_participants": 13, "metric": metric,
                    "value": value, "ci_low": low, "ci_high": high,
                    "value_all_windows": 0.66 if values else np.nan,
                    "note": np.nan if values else "3 participants are left",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def words(changed: ReportData, *blocks: Any) -> str:
    template = parse_template({"section": [{"blocks": list(blocks)}]}, "some.toml")
    reader = PdfReader(io.BytesIO(build(changed, template)))
    return " ".join(" ".join(page.extract_text().split()) for page in reader.pages)


def with_tables(**tables: pd.DataFrame) -> ReportData:
    return replace(data(), tables={**data().tables, **tables})


def test_windows_are_counted_by_reason() -> None:
    """The most frequent first; where none was left out, that is said."""
    text = words(with_tables(window_reasons=REASONS), "excluded_windows")
    assert "too few frames with a face 1,234 7" in text
    assert "size of the face; allowed: 60 px or more 56 3" in text
    assert "No window was left out." in words(
        with_tables(window_reasons=REASONS.iloc[:0]), "excluded_windows"
    )


def test_the_worst_recordings_are_named_by_their_rows() -> None:
    """The smallest faces and the longest gaps; no id is printed."""
    table = data().quality
    text = words(data(), "worst_recordings")
    rows = dict(zip(data().recordings["recording"], data().recordings["row"], strict=True))
    for measure, smallest, digits in (("face_size_px", True, 0), ("longest_gap", False, 2)):
        own = table[table["measure"] == measure].sort_values("value", ascending=smallest)
        first = own.iloc[0]
        assert f"{rows[first['recording']]} ({first['value']:.{digits}f})" in text
    for recording, participant in data().recordings[["recording", "participant"]].to_numpy():
        assert recording not in text
        assert participant not in text


def test_each_measure_has_its_distribution() -> None:
    """Those that were measured, by name; a study without any says so."""
    text = words(data(), "quality_figure")
    for name in ("Size of the face (px)", "Lean of the head (degrees)", "Longest gap (s)"):
        assert name in text
    assert "Turn of the head" not in text
    bare = replace(data(), quality=data().quality.iloc[:0])
    assert "was not measured" in words(bare, "quality_figure")


def test_what_would_remain_is_shown_by_measure() -> None:
    """With its share; a measure that nothing is known of is left out."""
    text = words(with_tables(quality_thresholds=THRESHOLDS), "quality_thresholds")
    assert "All used windows 200 100% 16 16" in text
    assert "Size of the face (px) at least 48 150 75% 14 13" in text
    assert "at most 0.05 60 30% 5 5" in text
    assert "Lean of the head" not in text


def test_fits_at_other_limits_stand_beside_those_of_all_windows() -> None:
    """The reason where nothing could be fitted; where nothing was asked, the command."""
    text = words(with_tables(quality_sensitivity=sensitivity()), "quality_sensitivity")
    assert "All used windows 150 13 0.61 (0.40 to 0.80) 0.61 (0.40 to 0.80) 0.66" in text
    assert "at least 48 150 13 0.72 (0.50 to 0.90)" in text
    assert "ᵃ 3 participants are left" in text
    assert "quality --scale cains --measure NAME" in words(data(), "quality_sensitivity")


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_the_page_speaks_every_language(language: str) -> None:
    """Nothing is missing, and no place is left unfilled."""
    blocks = ("quality_figure", "excluded_windows", "worst_recordings", "quality_thresholds")
    sections = [{"blocks": [*blocks, "quality_sensitivity"]}]
    template = parse_template({"language": language, "section": sections}, "some.toml")
    tables = {
        "window_reasons": REASONS, "quality_thresholds": THRESHOLDS,
        "quality_sensitivity": sensitivity(),
    }  # fmt: skip
    reader = PdfReader(io.BytesIO(build(with_tables(**tables), template)))
    assert not any("{" in page.extract_text() for page in reader.pages)


def test_the_exported_tables_have_meanings() -> None:
    """Every column of the tables of quality stands in the data dictionary."""
    changed = with_tables(
        window_reasons=REASONS, quality_thresholds=THRESHOLDS, quality_sensitivity=sensitivity()
    )
    tables = exported(changed)
    meanings = read_toml(find("templates/exports", "dictionary"))["columns"]
    files = set(dictionary(tables, meanings)["file"])
    assert {"window_reasons.csv", "quality_thresholds.csv", "quality_sensitivity.csv"} <= files
