from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from emoclip_clinic.errors import ClinicError, StudyError, TooFewError
from emoclip_clinic.regression.crossval import CrossValidation, cross_validate
from emoclip_clinic.regression.folds import Design, splits, train_test
from emoclip_clinic.regression.inference import performance
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.pooling import pool

SMALL = Design(n_folds=5, n_repeats=2, n_inner_folds=3, seed=11)


class Cohort:
    """30 participants, 6 of them seen twice, 12 features, of which one is the score s + noise."""

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        person = np.r_[np.arange(30), np.arange(6)]
        index = pd.Index([f"sub-{who:02d}_ses-{k // 30}" for k, who in enumerate(person)])
        signal = generator.normal(size=30)[person]
        x = generator.normal(size=(36, 12))
        x[:, 3] += 5 * signal
        y = np.c_[signal, generator.normal(size=(30, 2))[person]]
        self.x = pd.DataFrame(x, index=index)
        self.targets = pd.DataFrame(y, index=index, columns=["signal", "noise", "more noise"])
        self.participants = pd.Series([f"{who:02d}" for who in person], index=index)

    def fit(self, design: Design = SMALL, **options: object) -> CrossValidation:
        """Cross-validate as it stands."""
        return cross_validate(
            self.x,
            self.targets,
            self.participants,
            design,
            **options,  # type: ignore[arg-type]
        )


@pytest.fixture
def cohort() -> Cohort:
    return Cohort()


def wide(result: CrossValidation, model: str = "ridge") -> pd.DataFrame:
    own = result.predictions[result.predictions["model"] == model]
    return own.pivot(index="recording", columns="target", values="predicted")


def test_a_known_signal_is_found_and_noise_is_not(cohort: Cohort) -> None:
    """A feature that is the score plus a fifth of noise predicts it; noise stays unpredicted."""
    predicted = wide(cohort.fit())
    truth = cohort.targets.loc[predicted.index]
    assert np.corrcoef(predicted["signal"], truth["signal"])[0, 1] > 0.85
    for name in ("noise", "more noise"):
        assert np.corrcoef(predicted[name], truth[name])[0, 1] < 0.3


def test_predictions_are_one_row_a_recording_target_and_model(cohort: Cohort) -> None:
    """Sorted, with the score that was observed; nothing is excluded."""
    result = cohort.fit()
    table = result.predictions
    assert list(table.columns) == [
        *("participant", "recording", "target", "model", "observed", "predicted", "predicted_sd")
    ]
    assert len(table) == 36 * 3 * 2
    assert table["target"].unique().tolist() == list(cohort.targets.columns)
    pd.testing.assert_frame_equal(
        table[table["model"] == "mean"].pivot(
            index="recording", columns="target", values="observed"
        ),
        cohort.targets.sort_index()[sorted(cohort.targets)],
        check_names=False,
    )
    assert result.exclusions.empty
    assert (table["predicted_sd"] > 0).all()


def test_the_baseline_is_the_mean_of_the_other_folds(cohort: Cohort) -> None:
    """Recomputed from the manifest with plain pandas, averaged over the repeats, with their SD."""
    result = cohort.fit()
    fold = result.splits.set_index(["repeat", "participant"])["fold"]
    each = {}
    for repeat in (1, 2):
        of = cohort.participants.map(fold[repeat])
        each[repeat] = of.map({f: cohort.targets["signal"][of != f].mean() for f in of.unique()})
    expected = pd.DataFrame(each)
    table = result.predictions.query("model == 'mean' and target == 'signal'").set_index(
        "recording"
    )
    expected = expected.loc[table.index]
    np.testing.assert_allclose(table["predicted"], expected.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(table["predicted_sd"], expected.std(axis=1, ddof=1), rtol=1e-9)


@pytest.mark.parametrize("design", [SMALL, Design(kind="lopo", n_inner_folds=3)])
def test_nothing_is_learnt_from_the_participant_that_is_predicted(
    cohort: Cohort, design: Design
) -> None:
    """Absurd scores of a person move no prediction of theirs, absurd features none of their fold's.

    Were the features standardised, or the penalty tuned, with the test rows, these would move.
    """
    before = cohort.fit(design)
    own = cohort.participants.index[cohort.participants == "02"]
    assert len(own) == 2

    poisoned = Cohort()
    poisoned.targets.loc[own] += 1e6
    after = wide(poisoned.fit(design))
    pd.testing.assert_frame_equal(after.loc[own], wide(before).loc[own], check_exact=True)
    others = after.index.difference(own)
    assert (abs(after.loc[others] - wide(before).loc[others]) > 1).any(axis=None)

    # with a single repeat, those in the same fold are never in training together
    once = before.splits[before.splits["repeat"] == 1]
    clean = cohort.fit(design, splits=once)
    poisoned = Cohort()
    poisoned.x.loc[own] *= 1e6
    after = wide(poisoned.fit(design, splits=once))
    fold = once.set_index("participant")["fold"]
    same = [r for r, p in cohort.participants.items() if fold[p] == fold["02"] and p != "02"]
    pd.testing.assert_frame_equal(after.loc[same], wide(clean).loc[same], check_exact=True)


def test_a_manifest_given_back_reproduces_the_run(cohort: Cohort, tmp_path: Path) -> None:
    """Bit for bit, also through a CSV, whatever the order of the rows."""
    first = cohort.fit()
    first.splits.sample(frac=1, random_state=0).to_csv(tmp_path / "splits.csv", index=False)
    manifest = pd.read_csv(tmp_path / "splits.csv", dtype={"participant": str})
    cohort.x, cohort.targets = cohort.x[::-1], cohort.targets.sample(frac=1, random_state=1)
    again = cohort.fit(splits=manifest)
    pd.testing.assert_frame_equal(first.predictions, again.predictions, check_exact=True)
    with pytest.raises(StudyError, match="in no fold"):
        cohort.fit(splits=manifest[manifest["participant"] != "07"])


def test_lopo_has_one_prediction_and_no_spread(cohort: Cohort) -> None:
    """The SD over a single repeat is missing, not 0."""
    result = cohort.fit(Design(kind="lopo", n_inner_folds=3))
    assert result.splits["fold"].nunique() == 30
    assert result.predictions["predicted_sd"].isna().all()
    assert result.predictions["predicted"].notna().all()


def test_a_target_trains_on_the_recordings_that_have_it(cohort: Cohort) -> None:
    """Its predictions are those of a cohort without the others; the other targets' stay."""
    complete = cohort.fit()
    cohort.targets.iloc[[2, 9, 33], 1] = np.nan
    partial = cohort.fit()
    for name in ("signal", "more noise"):
        np.testing.assert_allclose(wide(partial)[name], wide(complete)[name], rtol=1e-9)
    assert partial.predictions.query("target == 'noise' and model == 'ridge'").shape[0] == 33

    alone = Cohort()
    alone.targets = cohort.targets[["noise"]].dropna()
    alone.x = alone.x.loc[alone.targets.index]
    np.testing.assert_allclose(
        wide(alone.fit(splits=partial.splits))["noise"],
        wide(partial)["noise"].dropna(),
        rtol=1e-9,
    )


def test_targets_that_cannot_be_fitted_are_excluded_with_a_reason(cohort: Cohort) -> None:
    """Constant, or rated in too few participants; the others go on."""
    cohort.targets["flat"] = 3.0
    cohort.targets["rare"] = cohort.targets["noise"].where(cohort.participants < "04")
    cohort.targets["never"] = np.nan
    result = cohort.fit()
    assert result.exclusions.to_numpy().tolist() == [
        ["fit", "target", "flat", "constant: every rating is the same"],
        ["fit", "target", "rare", "ratings of 4 participants, 5 needed"],
        ["fit", "target", "never", "ratings of 0 participants, 5 needed"],
    ]
    assert set(result.predictions["target"]) == {"signal", "noise", "more noise"}
    cohort.targets = cohort.targets[["flat", "rare"]]
    with pytest.raises(TooFewError, match="none of 2 targets can be fitted"):
        cohort.fit()


def test_a_target_whose_raters_gather_in_one_fold_is_excluded(cohort: Cohort) -> None:
    """There must be someone to train on."""
    manifest = splits(cohort.participants, Design(n_folds=2, n_repeats=1))
    fold = cohort.participants.map(manifest.set_index("participant")["fold"])
    first = cohort.participants[fold == 2].unique()[:2]
    known = (fold == 1) | cohort.participants.isin(first)
    cohort.targets["lopsided"] = cohort.targets["noise"].where(known)
    result = cohort.fit(Design(n_folds=2, n_repeats=1))
    assert result.exclusions["id"].tolist() == ["lopsided"]
    assert result.exclusions["reason"].item() == "fewer than 4 participants to train on in a fold"


def test_recordings_without_features_or_rating_are_excluded_with_a_reason(cohort: Cohort) -> None:
    """Filmed and never rated, rated and never filmed: a row each, and the rest goes on."""
    unrated, unfilmed = cohort.x.index[0], cohort.x.index[1]
    cohort.targets = cohort.targets.drop(index=unrated)
    cohort.x = cohort.x.drop(index=unfilmed)
    result = cohort.fit()
    assert result.exclusions.to_numpy().tolist() == [
        ["fit", "recording", unrated, "no rating of this scale"],
        ["fit", "recording", unfilmed, "rated, no features"],
    ]
    assert result.predictions["recording"].nunique() == 34


def test_what_cannot_be_aligned_is_an_error(cohort: Cohort) -> None:
    """Recordings given twice or of nobody, features that are not numbers, too few participants."""
    few = cohort.x.index[:4]
    with pytest.raises(TooFewError, match="4 participants"):
        cross_validate(cohort.x.loc[few], cohort.targets, cohort.participants, SMALL)
    with pytest.raises(ClinicError, match="no participant is known for sub-00_ses-0"):
        cross_validate(cohort.x, cohort.targets, cohort.participants.iloc[1:], SMALL)
    twice = pd.concat([cohort.targets, cohort.targets.iloc[:1]])
    with pytest.raises(ClinicError, match="scores of sub-00_ses-0 are given twice"):
        cross_validate(cohort.x, twice, cohort.participants, SMALL)
    cohort.x.iloc[3, 3] = np.inf
    with pytest.raises(ClinicError, match="not a finite number"):
        cohort.fit()


def test_progress_counts_the_folds(cohort: Cohort) -> None:
    """From 1 to all, once each."""
    seen: list[tuple[int, int]] = []
    cohort.fit(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 10) for k in range(1, 11)]


def test_noise_ratings_give_no_skill() -> None:
    """Over 20 seeds, 20 targets each, corrected intervals of Pearson seldom miss 0.

    One study of 40 may on either side; 0 to 2 of 20 is within the binomial's 97.5 %. R2 against
    the mean is not above 0 on average, and pooled Pearson is below 0, its known bias.
    """
    design = Design(n_folds=5, n_repeats=2, n_inner_folds=3)
    names = [f"t{number}" for number in range(20)]
    tables = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        index = pd.Index([f"r{number:02d}" for number in range(30)])
        x = pd.DataFrame(generator.normal(size=(30, 40)), index=index)
        y = pd.DataFrame(generator.normal(size=(30, 20)), index=index, columns=names)
        result = cross_validate(x, y, pd.Series(index, index=index), design)
        own = result.predictions.assign(scale="noise")
        kinds = dict.fromkeys(names, "item")
        tables.append(performance(own, kinds, n_resamples=500).assign(seed=seed))
    table = pd.concat(tables).query("model == 'ridge'")
    pearson = table[table["metric"] == "pearson"]
    assert pearson[pearson["ci_low_corrected"] > 0]["seed"].nunique() <= 2
    assert pearson[pearson["ci_high_corrected"] < 0]["seed"].nunique() <= 2
    assert pearson["value"].mean() < 0
    assert table.loc[table["metric"] == "r2", "value"].mean() <= 0


def test_a_random_split_of_clips_would_find_skill_in_noise() -> None:
    """Windows share their person: splitting windows gives r near 1 on noise, ours does not.

    This is why the folds are of participants and cannot be otherwise.
    """
    generator = np.random.default_rng(2)
    person = np.repeat(np.arange(40), 6)
    windows = generator.normal(size=(40, 64))[person] + 0.1 * generator.normal(size=(240, 64))
    scores = generator.normal(size=40)

    clips = KFold(10, shuffle=True, random_state=0)
    leaky = cross_val_predict(RidgeCV(np.logspace(-3, 3, 7)), windows, scores[person], cv=clips)
    assert np.corrcoef(leaky, scores[person])[0, 1] > 0.95

    names = np.array([f"p{number:02d}" for number in range(40)])
    x = pool(windows, names[person])
    y = pd.DataFrame({"noise": scores}, index=names)
    ours = wide(cross_validate(x, y, pd.Series(names, names), Design(n_repeats=2)))["noise"]
    assert np.corrcoef(ours, scores)[0, 1] < 0.3


def test_the_baseline_s_correlation_is_an_artefact_of_the_folds(cohort: Cohort) -> None:
    """Leaving one out, the mean of the others falls as the score rises: r = -1 exactly.

    This is why correlations of the baseline are not reported, and why noise scores below 0.
    """
    cohort.targets = cohort.targets.iloc[:30]
    result = cohort.fit(Design(kind="lopo"), models=["mean"])
    predicted = wide(result, "mean")
    for name in predicted:
        r = np.corrcoef(predicted[name], cohort.targets.loc[predicted.index, name])[0, 1]
        assert r == pytest.approx(-1)
    table = performance(
        result.predictions.assign(scale="x"), dict.fromkeys(cohort.targets, "item"), n_resamples=50
    )
    correlations = table[table["metric"].isin(["pearson", "spearman", "ccc"])]
    assert correlations["value"].isna().all()
    assert correlations["note"].str.contains("varies only with the fold").all()


def test_every_repeat_is_kept_and_averages_to_the_predictions(cohort: Cohort) -> None:
    """by_repeat has each prediction with its fold; their mean and SD are those of predictions."""
    result = cohort.fit()
    each = result.by_repeat
    fold = result.splits.set_index(["repeat", "participant"])["fold"]
    keys = pd.MultiIndex.from_frame(each[["repeat", "participant"]])
    np.testing.assert_array_equal(fold.loc[keys].to_numpy(), each["fold"].to_numpy())
    keys = ["recording", "target", "model"]
    summary = each.groupby(keys)["predicted"].agg(["mean", "std"])
    expected = result.predictions.set_index(keys).loc[summary.index]
    np.testing.assert_allclose(summary["mean"], expected["predicted"], rtol=1e-12)
    np.testing.assert_allclose(summary["std"], expected["predicted_sd"], rtol=1e-9)


def test_a_test_cohort_is_predicted_by_the_others_alone(cohort: Cohort) -> None:
    """Only its recordings have predictions; its scores have no part in them."""
    names = sorted(set(cohort.participants))
    manifest = train_test(names[:20], names[20:])
    before = cohort.fit(splits=manifest).predictions
    assert set(before["participant"]) == set(names[20:])
    assert before["predicted_sd"].isna().all()
    changed = Cohort()
    changed.targets.loc[changed.participants.isin(names[20:])] += 100
    after = changed.fit(splits=manifest).predictions
    np.testing.assert_array_equal(before["predicted"], after["predicted"])


def test_leave_one_site_out_trains_on_the_other_sites(cohort: Cohort) -> None:
    """The baseline of a site is the mean of the other."""
    site = pd.Series({name: "A" if int(name) < 12 else "B" for name in set(cohort.participants)})
    result = cohort.fit(Design(kind="loso", n_inner_folds=3), sites=site)
    means = result.predictions.query("model == 'mean' and target == 'noise'")
    of = cohort.participants.map(site)
    for name, rows in means.groupby(means["participant"].map(site)):
        expected = cohort.targets.loc[of != name, "noise"].mean()
        np.testing.assert_allclose(rows["predicted"], expected)


def test_windows_are_pooled_as_the_recipe_says(cohort: Cohort) -> None:
    """From windows the same predictions as from the features they are pooled to."""
    generator = np.random.default_rng(1)
    names = np.repeat(cohort.x.index.to_numpy(), 3)
    vectors = np.repeat(cohort.x.to_numpy(), 3, axis=0) + generator.normal(size=(108, 12))
    inputs = Inputs.of_windows(vectors, names)
    for how in ("mean", "mean_sd"):
        found = cross_validate(
            inputs, cohort.targets, cohort.participants, SMALL, [f"ridge@{how}"]
        ).predictions
        plain = cross_validate(
            pool(vectors, names, how), cohort.targets, cohort.participants, SMALL, ["ridge"]
        ).predictions
        np.testing.assert_allclose(found["predicted"], plain["predicted"], rtol=1e-9)
        assert set(found["model"]) == {f"ridge@{how}"}
