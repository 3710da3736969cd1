from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.inference import performance
from emoclip_clinic.regression.interpretation import words

TARGETS = ("N1", "N2", "P1", "P2")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Make the performance of 80 people: N1 and N2 are predicted, N2 too extreme, P1 and P2 not.

    The model of P2 is the mean itself.
    """
    generator = np.random.default_rng(3)
    parts = []
    for target in TARGETS:
        score, noise = generator.normal(4, 1, size=(2, 80))
        signal = {"N1": 0.8, "N2": 4.0, "P1": 0.0, "P2": 0.0}[target] * (score - 4)
        said = 4.0 if target == "P2" else 4 + signal + 0.5 * (noise - 4)
        rows = {"participant": range(80), "recording": [f"r{k:02d}" for k in range(80)]}
        ours = pd.DataFrame({**rows, "target": target, "observed": score, "predicted": said})
        parts += [ours.assign(model="ridge"), ours.assign(model="mean", predicted=4.0)]
    kinds = dict.fromkeys(TARGETS, "item")
    return performance(pd.concat(parts).assign(scale="panss"), kinds, n_resamples=500)


def permutation(p_max_t: list[float], q_bh: list[float]) -> pd.DataFrame:
    frame = {"scale": "panss", "target": TARGETS, "model": "ridge", "metric": "pearson"}
    return pd.DataFrame({**frame, "p": np.divide(p_max_t, 4), "p_max_t": p_max_t, "q_bh": q_bh})


def of_ridge(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["model"] == "ridge"]


def test_what_is_found_is_said_with_what_it_does_not_mean(table: pd.DataFrame) -> None:
    """Corrected intervals: two of four; N1 is better than the mean, N2 is too extreme."""
    said = words(of_ridge(table))
    assert "in 2 of 4 targets: N1, N2 (interval of r corrected" in said[0]
    text = " ".join(said)
    assert "less than that of saying the mean of everyone in N1." in text
    assert "too far from the mean in N2." in text
    assert "association, not agreement" in text
    assert "Not found is not absent: 80 participants" in text
    assert "no diagnosis" in said[-1]


def test_permutations_decide_where_there_are_any(table: pd.DataFrame) -> None:
    """The adjusted p-value, and not the interval; the false discovery rate gives candidates."""
    said = words(of_ridge(table), permutation([0.01, 0.2, 0.9, np.nan], [0.004, 0.04, 0.9, np.nan]))
    assert "in 1 of 4 targets: N1 (permutation test" in said[0]
    assert said[1] == ("Worth another look in new data, at a false discovery rate of 5%: N2.")


def test_nothing_found_is_said_first(table: pd.DataFrame) -> None:
    """No sentence then speaks of agreement or of calibration."""
    said = words(of_ridge(table), permutation([0.5] * 4, [0.5] * 4))
    assert said[0].startswith("Nothing was found: the model tells people apart in none of 4")
    assert len(said) == 3
    assert "not that the reverse was" in said[1]


def test_tests_of_another_model_do_not_count(table: pd.DataFrame) -> None:
    """With permutations of the svr alone, the intervals decide."""
    other = permutation([1.0] * 4, [1.0] * 4).assign(model="svr")
    assert words(of_ridge(table), other) == words(of_ridge(table))


def test_the_mean_needs_no_words(table: pd.DataFrame) -> None:
    """Its association is an artefact of the folds."""
    assert "nothing to interpret" in words(table[table["model"] == "mean"])[0]


def test_many_targets_are_counted() -> None:
    """Eight names, and how many more."""
    names = [f"t{number}" for number in range(12)]
    row = {"scale": "x", "model": "ridge", "ci_low_corrected": 0.1, "n_participants": 50}
    rows = [
        {**row, "target": name, "metric": metric, "ci_low": 0.9, "ci_high": 1.1}
        for name in names
        for metric in ("pearson", "r2", "calibration_slope")
    ]
    assert "t7 and 4 more" in words(pd.DataFrame(rows))[0]


def test_one_model_at_a_time(table: pd.DataFrame) -> None:
    """Rows of two models are an error, as are none."""
    with pytest.raises(ClinicError, match="ridge, mean"):
        words(table)
    with pytest.raises(ClinicError, match="none"):
        words(table.iloc[:0])


def test_few_participants_are_warned_of_by_the_width_of_the_intervals() -> None:
    """Of eight people nothing strong can be said; of eighty, it can."""
    generator = np.random.default_rng(5)

    def said(n: int) -> str:
        parts = []
        for target in TARGETS:
            score = generator.normal(4, 1, n)
            rows = {"participant": range(n), "recording": [f"r{k:02d}" for k in range(n)]}
            ours = pd.DataFrame({**rows, "target": target, "observed": score})
            guess = 4 + 0.5 * (score - 4) + generator.normal(size=n)
            parts += [ours.assign(model="ridge", predicted=guess)]
            parts += [ours.assign(model="mean", predicted=4.0)]
        kinds = dict.fromkeys(TARGETS, "item")
        made = performance(pd.concat(parts).assign(scale="panss"), kinds, n_resamples=500)
        return " ".join(words(of_ridge(made)))

    assert "Too few participants to say how strong: with 8," in said(8)
    assert "Too few" not in said(80)
