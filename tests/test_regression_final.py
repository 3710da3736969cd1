from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression import Design, FittedModel, cross_validate, fit_model, predict
from emoclip_clinic.regression.applied import OUTSIDE
from emoclip_clinic.regression.drivers import coefficients
from emoclip_clinic.regression.fitted import Features, Regression
from emoclip_clinic.regression.folds import train_test
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.recipes import Recipe

PEOPLE = 30
DESIGN = Design(n_folds=5, n_repeats=2, n_inner_folds=3, seed=4)
FEATURES = Features("e", "f" * 64, "mean_sd")
RANGES = {"a": (-9.0, 9.0), "b": (-9.0, 9.0)}


def cohort(seed: int = 0, n: int = PEOPLE) -> tuple[Inputs, pd.DataFrame, pd.Series]:
    """Windows of n people, every third seen twice; target b is not known of the first four."""
    generator = np.random.default_rng(seed)
    person = np.r_[np.arange(n), np.arange(0, n, 3)]
    names = np.array([f"s{seed}r{number:03d}" for number in range(len(person))])
    people = np.array([f"s{seed}P{number:03d}" for number in person])
    own = generator.normal(size=(n, 4))[person]
    windows = np.repeat(own, 3, axis=0) + 0.5 * generator.normal(size=(3 * len(person), 4))
    age = pd.DataFrame({"age": 20.0 + person, "sex": "f"}, index=names)
    inputs = Inputs.of_windows(windows, np.repeat(names, 3), age)
    y = pd.DataFrame({"a": own[:, 0], "b": own[:, 1]}, index=names)
    y += 0.3 * generator.normal(size=y.shape)
    y.iloc[:4, 1] = np.nan
    return inputs, y, pd.Series(people, index=names)


def fitted(y: pd.DataFrame | None = None, recipe: str = "ridge", **given: object) -> FittedModel:
    inputs, scores, who = cohort()
    chosen = {"scale": "toy", "features": FEATURES, "ranges": RANGES, "design": DESIGN, **given}
    return fit_model(inputs, scores if y is None else y, who, recipe, **chosen)


def keys(who: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"recording": who.index, "participant": who.to_numpy(), "session": "1"})


def test_the_folds_are_those_of_the_cross_validation() -> None:
    """Their residuals are those of its first repeat, per target."""
    inputs, y, who = cohort()
    validated = cross_validate(inputs, y, who, DESIGN, ["ridge"])
    first = validated.by_repeat.query("repeat == 1")
    model = fitted(splits=validated.splits)
    assert len(model.regressions) == 2
    for facts, regression, column in model.parts():
        own = first[first["target"] == facts.target]
        expected = np.sort(own["observed"] - own["predicted"])
        np.testing.assert_allclose(np.sort(regression.residuals[:, column]), expected, atol=1e-12)
        counts = pd.Series(regression.fold_of).value_counts().sort_index()
        assert list(counts) == list(own["fold"].value_counts().sort_index())
        numbers = regression.participant_of
        assert len(set(numbers)) == own["participant"].nunique() == facts.n_participants


def of_a(model: FittedModel) -> Regression:
    return next(part for part in model.regressions if part.targets == ("a",))


def test_the_model_of_a_fold_never_saw_its_participants() -> None:
    """Changing their scores changes the other models and not their own."""
    _, y, who = cohort()
    model = fitted()
    validated = cross_validate(*cohort(), DESIGN, ["mean"])
    first = validated.splits.query("repeat == 1").set_index("participant")["fold"]
    changed = y.copy()
    changed.loc[(who.map(first) == 2).to_numpy(), "a"] += 100
    again = fitted(changed)
    for fold in range(5):
        before, after = (coefficients(of_a(fit).folds[fold]) for fit in (model, again))
        assert before is not None
        assert after is not None
        same = np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])
        assert same == (fold == 1)


def test_an_interval_holds_its_prediction() -> None:
    """Also where the models of the folds are far from the final one."""
    inputs, _, who = cohort(1, 40)
    far = Inputs.of_windows(inputs.vectors * 30, inputs.recordings[inputs.window_of].to_numpy())
    table = predict(fitted(ranges=dict.fromkeys(RANGES, (-1e6, 1e6))), far, keys(who), FEATURES)
    assert (table["interval_low"] <= table["predicted"]).all()
    assert (table["predicted"] <= table["interval_high"]).all()
    assert (table["interval_low"] < table["interval_high"]).all()


def test_what_is_unlike_the_training_is_marked_and_still_predicted() -> None:
    """In the column, in the note, for every target."""
    inputs, _, who = cohort(1)
    shifted = inputs.vectors + 40.0 * (inputs.window_of == 2)[:, np.newaxis]
    changed = Inputs.of_windows(shifted, inputs.recordings[inputs.window_of].to_numpy())
    table = predict(fitted(), changed, keys(who), FEATURES)
    strange = table["recording"] == inputs.recordings[2]
    assert table.loc[strange, "outside"].all()
    assert table["outside"].mean() < 0.2
    assert (table["note"].str.contains(OUTSIDE) == table["outside"]).all()
    assert table["predicted"].notna().all()


def test_windows_and_their_pooled_features_are_predicted_alike() -> None:
    """Where the pooling learns nothing, a notebook may bring its features."""
    inputs, _, who = cohort(1)
    model = fitted()
    pd.testing.assert_frame_equal(
        predict(model, inputs, keys(who), FEATURES),
        predict(model, inputs.pooled("mean_sd"), keys(who), FEATURES),
    )


def test_a_model_with_covariates_needs_them() -> None:
    """One that is absent is named; one that is not known of a recording is noted."""
    inputs, _, who = cohort(1)
    model = fitted(recipe="ridge+covariates")
    assert model.covariates == ("age", "sex")
    names = inputs.recordings[inputs.window_of].to_numpy()
    for given, absent in ((None, "age, sex"), (inputs.covariates[["sex"]], "age")):
        bare = Inputs.of_windows(inputs.vectors, names, given)
        with pytest.raises(ClinicError, match=rf"not given: {absent}\. Add these columns"):
            predict(model, bare, keys(who), FEATURES)
    gaps = inputs.covariates.copy()
    gaps.loc[inputs.recordings[3], "age"] = np.nan
    table = predict(model, Inputs.of_windows(inputs.vectors, names, gaps), keys(who), FEATURES)
    noted = table["note"].str.contains("covariates not known: age")
    assert set(table.loc[noted, "recording"]) == {inputs.recordings[3]}
    assert fitted().covariates == ()


def test_a_test_cohort_gives_the_residuals() -> None:
    """With one fold of people who are predicted once: split conformal prediction."""
    _, _, who = cohort()
    people = sorted(set(who))
    manifest = train_test(people[:10], people[10:])
    (model,) = (fitted(splits=manifest),)
    for regression in model.regressions:
        assert len(regression.folds) == 1
        assert len(set(regression.participant_of)) == 20
    assert model.n_participants == PEOPLE


def test_the_order_of_what_is_kept_tells_nothing() -> None:
    """Under other names, and so in another order, the same people leave the same residuals."""
    inputs, y, who = cohort()
    split = cross_validate(inputs, y, who, DESIGN, ["mean"]).splits
    turned = {name: f"Q{999 - int(name[3:])}" for name in set(who)}
    again = fit_model(
        inputs,
        y,
        who.map(turned),
        "mean",
        scale="toy",
        features=FEATURES,
        ranges=RANGES,
        design=DESIGN,
        splits=split.assign(participant=split["participant"].map(turned)),
    )
    model = fitted(recipe="mean", splits=split)
    for one, other in zip(model.regressions, again.regressions, strict=True):
        np.testing.assert_array_equal(one.residuals, other.residuals)
        np.testing.assert_array_equal(one.participant_of, other.participant_of)


def test_groups_are_counted_where_nobody_can_be_told() -> None:
    """From 10 on; smaller ones together; no column where a few are left, or all are small."""
    people = pd.DataFrame(
        {
            "even": ["x", "y"] * 15,
            "odd": ["x"] * 25 + ["y"] * 5,
            "age": range(30),
            "many": ["x"] * 14 + ["y"] * 6 + ["z"] * 6 + [None] * 4,
        },
        index=sorted(set(cohort()[2])),
    )
    assert fitted(people=people).groups == {
        "even": {"x": 15, "y": 15},
        "many": {"x": 14, "others": 16},
    }


def test_facts_are_of_the_training() -> None:
    """Scores, their range, what was tuned, the versions; the recipe may be given as such."""
    _, y, _ = cohort()
    model = fitted(recipe=Recipe("r", pooling="mean"))
    assert model.features.pooling == "mean"
    facts = model.targets[1]
    known = y["b"].dropna()
    assert (facts.score_mean, facts.score_sd) == (known.mean(), known.std())
    assert (facts.score_min, facts.score_max) == (known.min(), known.max())
    assert (facts.n_recordings, facts.n_participants) == (36, 28)
    assert list(facts.tuned) == ["alpha"]
    assert all(re.match(r"\d+\.\d+", version) for version in model.versions.values())
