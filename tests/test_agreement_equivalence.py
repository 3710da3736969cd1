"""Model against clinicians: synthetic truths, plain loops, and what cannot be compared."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.agreement.equivalence import COLUMNS, Margins, compared, equivalence, rows_of
from emoclip_clinic.agreement.panel import Panel

NONE, ALL = Margins(), Margins(icc=0.1, interchange=0.05)


def truth_of(panel: Panel) -> dict[str, float]:
    values = compared(panel, np.ones((1, len(panel.model))))
    return {name: float(value[0]) for name, value in values.items()}


def table_of(panel: Panel, margins: Margins = NONE) -> pd.DataFrame:
    people = np.array([f"P{n}" for n in range(len(panel.model))], dtype=object)
    rows = pd.DataFrame(rows_of(panel, people, margins, 200, 1), columns=COLUMNS[4:])
    return rows.set_index("statistic")


def cohort(
    n: int, n_raters: int, rater_sd: float, model_sd: float, seed: int = 0, bias: float = 0.0
) -> Panel:
    """Draw severities of variance 1, and errors of raters and model; the first rater has a bias."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    ratings = truth[:, None] + rater_sd * rng.normal(size=(n, n_raters))
    ratings[:, 0] += bias
    return Panel(ratings, truth + model_sd * rng.normal(size=n), 0.5)


def test_a_model_that_is_another_rater_cannot_be_told_from_one() -> None:
    """Differences are 0 and ratios 1, within their intervals; it is not inferior."""
    table = table_of(cohort(800, 3, 0.6, 0.6), ALL)
    for name in ("difference of ICC(A,1)", "interchangeability", "individual equivalence index"):
        assert table.value[name] == pytest.approx(0, abs=0.05)
        assert table.ci_low[name] < 0 < table.ci_high[name]
    for name in ("share of the ceiling", "Williams' index", "CIA"):
        assert table.value[name] == pytest.approx(1, abs=0.07)
    assert list(table.verdict.dropna()) == ["not inferior", "not inferior"]
    assert (table.p.dropna() < 0.01).all()


def test_a_noisy_model_is_as_far_off_as_theory_says() -> None:
    """Variance components give every statistic in closed form (errors are normal)."""
    from scipy.stats import norm

    raters, model = 1 / (1 + 0.36), 1 / (1 + (0.36 + 1) / 2)
    msd_raters, msd_model = 2 * 0.36, 0.36 + 1
    within = [2 * norm.cdf(0.5 / np.sqrt(msd)) - 1 for msd in (msd_raters, msd_model)]
    truth = {
        "rater-rater ICC(A,1)": raters,
        "model-rater ICC(A,1)": model,
        "share of the ceiling": model / raters,
        "within tolerance, rater-rater": within[0],
        "within tolerance, model-rater": within[1],
        "interchangeability": within[1] - within[0],
        "Williams' index": within[1] / within[0],
        "CIA": msd_raters / msd_model,
        "individual equivalence index": msd_model - msd_raters,
    }
    assert truth_of(cohort(40_000, 3, 0.6, 1.0)) == pytest.approx(truth, abs=0.02)
    verdicts = table_of(cohort(400, 3, 0.6, 1.6), ALL).verdict.dropna()
    assert list(verdicts) == ["inferior", "inferior"]


def test_a_lenient_rater_lowers_the_ceiling() -> None:
    """A constant of one of two raters is disagreement: their ICC(A,1) is that of the components."""
    found = truth_of(cohort(40_000, 2, 0.6, 0.6, bias=1.0))["rater-rater ICC(A,1)"]
    assert found == pytest.approx(1 / (1 + 0.36 + 0.5), abs=0.02)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_values_are_those_of_plain_loops_with_gaps(seed: int) -> None:
    """Pair by pair, on the visits that both raters and the model scored."""
    rng = np.random.default_rng(seed)
    ratings = rng.integers(1, 8, (14, 3)).astype(float)
    ratings[rng.random(ratings.shape) < 0.25] = np.nan
    panel = Panel(ratings, rng.uniform(1, 7, 14), 1.0)
    within, squares, n = np.zeros(2), np.zeros(2), 0
    for j, k in combinations(range(3), 2):
        both = [i for i in range(14) if not np.isnan(ratings[i, [j, k]]).any()]
        if len(both) < 3:
            continue
        for i in both:
            first, second, model = *ratings[i, [j, k]], panel.model[i]
            n += 1
            within += [abs(first - second) <= 1, 0]
            squares += [(first - second) ** 2, 0]
            for other in (first, second):
                within += [0, (abs(model - other) <= 1) / 2]
                squares += [0, (model - other) ** 2 / 2]
    if not n:
        return
    table = table_of(panel)
    names = ["within tolerance, rater-rater", "within tolerance, model-rater"]
    assert list(table.value[names]) == pytest.approx(list(within / n))
    assert table.value["individual equivalence index"] == pytest.approx(
        (squares[1] - squares[0]) / n
    )


def test_the_test_at_the_margin_errs_rarely() -> None:
    """The truth at the margin itself: 2.5 % are called not inferior, within Monte Carlo error."""
    margin = 1 / (1 + 0.36) - 1 / (1 + (0.36 + 1) / 2)
    n_studies, found, covered = 400, 0, 0
    for seed in range(n_studies):
        panel = cohort(50, 3, 0.6, 1.0, seed)
        people = np.arange(50).astype(object)
        (row,) = rows_of(panel, people, Margins(icc=margin), 300, seed, ["difference of ICC(A,1)"])
        found += row["verdict"] == "not inferior"
        covered += row["ci_low"] <= -margin <= row["ci_high"]
    assert found / n_studies < 0.025 + 3 * np.sqrt(0.025 * 0.975 / n_studies)
    assert covered / n_studies > 0.95 - 3 * np.sqrt(0.05 * 0.95 / n_studies)


def scored_by(panel: Panel, target: str = "N1") -> pd.DataFrame:
    """Make the tidy table of a panel: one visit a participant."""
    rows = [
        [f"P{i}", "01", f"rater{j}", "panss", target, "item", value]
        for (i, j), value in np.ndenumerate(panel.ratings)
        if not np.isnan(value)
    ]
    names = ["participant", "session", "rater", "scale", "target", "kind", "value"]
    return pd.DataFrame(rows, columns=names)


def predicted_by(panel: Panel, target: str = "N1") -> pd.DataFrame:
    table = pd.DataFrame({"participant": [f"P{i}" for i in range(len(panel.model))]})
    about = {"session": "01", "scale": "panss", "target": target, "model": "ridge"}
    return table.assign(**about, predicted=panel.model)


def compare(panels: dict[str, Panel], **options: object) -> pd.DataFrame:
    return equivalence(
        pd.concat([scored_by(panel, name) for name, panel in panels.items()]),
        pd.concat([predicted_by(panel, name) for name, panel in panels.items()]),
        scale_id="panss",
        targets=list(panels),
        tolerances=dict.fromkeys(panels, 0.5),
        n_resamples=200,
        seed=1,
        **options,
    )


def test_primary_targets_are_corrected_among_themselves() -> None:
    """One primary target keeps its p; of three secondary ones, the least may be three times it."""
    panels = {name: cohort(40, 2, 0.6, 0.7, seed) for seed, name in enumerate("ABCD")}
    table = compare(panels, margins=Margins(icc=0.2), primary=["A"])
    tested = table[table.margin.notna()].set_index("target")
    assert list(tested.role) == ["primary", "secondary", "secondary", "secondary"]
    assert tested.p_corrected["A"] == tested.p["A"]
    others = tested.loc[["B", "C", "D"]].sort_values("p")
    expected = np.minimum.accumulate((others.p * 3 / [1, 2, 3])[::-1])[::-1]
    assert list(others.p_corrected) == pytest.approx(list(expected))


def test_without_a_margin_nothing_is_tested() -> None:
    """No p, no verdict; everything else stays."""
    table = compare({"N1": cohort(30, 2, 0.6, 0.6)})
    assert table[["margin", "p", "p_corrected", "verdict"]].isna().all(axis=None)
    assert table.value.notna().all()


def test_one_rater_has_no_ceiling_but_the_model_is_compared() -> None:
    """What needs two raters is missing with the reason."""
    table = compare({"N1": cohort(30, 1, 0.6, 0.6)}, margins=ALL).set_index("statistic")
    model = ["model-rater ICC(A,1)", "within tolerance, model-rater"]
    assert table.value[model].notna().all()
    rest = table.drop(model)
    assert rest.value.isna().all()
    assert rest.note.str.contains("one rater, so there is no ceiling").all()


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ([[1, np.nan], [2, np.nan], [5, np.nan], [np.nan, 3], [np.nan, 4], [np.nan, 1]], "no two"),
        (np.full((6, 2), np.nan), "no rater scored 3 visits"),
        (np.full((6, 2), 3.0), "do not differ|no ceiling|says what the raters say"),
    ],
)
def test_what_cannot_be_compared_has_a_reason(ratings: list, reason: str) -> None:
    """Raters with nothing in common, no ratings at all, constant ratings: never a crash."""
    panel = Panel(np.asarray(ratings, float), np.array([1.0, 2, 5, 3, 4, 1]), 1.0)
    table = table_of(panel, ALL)
    undefined = table[table.value.isna()]
    assert len(undefined) >= 3
    assert undefined.note.str.contains(reason).all()
    assert (table.value.notna() | table.note.ne("")).all()
