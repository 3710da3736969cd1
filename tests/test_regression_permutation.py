from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression import permutation
from emoclip_clinic.regression.crossval import cross_validate, prepare
from emoclip_clinic.regression.folds import Design
from emoclip_clinic.regression.inference import metrics
from emoclip_clinic.regression.permutation import exchange, permutation_test

DESIGN = Design(n_folds=4, n_repeats=2, n_inner_folds=3, seed=7)


def cohort(
    seed: int = 0, n: int = 24, n_twice: int = 4, effect: float = 0.0, n_targets: int = 3
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Give features, scores and participants; the first target has an effect, the rest is noise."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(n_twice)]
    index = pd.Index([f"sub-{who:02d}_ses-{k // n}" for k, who in enumerate(person)])
    x = generator.normal(size=(len(person), 8))
    y = generator.normal(size=(n, n_targets))[person]
    y[:, 0] += effect * x[:, 0]
    return (
        pd.DataFrame(x, index=index),
        pd.DataFrame(y, index=index, columns=[f"t{k}" for k in range(n_targets)]),
        pd.Series([f"p{who:02d}" for who in person], index=index),
    )


def run(
    x: pd.DataFrame, y: pd.DataFrame, people: pd.Series, n: int = 99, **options: object
) -> pd.DataFrame:
    prepared = prepare(x, y, people, DESIGN)
    kinds = dict.fromkeys(y, "item")
    return permutation_test(
        prepared, DESIGN, "ridge", kinds, n_permutations=n, **options  # type: ignore[arg-type]
    )  # fmt: skip


@given(
    n=st.integers(2, 20), n_twice=st.integers(0, 5), n_sites=st.integers(1, 3), seed=st.integers(0)
)
def test_exchanges_move_whole_participants_within_their_stratum(
    n: int, n_twice: int, n_sites: int, seed: int
) -> None:
    """Visits stay in order and together, with another of as many visits from the same site."""
    person = np.r_[np.arange(n), np.arange(min(n, n_twice))]
    site = person % n_sites
    keys = np.random.default_rng(seed).random((5, n))
    for order in exchange(person, site, keys):
        assert sorted(order) == list(range(len(person)))
        np.testing.assert_array_equal(site[order], site)
        for one in range(n):
            rows = np.flatnonzero(person == one)
            giver = person[order[rows[0]]]
            np.testing.assert_array_equal(order[rows], np.flatnonzero(person == giver))


def test_the_observed_statistic_is_that_of_the_cross_validation() -> None:
    """The same folds, tuning and measures as `cross_validate` and `performance` use."""
    x, y, people = cohort(effect=1.5)
    found = run(x, y, people, n=19).set_index(["target", "metric"])["value"]
    table = cross_validate(x, y, people, DESIGN).predictions
    for target in y:
        own = table[table["target"] == target].pivot(
            index="recording", columns="model", values="predicted"
        )
        expected = metrics(
            y.loc[own.index, target].to_numpy(), own["ridge"].to_numpy(), own["mean"].to_numpy()
        )
        for metric in ("pearson", "r2"):
            value = found[target, metric]
            if np.isfinite(value):
                assert value == pytest.approx(expected[metric][0], abs=1e-9)


def test_an_exchange_is_a_cross_validation_of_exchanged_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each null statistic, redone the plain way: exchange the scores, run everything again."""
    x, y, people = cohort(effect=1)
    kept = {}

    def keep(found: np.ndarray, *rest: object) -> pd.DataFrame:
        kept["found"] = found
        return pd.DataFrame()

    monkeypatch.setattr(permutation, "_table", keep)
    run(x, y, people, n=19)
    prepared = prepare(x, y, people, DESIGN)
    groups = pd.factorize(prepared.groups, sort=True)[0]
    for number in (1, 7, 19):
        keys = np.random.default_rng([DESIGN.seed, number]).random(24)[np.newaxis]
        order = exchange(groups, np.zeros(28, int), keys)[0]
        moved = prepared.targets.iloc[order].set_axis(prepared.targets.index)
        table = cross_validate(x, moved, people, DESIGN).predictions
        for column, target in enumerate(y):
            own = table[table["target"] == target].pivot(
                index="recording", columns="model", values="predicted"
            )
            departure = (own["ridge"] - own["mean"]).to_numpy()
            statistic = kept["found"][0, number, column]
            if np.isfinite(statistic):
                expected = stats.pearsonr(moved.loc[own.index, target], departure)[0]
                assert statistic == pytest.approx(expected, abs=1e-9)
            else:
                assert np.ptp(departure) < 1e-9


def test_moving_the_features_is_the_same_test_where_folds_do_not_follow_scores() -> None:
    """One test with two ways to compute: a planted effect is found by both."""
    x, y, people = cohort(effect=2, n_targets=2)
    fast = run(x, y, people, n=39).set_index(["target", "metric"])
    slow = run(x, y, people, n=39, folds_follow_scores=True).set_index(["target", "metric"])
    np.testing.assert_allclose(fast["value"], slow["value"], atol=1e-9)
    assert fast.loc[("t0", "pearson"), "p"] == slow.loc[("t0", "pearson"), "p"] == 1 / 40


def test_a_planted_effect_is_found_and_survives_correction() -> None:
    """The strong target has the least p that 99 exchanges allow, the noise has none of that."""
    table = run(*cohort(effect=2)).set_index(["target", "metric"])
    for metric in ("pearson", "r2"):
        assert table.loc[("t0", metric), "p"] == 0.01
        assert table.loc[("t0", metric), "p_max_t"] == 0.01
        assert table.loc[("t0", metric), "q_bh"] <= 0.03
        assert table.loc[("t1", metric), "p_max_t"] > 0.05
    assert (table["p_max_t"] >= table["p"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("stratified", [False, True])
def test_p_is_uniform_under_noise(stratified: bool) -> None:
    """Over many cohorts of noise, visits of a person alike: Kolmogorov-Smirnov finds nothing.

    The share below 0.05 is within its Monte Carlo error. Stratified folds are made from the scores,
    so that the features must move: with that, p is uniform too.
    """
    p, corrected = [], []
    for seed in range(30 if stratified else 150):
        x, y, people = cohort(seed=1000 + seed, n=12, n_twice=3, n_targets=2)
        # the visits of a person share face and score: only a test between participants is right
        x = x.add(3 * np.random.default_rng(seed).normal(size=(12, 8))[people.str[1:].astype(int)])
        design = Design(n_folds=3, n_repeats=1, n_inner_folds=2, seed=seed)
        strata = y["t0"].groupby(people).mean() if stratified else None
        prepared = prepare(x, y, people, design, strata=strata)
        table = permutation_test(
            prepared, design, "ridge", dict.fromkeys(y, "item"), n_permutations=39,
            folds_follow_scores=stratified,
        )  # fmt: skip
        own = table[table["metric"] == "r2"]
        # where the model is the mean p is 1: that is no failure of level, but an atom at 1
        p += own["p"].tolist()
        corrected.append(own["p_max_t"].min())
    p = np.array(p)
    for level in (0.05, 0.1, 0.25, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert (p <= level).mean() < level + 3 * error
    # below the atom at 1 p is as often small as it says
    assert (p <= 0.5).mean() > 0.5 - 4 * np.sqrt(0.25 / len(p))
    n = len(corrected)
    assert (np.array(corrected) <= 0.1).mean() < 0.1 + 3 * np.sqrt(0.09 / n)


def test_scores_that_differ_between_sites_are_no_finding_within_sites() -> None:
    """Site shows in the cameras and in the scores: exchanged within sites, nothing remains."""
    x, y, people = cohort(n=40, n_twice=0, n_targets=1, seed=3)
    at_b = people.str[1:].astype(int).to_numpy() % 2
    x[0] += 4 * at_b
    y["t0"] += 3 * at_b
    sites = pd.Series(np.where(at_b, "B", "A"), index=people.to_numpy())
    everywhere = run(x, y, people).set_index("metric")
    within = run(x, y, people, within=sites).set_index("metric")
    assert everywhere.loc["r2", "p"] == 0.01
    assert within.loc["r2", "p"] > 0.05
    assert within.loc["r2", "value"] == everywhere.loc["r2", "value"]


def test_gaps_in_the_scores_are_tested_over_those_who_have_them() -> None:
    """A target with missing scores is tested in its own recordings."""
    x, y, people = cohort(effect=2)
    y.iloc[:6, 0] = np.nan
    table = run(x, y, people).set_index(["target", "metric"])
    assert table.loc[("t0", "pearson"), "n_participants"] < 24
    assert table.loc[("t0", "pearson"), "p"] < 0.05


def test_a_constant_model_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No statistic, p of 1, and the note says why: r of a constant is not a number."""
    x, y, people = cohort()
    table = permutation_test(
        prepare(x, y, people, DESIGN), DESIGN, "mean", dict.fromkeys(y, "item"), n_permutations=19
    )
    assert table["value"].isna().all()
    assert (table[["p", "p_max_t", "q_bh"]] == 1).all(axis=None)
    assert (table["note"] == "the model says nothing beyond the mean").all()


def test_those_whom_nobody_can_replace_are_counted() -> None:
    """A participant with visits of their own number stays where they are, and the note says so."""
    x, y, people = cohort(n_twice=1)
    assert run(x, y, people, n=19)["note"].str.startswith("1 of 24 participants cannot").all()


def test_chunks_and_runners_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange k is the same however many are computed together."""
    x, y, people = cohort(effect=0.7)
    whole = run(x, y, people, n=40)
    monkeypatch.setattr(permutation, "CHUNK", 7)
    pd.testing.assert_frame_equal(run(x, y, people, n=40), whole)


def test_too_few_permutations_are_refused() -> None:
    """With fewer than 19 no p could be 0.05."""
    with pytest.raises(SettingsError, match="n_permutations = 5; allowed: 0"):
        run(*cohort(), n=5)


def test_models_whose_targets_share_what_they_learn_are_exchanged_one_by_one() -> None:
    """In a network other exchanges beside would be other targets: its statistic is as it stands."""
    x, y, people = cohort(effect=3, n=12, n_twice=0, n_targets=2)
    design = Design(n_folds=3, n_repeats=1, n_inner_folds=2, seed=7)
    prepared = prepare(x, y, people, design)
    table = permutation_test(prepared, design, "head", dict.fromkeys(y, "item"), n_permutations=19)
    out = cross_validate(x, y, people, design, ["head", "mean"]).predictions
    own = out[out["target"] == "t0"].pivot(index="recording", columns="model", values="predicted")
    r = stats.pearsonr(y.loc[own.index, "t0"], own["head"] - own["mean"])[0]
    found = table.set_index(["target", "metric"]).loc[("t0", "pearson"), "value"]
    assert found == pytest.approx(r, abs=1e-6)
