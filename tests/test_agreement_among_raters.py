"""All raters together, pair by pair, and the habits of each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from emoclip_clinic.agreement import gwet_ac, icc
from emoclip_clinic.agreement.among_raters import rater_pairs, reliability
from emoclip_clinic.agreement.rater_habits import rater_diagnostics

OPTIONS = {"scale_id": "panss", "targets": ["N1"], "n_resamples": 200, "seed": 1}


def table(scores: np.ndarray, kind: str = "item", visits_each: int = 1) -> pd.DataFrame:
    """Make the tidy table of scores (visits, raters); NaN is a visit that was not rated."""
    rows = [
        [
            f"P{i // visits_each:03d}",
            f"{i % visits_each:02d}",
            "ABCDE"[j],
            "panss",
            "N1",
            kind,
            value,
        ]
        for (i, j), value in np.ndenumerate(scores)
        if not np.isnan(value)
    ]
    names = ["participant", "session", "rater", "scale", "target", "kind", "value"]
    return pd.DataFrame(rows, columns=names)


def rated(n: int, k: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(np.round(4 + rng.normal(size=(n, 1)) + 0.7 * rng.normal(size=(n, k))), 1, 7)


def test_reliability_is_that_of_the_single_functions() -> None:
    """ICCs as `icc` gives them, intervals too where everyone has one visit."""
    scores = rated(40, 3)
    found = reliability(table(scores), **OPTIONS).set_index("statistic")
    wide = pd.DataFrame(scores).rename_axis("subject").reset_index()
    known = icc(wide.melt("subject", var_name="rater", value_name="value")).set_index("name")
    columns = ["value", "ci_low", "ci_high"]
    pd.testing.assert_frame_equal(
        found.loc[known.index, columns].astype(float), known[columns], check_names=False
    )
    assert {"Fleiss' kappa", "raw agreement", "AC1", "AC2 (quadratic)", "alpha (ordinal)"} <= set(
        found.index
    )
    assert "ICC(A,1) mixed" not in found.index


def test_visits_of_one_person_widen_the_intervals() -> None:
    """Four equal visits of each of ten people are no forty people."""
    scores = np.repeat(rated(10, 3, 2), 4, axis=0)
    once = reliability(table(scores), **OPTIONS).set_index("statistic").loc["ICC(A,1)"]
    again = reliability(table(scores, visits_each=4), **OPTIONS).set_index("statistic")
    again = again.loc["ICC(A,1)"]
    assert again.value == pytest.approx(once.value)
    assert again.ci_high - again.ci_low > 1.3 * (once.ci_high - once.ci_low)
    assert again.n_participants == 10
    assert "bootstrap" in again.method


def test_missed_visits_are_dropped_by_some_and_used_by_the_mixed_model() -> None:
    """The ICC of complete visits says how many were dropped; the mixed one uses all."""
    scores = rated(60, 3, 3)
    scores[:20, 0] = np.nan
    found = reliability(table(scores), **OPTIONS).set_index("statistic")
    assert found.n_subjects["ICC(A,1)"] == 40
    assert "20 of 60 visits dropped" in found.note["ICC(A,1)"]
    assert found.n_subjects["ICC(A,1) mixed"] == 60
    assert found.value["ICC(A,1) mixed"] == pytest.approx(found.value["ICC(A,1)"], abs=0.1)


def test_the_paradox_of_kappa_is_explained_where_it_strikes() -> None:
    """Ninety of a hundred in one category: 85 % agreement, kappa of 0.3 (Gwet's skewed table)."""
    pairs = [[1, 1]] * 80 + [[1, 2]] * 10 + [[2, 1]] * 5 + [[2, 2]] * 5
    found = reliability(table(np.array(pairs, float)), **OPTIONS).set_index("statistic")
    assert found.value["Cohen's kappa"] == pytest.approx(0.318182, abs=1e-6)
    assert "most ratings are in one category" in found.note["Cohen's kappa"]
    assert "one category" not in found.note["raw agreement"]


def test_scores_that_are_no_categories_have_no_kappa() -> None:
    """A total has ICCs and errors of measurement alone."""
    found = set(reliability(table(rated(20, 2), "total"), **OPTIONS)["statistic"])
    assert not [name for name in found if "kappa" in name or name.startswith(("AC", "alpha"))]


def test_each_pair_has_the_kappas_of_scikit_learn() -> None:
    """Unweighted, linear and quadratic; RMSE and closeness by their definitions."""
    scores = rated(50, 3, 4)
    found = rater_pairs(table(scores), **OPTIONS)
    for j, k in ((0, 1), (0, 2), (1, 2)):
        own = found[(found.rater_a == "ABC"[j]) & (found.rater_b == "ABC"[k])]
        value = own.set_index("statistic").value
        first, second = scores[:, j].astype(int), scores[:, k].astype(int)
        assert value["kappa"] == pytest.approx(cohen_kappa_score(first, second))
        # weights by the distance of the values, as all values between occur
        for weights in ("linear", "quadratic"):
            labels = np.arange(scores[:, [j, k]].min(), scores[:, [j, k]].max() + 1).astype(int)
            known = cohen_kappa_score(first, second, weights=weights, labels=labels)
            assert value[f"kappa ({weights})"] == pytest.approx(known)
        assert value["RMSE"] == pytest.approx(np.sqrt(np.mean((first - second) ** 2)))
        assert value["within 1 point"] == pytest.approx(np.mean(abs(first - second) <= 1))
        assert value["in common"] == 50


def test_a_pair_with_nothing_in_common_is_a_row() -> None:
    """It is not left out, and not compared."""
    scores = rated(20, 2)
    scores[:10, 0] = scores[10:, 1] = np.nan
    (row,) = rater_pairs(table(scores), **OPTIONS).to_dict("records")
    assert row["value"] == 0
    assert row["note"] == "the two rated nothing in common"


def test_habits_that_were_put_in_are_found() -> None:
    """A rater 1 point lenient who halves all spread, and one who drifts by -2 points a year."""
    rng = np.random.default_rng(5)
    truth = 10 + 3 * rng.normal(size=200)
    years = np.linspace(0, 1.5, 200)
    plain = truth + 0.1 * rng.normal(size=200)
    lenient = 11 + 0.5 * (truth - truth.mean()) + 0.1 * rng.normal(size=200)
    scored = table(np.column_stack([plain, lenient, truth]), "total")
    keys = scored[["participant", "session", "rater"]]
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(years * 365.25, unit="D")
    when = scored["participant"].str[1:].astype(int).map(dict(enumerate(day)))
    dates = pd.Series(when.to_numpy(), pd.MultiIndex.from_frame(keys))
    found = rater_diagnostics(scored, dates, **OPTIONS).set_index(["rater", "statistic"]).value
    others = (plain.mean() + truth.mean()) / 2
    assert found["B", "leniency"] == pytest.approx(lenient.mean() - others, abs=1e-9)
    assert found["B", "spread ratio"] == pytest.approx(0.5, abs=0.03)
    late = scored["participant"].str[1:].astype(int).map(dict(enumerate(years)))
    strict = scored["value"] - 2 * late * (scored["rater"] == "A")
    drifting = scored.assign(value=strict)
    both = rater_diagnostics(drifting, dates, **OPTIONS).set_index(["rater", "statistic"]).value
    assert both["A", "drift a year"] - found["A", "drift a year"] == pytest.approx(-2)


def test_habits_that_cannot_be_known_have_a_reason() -> None:
    """No dates, no other rater."""
    scored = table(rated(20, 1))
    found = rater_diagnostics(scored, None, **OPTIONS)
    assert found.value.isna().all()
    assert found.note.str.contains("that another rater scored too, has 0").all()
    two = rater_diagnostics(table(rated(20, 2)), None, **OPTIONS).set_index("statistic")
    assert two.note["drift a year"].str.contains("have no dates").all()


def test_categories_that_nobody_used_count_for_ac1() -> None:
    """An item of 1 to 7 has seven categories, of which two occur."""
    scores = table(np.array([[1, 1]] * 8 + [[1, 2]] * 2 + [[2, 2]] * 2, float))
    tidy = pd.DataFrame(
        {"subject": list(range(12)) * 2, "rater": ["A"] * 12 + ["B"] * 12,
         "value": [1] * 10 + [2] * 2 + [1] * 8 + [2] * 4}
    )  # fmt: skip
    found = reliability(scores, ranges={"N1": (1, 7)}, **OPTIONS).set_index("statistic").value
    expected = gwet_ac(tidy, None, range(1, 8)).set_index("name").value["AC1"]
    assert found["AC1"] == pytest.approx(expected)
    assert found["AC1"] > reliability(scores, **OPTIONS).set_index("statistic").value["AC1"]
