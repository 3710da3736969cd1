"""Ratings and recordings that belong together, and those that do not."""

from __future__ import annotations

import pandas as pd
import pytest

from emoclip_clinic.matching import id_hints, match


def visits(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["participant", "session"], dtype="str")


def filmed(*rows: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["participant", "session", "status"], dtype="str")
    return table.assign(recording=[f"sub-{p}_ses-{s}" for p, s, _ in rows])


def test_each_mismatch_is_one_exclusion() -> None:
    """Rated and never filmed, filmed and never rated, the wrong session: a row each, a reason."""
    rated = visits(("1", "01"), ("1", "01"), ("1", "02"), ("2", "01"), ("2", "02"), ("3", "01"))
    recordings = filmed(
        ("1", "01", "usable"), ("1", "03", "usable"), ("3", "01", "excluded"), ("9", "01", "usable")
    )
    matched, exclusions = match(rated, recordings)
    assert matched.to_dict("records") == [
        {"recording": "sub-1_ses-01", "participant": "1", "session": "01"}
    ]
    assert set(exclusions["stage"]) == {"fit"}
    assert exclusions[["unit", "id", "reason"]].to_numpy().tolist() == [
        ["rating", "sub-1_ses-02", "rated, but not filmed at this session"],
        ["rating", "sub-3_ses-01", "rated, but its recording was excluded"],
        ["participant", "2", "rated, never filmed"],
        ["recording", "sub-1_ses-03", "filmed, but not rated at this session"],
        ["recording", "sub-9_ses-01", "filmed, never rated"],
    ]


def test_where_all_match_nothing_is_excluded() -> None:
    """Two recordings of one session both belong to its rating; no table is not an error."""
    recordings = pd.concat([filmed(("1", "01", "usable"))] * 2).assign(recording=["a", "b"])
    matched, exclusions = match(visits(("1", "01")), recordings)
    assert matched["recording"].tolist() == ["a", "b"]
    assert exclusions.empty
    assert exclusions.columns.tolist() == ["stage", "unit", "id", "reason"]


def test_nobody_rated_or_nobody_filmed() -> None:
    """An empty side gives an empty match and a row for everything on the other."""
    matched, exclusions = match(visits(), filmed(("1", "01", "usable")))
    assert matched.empty
    assert exclusions["reason"].tolist() == ["filmed, never rated"]
    matched, exclusions = match(visits(("1", "01")), filmed())
    assert matched.empty
    assert exclusions["reason"].tolist() == ["rated, never filmed"]


@pytest.mark.parametrize("other", ["7", "P007", "p-07", "sub-007"])
def test_ids_that_differ_in_zeros_case_or_prefix_are_hinted_at(other: str) -> None:
    """The ids are not equated; the reason and a sentence for the screen say what they look like."""
    recordings = filmed((other, "01", "usable"))
    matched, exclusions = match(visits(("007", "01")), recordings)
    assert matched.empty
    reason = "rated, never filmed: a filmed id differs only in zeros, case or prefix"
    assert reason in exclusions["reason"].tolist()
    (hint,) = id_hints(visits(("007", "01")), recordings)
    assert "'007' is rated" in hint
    assert repr(other) in hint


def test_no_hint_where_more_than_one_id_is_alike() -> None:
    """c01 and p01 both look like 1: which of them is meant is not guessed."""
    recordings = filmed(("c01", "01", "usable"), ("p01", "01", "usable"))
    assert id_hints(visits(("1", "01")), recordings) == []
    assert id_hints(visits(("anna", "01")), recordings) == []
