from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from emoclip_clinic import agreement
from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.precision import COLUMNS, STATISTICS, expected_width, precision


def needed(statistic: str, value: float, width: float, **options: Any) -> int:
    return int(precision(statistic, [value], [width], **options)["n"].item())


@pytest.mark.parametrize(("r", "width", "n"), [(0.362, 0.25, 188), (0.3, 0.2, 320)])
def test_correlations_as_published(r: float, width: float, n: int) -> None:
    """The examples of Bonett's own statpsych, size.ci.cor: 188 and 320."""
    assert needed("pearson", r, width) == n


@pytest.mark.parametrize(
    ("rho", "k", "n"),
    [(0.85, 4, 20), (0.8, 2, 55)],
)
def test_intraclass_correlations_as_published(rho: float, k: int, n: int) -> None:
    """Width 0.2. Bonett 2002: 4 raters, 0.85 needs 19.2; 2 raters, 0.8: 50.8 + 5 x 0.8 = 54.8."""
    assert needed("icc_a1", rho, 0.2, n_raters=k) == n


@pytest.mark.parametrize(("n", "half"), [(100, 0.34), (200, 0.24)])
def test_limits_of_agreement_as_published(n: int, half: float) -> None:
    """Bland's advice on sample size: +- 1.96 sqrt(3 / n) SDs; ours has t for 1.96."""
    t = stats.t(n - 1).ppf(0.975) / 1.96
    assert expected_width("limits", 1.0, n) / 2 / t == pytest.approx(half, abs=0.005)


def test_proportions_as_published() -> None:
    """presize, prec_prop(p = 0.2, n = 10, method = "wilson"): 0.2265777 on either side.

    Newcombe 1998: 81 of 263 has 0.2553 to 0.3662.
    """
    assert expected_width("within_1", 0.2, 10) / 2 == pytest.approx(0.2265777, abs=1e-7)
    assert expected_width("within_1", 81 / 263, 263) == pytest.approx(0.3662 - 0.2553, abs=1e-4)


@given(n=st.integers(20, 500), hits=st.integers(1, 19), level=st.sampled_from([0.9, 0.95, 0.99]))
def test_a_proportion_s_width_is_statsmodels_(n: int, hits: int, level: float) -> None:
    """Wilson's interval of `proportion_confint`."""
    low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
    assert expected_width("within_1", hits / n, n, level=level) == pytest.approx(high - low)


def pair(generator: np.random.Generator, n: int, rho: float) -> np.ndarray:
    return generator.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n).T


def width_of(statistic: str, generator: np.random.Generator, n: int) -> float:
    """Width of the interval that the agreement room gives in one simulated study."""
    if statistic == "icc_a1":
        scores = np.sqrt(0.7) * generator.normal(size=(n, 1))
        scores = scores + np.sqrt(0.3) * generator.normal(size=(n, 3))
        table = pd.DataFrame(scores).rename_axis("subject").reset_index()
        table = table.melt("subject", var_name="rater", value_name="value")
        row = agreement.icc(table).set_index("name").loc["ICC(A,1)"]
    elif statistic == "limits":
        x, y = pair(generator, n, 0.5)
        row = agreement.bland_altman(x, y).set_index("name").loc["LoA upper"]
    else:
        x, y = pair(generator, n, 0.5)
        shift = 0.5 if statistic == "ccc" else 0.0
        found = {"pearson": agreement.pearson, "ccc": agreement.ccc, "mae": agreement.mae}
        row = found[statistic](x, y + shift).iloc[0]
    return float(row["ci_high"] - row["ci_low"])


@pytest.mark.parametrize(
    ("statistic", "value", "options"),
    [
        ("pearson", 0.5, {}),
        ("icc_a1", 0.7, {"n_raters": 3}),
        # a shift of half an SD: C_b = 2 / (2 + 0.25), CCC = 0.5 C_b
        ("ccc", 0.5 * 2 / 2.25, {"accuracy": 2 / 2.25}),
        ("limits", 1.0, {}),
        # the absolute value of a standard normal
        ("mae", float(np.sqrt(1 - 2 / np.pi)), {}),
    ],
)
def test_the_width_is_what_a_study_of_that_size_has(
    statistic: str, value: float, options: dict[str, Any]
) -> None:
    """Mean width over 200 simulated studies of 60 is the expected width, to a twentieth."""
    generator = np.random.default_rng(8)
    widths = [width_of(statistic, generator, 60) for _ in range(200)]
    expected = expected_width(statistic, value, 60, **options)
    assert np.mean(widths) == pytest.approx(expected, rel=0.05)


@given(
    statistic=st.sampled_from(list(STATISTICS)),
    value=st.floats(0.05, 0.9),
    width=st.floats(0.02, 0.5),
)
def test_the_fewest_participants_are_found(statistic: str, value: float, width: float) -> None:
    """With n the width is at most the wanted one, with one fewer it is not."""
    row = precision(statistic, [value], [width]).iloc[0]
    assert row["width_at_n"] <= width
    n = int(row["n"])
    if n > STATISTICS[statistic].fewest:
        assert expected_width(statistic, value, n - 1) > width


def test_the_table_has_a_row_for_each_value_and_width() -> None:
    """Columns as documented; the wider the interval may be, the fewer are needed."""
    table = precision("pearson", [0.3, 0.6], [0.1, 0.2, 0.4])
    assert list(table.columns) == COLUMNS
    assert len(table) == 6
    assert (table.groupby("planning")["n"].diff().dropna() < 0).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("kappa", [0.5], [0.1]), {}, "allowed: pearson"),
        (("pearson", [1.0], [0.1]), {}, "below 1"),
        (("icc_a1", [0.0], [0.1]), {}, "above 0"),
        (("mae", [np.nan], [0.1]), {}, "SD of the absolute errors = nan"),
        (("pearson", [0.5], [0.0]), {}, "width = 0"),
        (("pearson", [0.5], [1e-9]), {}, "needs more than"),
        (("ccc", [0.8], [0.1]), {"accuracy": 0.7}, "above the CCC"),
        (("icc_a1", [0.8], [0.1]), {"n_raters": 1}, "2 or more"),
        (("pearson", [0.5], [0.1]), {"level": 95}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_planned_is_an_error(
    arguments: Any, options: dict[str, Any], message: str
) -> None:
    """What was given, and what is allowed."""
    with pytest.raises(ClinicError, match=message):
        precision(*arguments, **options)


def test_too_few_for_the_formula_is_an_error() -> None:
    """Fisher's z has no width for three people."""
    with pytest.raises(ClinicError, match="4 or more"):
        expected_width("pearson", 0.5, 3)
