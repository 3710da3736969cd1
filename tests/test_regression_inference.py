from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.inference import COLUMNS, METRICS, metrics, performance


def paired(seed: int, n: int = 40, twice: int = 10, slope: float = 0.6) -> pd.DataFrame:
    """Scores on 1 to 7 and predictions; the first `twice` participants have two recordings."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(twice)]
    latent = generator.normal(size=n)[person]
    rows = pd.DataFrame({"participant": [f"{who:03d}" for who in person]})
    rows["recording"] = [f"r{number:03d}" for number in range(len(person))]
    rows["observed"] = np.clip(np.round(4 + 1.5 * latent), 1, 7)
    noise = generator.normal(size=len(person))
    rows["predicted"] = 4 + slope * latent + 0.4 * noise
    return rows.assign(scale="panss", target="N1", model="ridge")


def with_baseline(rows: pd.DataFrame) -> pd.DataFrame:
    n = len(rows)
    others = (rows["observed"].sum() - rows["observed"]) / (n - 1)
    return pd.concat([rows, rows.assign(model="mean", predicted=others)], ignore_index=True)


def lin(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.cov(x, y, bias=True)
    apart = (x.mean() - y.mean()) ** 2
    return float(2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + apart))


def slow(observed: np.ndarray, predicted: np.ndarray, baseline: np.ndarray) -> dict[str, float]:
    """Every metric by another library; association is that of the departure from the mean."""
    departure = predicted - baseline
    return {
        "mae": mean_absolute_error(observed, predicted),
        "rmse": root_mean_squared_error(observed, predicted),
        "r2": 1 - np.sum((observed - predicted) ** 2) / np.sum((observed - baseline) ** 2),
        "pearson": stats.pearsonr(observed, departure).statistic,
        "spearman": stats.spearmanr(observed, departure).statistic,
        "ccc": lin(observed, predicted),
    }


@given(seed=st.integers(0, 2**32 - 1))
def test_weights_count_recordings_as_if_they_were_repeated(seed: int) -> None:
    """Weighted metrics are scipy's and scikit-learn's on the repeated rows, ties included."""
    generator = np.random.default_rng(seed)
    observed = generator.integers(1, 8, 15).astype(float)
    predicted = np.round(generator.normal(100, 2, 15), 1)
    baseline = generator.normal(4, 0.1, 15)
    weights = generator.integers(0, 4, (3, 15))
    weights[:, :3] += 1
    observed[:3], predicted[:3] = [1, 2, 7], [99, 98, 101]
    found = metrics(observed, predicted, baseline, weights.astype(float))
    for row, counts in enumerate(weights):
        expected = slow(*(np.repeat(v, counts) for v in (observed, predicted, baseline)))
        for name in METRICS:
            assert found[name][row] == pytest.approx(expected[name], rel=1e-9, abs=1e-9)


def test_a_shift_lowers_concordance_as_lin_says() -> None:
    """r2 against a constant baseline is scikit-learn's R2; CCC has Lin's closed form.

    y = x + shift has CCC = 2 s^2 / (2 s^2 + shift^2), with the variance over n.
    """
    x = np.array([1.0, 2, 3, 4, 5])
    found = metrics(x, x + 1, np.full(5, 3.0))
    assert found["ccc"].item() == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert found["r2"].item() == pytest.approx(r2_score(x, x + 1))


def test_intervals_are_those_of_a_slow_bootstrap_of_participants() -> None:
    """Resampling rows of a table person by person, in a loop, gives the same standard errors.

    That of the associations is then larger by the square root of two, for the training.
    """
    rows = with_baseline(paired(1))
    table = performance(rows, {"N1": "item"}, n_resamples=20_000).query("model == 'ridge'")
    by_person = {
        name: part[["observed", "predicted", "mean"]].to_numpy()
        for name, part in rows[rows["model"] == "ridge"]
        .assign(mean=rows.loc[rows["model"] == "mean", "predicted"].to_numpy())
        .groupby("participant")
    }
    generator = np.random.default_rng(99)
    people = list(by_person)
    scale = dict.fromkeys(METRICS, np.arctanh) | dict.fromkeys(("mae", "rmse"), np.log)
    scale["r2"] = lambda value: np.log(1 - value)
    drawn: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(1500):
        sample = np.concatenate([by_person[who] for who in generator.choice(people, len(people))])
        for name, value in slow(*sample.T).items():
            drawn[name].append(scale[name](value))
    quantile = stats.t(39).ppf(0.975)
    for _, row in table.iterrows():
        low, high = sorted(scale[row["metric"]](row[["ci_low", "ci_high"]].to_numpy(dtype=float)))
        trained = 2 if row["metric"] in ("pearson", "spearman", "ccc") else 1
        error = np.std(drawn[row["metric"]], ddof=1) * np.sqrt(trained * 40 / 39)
        assert (high - low) / 2 == pytest.approx(quantile * error, rel=0.08)
        assert (high + low) / 2 == pytest.approx(scale[row["metric"]](row["value"]))


def test_the_standard_error_is_the_exact_bootstrap_s() -> None:
    """Six participants have 46 656 resamples: the interval is as wide as all of them say.

    The bootstrap's variance is corrected by n / (n - 1), here a tenth of the width.
    """
    rows = paired(2, n=6, twice=0)
    table = performance(rows, {"N1": "item"}, n_resamples=100_000).set_index("metric")
    error = (rows["observed"] - rows["predicted"]).abs().to_numpy()
    every = error[np.array(list(itertools.product(range(6), repeat=6)))].mean(axis=1)
    half = np.log(table.loc["mae", "ci_high"] / table.loc["mae", "ci_low"]) / 2
    exact = np.log(every).std() * np.sqrt(6 / 5) * stats.t(5).ppf(0.975)
    assert half == pytest.approx(exact, rel=0.01)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """40 participants, 10 of them twice, predictions that no training has part in, 300 cohorts.

    The mean absolute error is covered in 91 to 98 %; Pearson 0.62 more often, for its interval
    also allows for what training would add.
    """
    truth = paired(0, n=200_000, twice=0)
    known = pd.Series(
        {
            "pearson": np.corrcoef(truth["observed"], truth["predicted"])[0, 1],
            "mae": (truth["observed"] - truth["predicted"]).abs().mean(),
        }
    )
    covered = []
    for seed in range(1, 301):
        table = performance(paired(seed), {"N1": "item"}, n_resamples=400, seed=seed)
        rows = table.set_index("metric").loc[known.index]
        covered.append((rows["ci_low"] <= known) & (known <= rows["ci_high"]))
    rates = pd.DataFrame(covered).mean()
    assert 0.91 <= rates["mae"] <= 0.98
    assert rates["pearson"] >= 0.98


def test_the_rounding_error_of_the_mean_does_not_correlate() -> None:
    """A model that is the training mean but for its last digits has no correlation, and says so.

    Where it departs for a third of the recordings, the others are ties.
    """
    rows = with_baseline(paired(3))
    ours = rows["model"] == "ridge"
    means = rows.loc[~ours, "predicted"].to_numpy()
    observed = rows.loc[ours, "observed"].to_numpy()
    rows.loc[ours, "predicted"] = means + 1e-13 * observed
    table = performance(rows, {"N1": "item"}).set_index(["model", "metric"]).loc["ridge"]
    for name in ("pearson", "spearman"):
        assert np.isnan(table.loc[name, "value"])
        assert table.loc[name, "note"] == "undefined: the model says nothing beyond the mean"
    assert table.loc["r2", "value"] == pytest.approx(0)

    departure = np.where(np.arange(len(means)) % 3 == 0, observed, 0.0)
    rows.loc[ours, "predicted"] = means + departure
    table = performance(rows, {"N1": "item"}).set_index(["model", "metric"]).loc["ridge"]
    expected = stats.spearmanr(observed, departure).statistic
    assert table.loc["spearman", "value"] == pytest.approx(expected)


def test_corrected_intervals_hold_for_all_targets_of_a_kind() -> None:
    """Bonferroni: with three items each is the 1 - 0.05 / 3 interval; a lone total is unchanged."""
    names = {"N1": "item", "N2": "item", "N3": "item", "total": "total"}
    rows = pd.concat([with_baseline(paired(7)).assign(target=name) for name in names])
    table = performance(rows, names).query("model == 'ridge'").set_index(["target", "metric"])
    wide = performance(with_baseline(paired(7)), {"N1": "item"}, level=1 - 0.05 / 3)
    wide = wide.query("model == 'ridge'").set_index("metric")
    for name in ("r2", "pearson", "spearman", "ccc"):
        item, total = table.loc[("N2", name)], table.loc[("total", name)]
        assert item["ci_low_corrected"] == pytest.approx(wide.loc[name, "ci_low"])
        assert item["ci_high_corrected"] == pytest.approx(wide.loc[name, "ci_high"])
        assert total["ci_low_corrected"] == pytest.approx(total["ci_low"])
    assert table.loc[(slice(None), ["mae", "rmse"]), "ci_low_corrected"].isna().all()


def test_the_table_has_a_row_for_each_target_model_and_metric() -> None:
    """Columns as documented, numbers of recordings and participants, equal for equal seeds."""
    rows = with_baseline(paired(3))
    table = performance(rows, {"N1": "item"})
    assert list(table.columns) == COLUMNS
    assert table["metric"].tolist() == [*METRICS, *METRICS]
    assert set(zip(table["n_recordings"], table["n_participants"], strict=True)) == {(50, 40)}
    shuffled = performance(rows.sample(frac=1, random_state=0), {"N1": "item"})
    keys = ["model", "metric"]
    pd.testing.assert_frame_equal(
        table.sort_values(keys, ignore_index=True), shuffled.sort_values(keys, ignore_index=True)
    )
    low, high = table["ci_low"].dropna(), table["ci_high"].dropna()
    assert (low <= table["value"].dropna()).all()
    assert (table["value"].dropna() <= high).all()


@pytest.mark.parametrize(
    ("column", "note", "undefined"),
    [
        ("predicted", "says nothing beyond the mean", {"pearson", "spearman"}),
        ("observed", "observed scores are constant", {"pearson", "spearman", "ccc"}),
    ],
)
def test_association_with_a_constant_is_not_a_number(
    column: str, note: str, undefined: set[str]
) -> None:
    """The value is missing with its reason; the errors are still given."""
    rows = paired(4)
    rows[column] = 0.1 + 0.2
    table = performance(rows, {"N1": "item"}).set_index("metric")
    assert set(table.index[table["note"].str.contains(note)]) == undefined
    assert table.loc[list(undefined), "value"].isna().all()
    assert table.loc[["mae", "rmse"], ["value", "ci_low", "ci_high"]].notna().all(axis=None)
    assert "needs the predictions of 'mean'" in table.loc["r2", "note"]


def test_a_score_that_one_person_differs_in_has_no_interval_of_association() -> None:
    """A third of the resamples miss that person: the value stands, the interval is missing."""
    rows = paired(5, twice=0).assign(observed=1.0)
    rows.loc[0, "observed"] = 4.0
    table = performance(rows, {"N1": "item"}).set_index("metric")
    assert np.isfinite(table.loc["pearson", "value"])
    assert np.isnan(table.loc["pearson", "ci_low"])
    assert table.loc["pearson", "note"] == "no interval: undefined in too many resamples"


def test_a_target_of_unknown_kind_is_an_error() -> None:
    """The correction needs to know what is tested together."""
    with pytest.raises(ClinicError, match="N1"):
        performance(paired(6), {})
