"""Limits of agreement against the published example, exact coverage, and properties."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emoclip_clinic.agreement import bland_altman
from emoclip_clinic.agreement.limits import weighted_limits

pairs = hnp.arrays(float, st.tuples(st.just(2), st.integers(2, 12)), elements=st.integers(1, 7))


def test_peak_flow_meters_have_the_published_limits(shared: Path) -> None:
    """Bias with interval, SD and limits are those of the 1986 paper at full precision."""
    data = tomllib.loads((shared / "validation/agreement.toml").read_text())["bland_altman_1986"]
    known = data["wright1_minus_mini1"]
    found = bland_altman(data["wright1"], data["mini1"]).set_index("name")
    assert found.value["bias"] == pytest.approx(known["bias"], abs=1e-6)
    assert found.value["SD"] == pytest.approx(known["sd"], abs=1e-6)
    assert list(found.value[["LoA lower", "LoA upper"]]) == pytest.approx(
        known["loa_1_96"], abs=1e-6
    )
    assert list(found.loc["bias", ["ci_low", "ci_high"]]) == pytest.approx(
        known["bias_ci95"], abs=1e-4
    )


def test_approximate_interval_is_that_of_1999() -> None:
    """The standard error of a limit tends to 1.71 SD / sqrt(n), as Bland and Altman print it."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=4000)
    found = bland_altman(x, np.zeros(4000), "approximate").set_index("name")
    error = (found.ci_high["LoA upper"] - found.value["LoA upper"]) / 1.96
    assert error == pytest.approx(1.71 * found.value["SD"] / np.sqrt(4000), rel=2e-3)
    assert "Bland & Altman 1999" in found.method["LoA upper"]


@pytest.mark.parametrize("n", [3, 10, 40])
def test_exact_interval_holds_the_true_limit_in_95_percent_of_samples(n: int) -> None:
    """Both tails of the exact interval miss bias + 1.96 SD in 2.5 % of normal samples."""
    rng = np.random.default_rng(n)
    some = bland_altman(rng.normal(size=n), np.zeros(n)).set_index("name")
    upper, bias, sd = some.loc["LoA upper"], some.value["bias"], some.value["SD"]
    near, far = (upper.ci_low - bias) / sd, (upper.ci_high - bias) / sd
    samples = rng.normal(size=(40_000, n))
    mean, spread = samples.mean(axis=1), samples.std(axis=1, ddof=1)
    assert (mean + near * spread > 1.96).mean() == pytest.approx(0.025, abs=0.004)
    assert (mean + far * spread < 1.96).mean() == pytest.approx(0.025, abs=0.004)


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_exchanging_the_methods_mirrors_everything(both: np.ndarray) -> None:
    """Bias and limits of y - x are those of x - y with the sign and the ends exchanged."""
    there = bland_altman(*both).set_index("name")
    back = bland_altman(*both[::-1]).set_index("name")
    for name, mirrored in (("bias", "bias"), ("LoA lower", "LoA upper")):
        row, other = there.loc[name], back.loc[mirrored]
        expected = [-other.value, -other.ci_high, -other.ci_low]
        assert [row.value, row.ci_low, row.ci_high] == pytest.approx(expected, nan_ok=True)


@given(pairs, st.data())
@settings(max_examples=60, deadline=None)
def test_weights_count_subjects(both: np.ndarray, data: st.DataObject) -> None:
    """A subject of weight 2 counts as its pair given twice."""
    n = both.shape[1]
    counts = data.draw(hnp.arrays(int, n, elements=st.integers(0, 3)).filter(lambda c: sum(c) > 1))
    found = weighted_limits(*both, counts[None].astype(float))
    known = bland_altman(*np.repeat(both, counts, axis=1)).set_index("name")
    for name, values in found.items():
        assert values[0] == pytest.approx(known.value[name], abs=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "values"),
    [
        ([], [], [np.nan, np.nan, np.nan, np.nan]),
        ([3], [1], [2, np.nan, np.nan, np.nan]),
        ([3, 4, 5], [1, 2, 3], [2, 0, 2, 2]),
    ],
)
def test_without_spread_there_is_no_interval(x: list, y: list, values: list[float]) -> None:
    """Too few subjects or equal differences leave intervals empty, and the notes say why."""
    found = bland_altman(x, y)
    assert list(found.value) == pytest.approx(values, nan_ok=True)
    assert found[["ci_low", "ci_high"]].isna().all(axis=None)
    assert found.note.str.contains("undefined|no interval").all()
