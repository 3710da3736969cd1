"""Intraclass correlation against published values, properties, and an independent algorithm."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emoclip_clinic.agreement import icc
from emoclip_clinic.agreement.reliability import (
    FORMS,
    icc_estimates,
    icc_values,
    weighted_icc,
    weighted_sem,
)
from emoclip_clinic.errors import RatingsError

whole_points = hnp.arrays(
    float, st.tuples(st.integers(3, 9), st.integers(2, 5)), elements=st.integers(1, 7)
)


def tidy(scores: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(scores).rename_axis("subject").reset_index()
    return table.melt("subject", var_name="rater", value_name="value")


def by_name(scores: np.ndarray) -> pd.DataFrame:
    return icc(tidy(np.asarray(scores, dtype=float))).set_index("name")


def published(shared: Path) -> dict:
    return tomllib.loads((shared / "validation/agreement.toml").read_text())


def test_icc_reproduces_shrout_and_fleiss(shared: Path) -> None:
    """All six forms and their intervals are those of the 1979 data at full precision."""
    table = published(shared)["shrout_fleiss_1979"]
    found = by_name(table["data"])
    assert list(found.index) == FORMS
    for form in FORMS:
        low, high = table[form]["ci95"]
        row = found.loc[form]
        assert [row.value, row.ci_low, row.ci_high] == pytest.approx(
            [table[form]["value"], low, high], abs=1e-6
        )
    assert set(found.n_subjects) == {6}
    assert set(found.n_raters) == {4}


def test_icc_reproduces_irr(shared: Path) -> None:
    """Single-rating forms of the anxiety data are those of R's irr."""
    table = published(shared)["anxiety"]
    found = by_name(np.column_stack([table["r1"], table["r2"], table["r3"]]))
    row = found.loc["ICC(A,1)"]
    expected = [table["ICC(A,1)"]["value"], *table["ICC(A,1)"]["ci95"]]
    assert [row.value, row.ci_low, row.ci_high] == pytest.approx(expected, abs=1e-6)
    assert found.value["ICC(C,1)"] == pytest.approx(table["ICC(C,1)"]["value"], abs=1e-6)


def test_icc_of_two_methods_is_that_of_bland_and_altman_data(shared: Path) -> None:
    """Peak flow by two meters gives the published ICC(A,1)."""
    table = published(shared)
    meters = table["bland_altman_1986"]["wright1"], table["bland_altman_1986"]["mini1"]
    expected = table["bland_altman_1986"]["wright1_mini1"]["ICC(A,1)"]
    assert by_name(np.column_stack(meters)).value["ICC(A,1)"] == pytest.approx(expected, abs=1e-6)


def components(scores: np.ndarray) -> tuple[float, float, float]:
    """Variance components of subjects, raters and residual, by plain double loops."""
    n, k = scores.shape
    grand = sum(sum(row) for row in scores) / (n * k)
    by_subject = [sum(row) / k for row in scores]
    by_rater = [sum(scores[i][j] for i in range(n)) / n for j in range(k)]
    msb = k * sum((m - grand) ** 2 for m in by_subject) / (n - 1)
    msj = n * sum((m - grand) ** 2 for m in by_rater) / (k - 1)
    left = sum(
        (scores[i][j] - by_subject[i] - by_rater[j] + grand) ** 2
        for i in range(n)
        for j in range(k)
    )
    mse = left / ((n - 1) * (k - 1))
    return (msb - mse) / k, (msj - mse) / n, mse


@given(whole_points)
@settings(max_examples=30, deadline=None)
def test_icc_is_the_share_of_the_subjects_variance(scores: np.ndarray) -> None:
    """The two-way forms equal the ratio of variance components, computed with loops."""
    found = by_name(scores)
    subjects, raters, residual = components(scores)
    if subjects + residual < 1e-9:
        assert found.value[["ICC(A,1)", "ICC(C,1)"]].isna().all()
        return
    assert found.value["ICC(C,1)"] == pytest.approx(subjects / (subjects + residual), abs=1e-9)
    total = subjects + raters + residual
    assert found.value["ICC(A,1)"] == pytest.approx(subjects / total, abs=1e-9)


@given(whole_points, st.data())
@settings(max_examples=30, deadline=None)
def test_fast_icc_equals_pingouin_on_repeated_subjects(scores: np.ndarray, data: st.DataObject):
    """Counting a subject twice is the same as giving its row twice, to 1e-9."""
    n = len(scores)
    counts = data.draw(hnp.arrays(int, n, elements=st.integers(0, 3)).filter(lambda c: sum(c) > 2))
    fast = weighted_icc(scores, counts[None].astype(float))
    slow = by_name(np.repeat(scores, counts, axis=0))
    for name, values in fast.items():
        assert values[0] == pytest.approx(slow.value[name], abs=1e-9, nan_ok=True)


@given(whole_points)
@settings(max_examples=30, deadline=None)
def test_values_alone_are_those_of_the_estimates(scores: np.ndarray) -> None:
    """To 1e-9, and undefined for the same forms."""
    values = {row.name: row for row in icc_values(scores)}
    for row in icc_estimates(scores):
        assert values[row.name].value == pytest.approx(row.value, abs=1e-9, nan_ok=True)
        assert values[row.name].note or np.isfinite(values[row.name].value)


@given(whole_points, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_of_raters_and_rows_does_not_matter(scores: np.ndarray, random) -> None:
    """Shuffled raters and shuffled rows of the table give the same values."""
    columns = list(range(scores.shape[1]))
    random.shuffle(columns)
    shuffled = tidy(scores[:, columns]).sample(frac=1, random_state=1)
    left, right = by_name(scores), icc(shuffled).set_index("name")
    assert left.value.to_numpy() == pytest.approx(right.value.to_numpy(), abs=1e-9, nan_ok=True)


@given(whole_points, st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_a_lenient_rater_lowers_agreement_and_not_consistency(scores: np.ndarray, shift: int):
    """A constant added to one of raters with equal means moves ICC(A,1) only, and towards 0."""
    level = scores - scores.mean(axis=0)
    moved = level + np.eye(scores.shape[1])[0] * shift
    before, after = by_name(level), by_name(moved)
    if before.value.isna().any():
        return
    assert after.value["ICC(C,1)"] == pytest.approx(before.value["ICC(C,1)"], abs=1e-9)
    assert abs(after.value["ICC(A,1)"]) <= abs(before.value["ICC(A,1)"]) + 1e-9


@given(whole_points)
@example(np.array([[4.0, 1], [4, 1], [1, 3], [4, 1]]))
@settings(max_examples=30, deadline=None)
def test_every_row_is_defined_or_says_why(scores: np.ndarray) -> None:
    """A value or an end of an interval that is missing has a note; values are inside intervals."""
    for row in icc(tidy(scores)).itertuples():
        assert row.note or np.isfinite([row.value, row.ci_low, row.ci_high]).all()
        assert not row.value < row.ci_low
        assert not row.value > row.ci_high


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([[3, 3], [3, 3], [3, 3]], "no rater's values differ"),
        ([[3, 4], [3, 4], [3, 4]], "no rater's values differ"),
        ([[3, 4]], "needs 2 subjects"),
        ([[3], [4], [5]], "needs 2 raters"),
        ([[3, np.nan], [np.nan, 4]], "needs 2 subjects rated by every rater, has 0"),
        ([[1, 2], [2, 1]], "needs 5 ratings"),
        (np.full((4, 3), 0.1), "no rater's values differ"),
    ],
)
def test_what_cannot_be_estimated_is_missing_with_a_reason(scores: list, reason: str) -> None:
    """Degenerate designs give NaN and a reason: never 1.0, never an exception or a warning."""
    found = by_name(scores)
    assert found[["value", "ci_low", "ci_high"]].isna().all(axis=None)
    assert found.note.str.contains(reason).all()


def test_no_ratings_at_all_is_a_reason_too() -> None:
    """An empty frame gives six undefined rows."""
    found = icc(pd.DataFrame({"subject": [], "rater": [], "value": []}))
    assert list(found.name) == FORMS
    assert found.value.isna().all()


def test_perfect_agreement_of_different_subjects_is_one_without_interval() -> None:
    """Identical raters agree perfectly if subjects differ; the F-based interval does not exist."""
    found = by_name([[1, 1], [2, 2], [5, 5]])
    assert found.value.to_numpy() == pytest.approx(np.ones(6))
    assert found.ci_low.isna().all()
    assert found.note.str.contains("no interval").all()


def test_a_mean_of_raters_is_undefined_where_its_subjects_do_not_differ() -> None:
    """Equal means of the subjects: single forms are at their lowest, those of the mean at none."""
    found = by_name([[1, 2, 2], [1, 2, 2], [2, 1, 2], [2, 1, 2]])
    assert found.value[["ICC(1,k)", "ICC(A,k)", "ICC(C,k)"]].isna().all()
    assert found.note["ICC(1,k)"].startswith("undefined: the subjects' mean ratings do not differ")
    assert found.value["ICC(C,1)"] == pytest.approx(-0.5)


def test_weir_sem_and_smallest_detectable_change(shared: Path) -> None:
    """Test and retest of eight people give the published standard error and change."""
    data = published(shared)["weir_2005"]
    scores = np.column_stack([data["x"], data["y"]]).astype(float)
    found = weighted_sem(scores, np.ones((1, len(scores))))
    assert found["SEM (consistency)"][0] == pytest.approx(data["sem"], abs=1e-6)
    assert found["SDC (consistency)"][0] == pytest.approx(data["sdc95"], abs=1e-4)


def test_sem_agreement_holds_the_raters_bias() -> None:
    """A second rater who always says 2 points more: no residual, half of 2 squared between them."""
    first = np.array([1.0, 3, 4, 7])
    found = weighted_sem(np.column_stack([first, first + 2]), np.ones((1, 4)))
    assert found["SEM (consistency)"][0] == pytest.approx(0)
    assert found["SEM (agreement)"][0] == pytest.approx(np.sqrt(2))


def test_one_constant_rater_is_said() -> None:
    """A rater who never varies leaves the ICC defined, near 0, and is mentioned."""
    found = by_name([[1, 3], [2, 3], [4, 3]])
    assert found.value["ICC(C,1)"] == pytest.approx(0, abs=1e-12)
    assert found.note.str.contains("1 rater").all()


def test_incomplete_subjects_are_dropped_and_counted() -> None:
    """A subject that a rater missed (NaN or empty text) is dropped, and the note says so."""
    scores = np.array([[1, 2], [3, 3], [5, 6], [7, 7], [2, 4]], dtype=float)
    frame = tidy(scores).astype({"value": object})
    frame.loc[3, "value"] = ""
    frame.loc[9, "value"] = None
    found = icc(frame).set_index("name")
    assert set(found.n_subjects) == {3}
    assert found.note.str.contains("2 of 5 subjects dropped").all()
    assert found.value.to_numpy() == pytest.approx(by_name(scores[:3]).value.to_numpy())


def test_a_subject_rated_twice_is_an_error() -> None:
    """Duplicates are not averaged silently: the error names rater and subject."""
    frame = pd.DataFrame({"subject": ["a", "a", "b"], "rater": ["R1"] * 3, "value": [1, 2, 3]})
    with pytest.raises(RatingsError, match="rater R1 rated subject a more than once"):
        icc(frame)


@pytest.mark.parametrize("value", ["severe", np.inf])
def test_a_value_that_is_no_number_is_an_error(value: object) -> None:
    """Text and infinity are named with their row."""
    frame = pd.DataFrame({"subject": [1, 2], "rater": ["A", "A"], "value": [1, value]})
    with pytest.raises(RatingsError, match="row 2"):
        icc(frame)


def test_a_missing_column_is_an_error() -> None:
    """The error says which columns there are and which are needed."""
    with pytest.raises(RatingsError, match="Rename to subject, rater, value"):
        icc(pd.DataFrame({"patient": [1], "rater": ["A"], "value": [1]}))


def test_pingouin_options_are_left_as_they_were() -> None:
    """Intervals are unrounded whatever the caller's pingouin options, which are put back."""
    import pingouin

    before = dict(pingouin.options)
    found = by_name([[9, 2, 5], [6, 1, 3], [8, 4, 6], [7, 1, 2]])
    assert dict(pingouin.options) == before
    assert found.ci_low["ICC(A,1)"] != round(found.ci_low["ICC(A,1)"], 4)
