from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import skops.io

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression import estimators
from emoclip_clinic.regression.crossval import cross_validate
from emoclip_clinic.regression.folds import Design, splits
from emoclip_clinic.regression.frames import FRAMES
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.pooling import POOLINGS
from emoclip_clinic.regression.recipes import RULES, TRUSTED_CLASSES, Recipe, RecipeModel
from emoclip_clinic.regression.ridge import GroupedRidge

SMALL = Design(n_folds=4, n_repeats=1, n_inner_folds=2, seed=1)
MODELS = [
    "covariates",
    *(f"ridge@{how}{rule or ''}" for how, rule in product(POOLINGS, RULES) if how != FRAMES),
]


class Study:
    """Participants with a recording each, windows in order of time, covariates, scores."""

    def __init__(self, n: int = 8, n_windows: int = 12, d: int = 5, seed: int = 0) -> None:
        self.generator = generator = np.random.default_rng(seed)
        self.index = pd.Index([f"sub-{k:02d}" for k in range(n)])
        self.participants = pd.Series(self.index, index=self.index)
        self.names = np.repeat(self.index.to_numpy(), n_windows)
        self.vectors = generator.normal(size=(len(self.names), d))
        self.covariates = pd.DataFrame(
            {
                "age": generator.normal(40, 10, size=n),
                "sex": generator.choice(["f", "m"], size=n),
                "country": "N",
            },
            index=self.index,
        )
        self.targets = pd.DataFrame(generator.normal(size=(n, 3)), self.index, list("abc"))

    @property
    def inputs(self) -> Inputs:
        """As a model sees it."""
        return Inputs.of_windows(self.vectors, self.names, self.covariates)

    def fit(self, *models: str, design: Design = SMALL) -> pd.DataFrame:
        """Out-of-fold predictions, a column a model and target."""
        result = cross_validate(self.inputs, self.targets, self.participants, design, models)
        return result.predictions.pivot(
            index="recording", columns=["model", "target"], values="predicted"
        )

    def r(self, *models: str, target: str = "a") -> list[float]:
        """Correlation of predictions and scores for each model."""
        found = self.fit(*models, design=Design(n_folds=5, n_repeats=2, n_inner_folds=3))
        return [float(found[name][target].corr(self.targets[target])) for name in models]


@pytest.fixture
def study() -> Study:
    return Study()


def fitted(model: str, study: Study, train: np.ndarray) -> RecipeModel:
    """Fit to the recordings at these positions."""
    y, groups = study.targets.to_numpy()[train], study.participants.to_numpy()[train]
    return Recipe.parse(model).make(3, 0).fit(study.inputs.take(train), y, groups)


def test_a_recipe_is_read_from_words() -> None:
    """Estimator, pooling or the one that is set, rule."""
    assert Recipe.parse("ridge@fisher-covariates").pooling == "fisher"
    assert Recipe.parse("ridge+covariates", "windows").pooling == "windows"
    assert Recipe.parse("ridge@mean-covariates").covariates == "remove"
    assert Recipe.parse("covariates").covariates == "only"
    for text, default in (("ridge@max", "mean"), ("ridge", "max"), ("covariates", "max")):
        with pytest.raises(SettingsError, match=r"'max'; allowed: mean, mean_sd, quantiles"):
            Recipe.parse(text, default)
    with pytest.raises(SettingsError, match="'ridge@'; allowed: ESTIMATOR"):
        Recipe.parse("ridge@")


def test_every_pooling_goes_with_every_rule(study: Study) -> None:
    """8 participants, some with one window, gaps in scores and covariates, constant features."""
    keep = ~np.isin(study.names, study.index[:3]) | ~pd.Series(study.names).duplicated()
    study.vectors, study.names = study.vectors[keep], study.names[keep]
    study.vectors[:, 2] = 3
    study.covariates.iloc[[1, 5]] = None
    study.targets.iloc[4, 1] = np.nan
    found = study.fit(*MODELS)
    for model in MODELS:
        for target in study.targets:
            known = study.targets[target].notna()
            assert found[model][target].notna().equals(known), (model, target)
            assert np.isfinite(found.loc[known, (model, target)]).all()


@pytest.mark.parametrize("model", MODELS)
def test_fit_predict_is_fit_then_predict(model: str, study: Study) -> None:
    """The shortcut of the permutation test gives the same numbers, for many more targets too."""
    train, test = np.arange(6), np.arange(6, 8)
    study.targets = pd.DataFrame(study.generator.normal(size=(8, 40)), study.index)
    slow = fitted(model, study, train).predict(study.inputs.take(test))
    fast = (
        Recipe.parse(model)
        .make(3, 0)
        .fit_predict(
            study.inputs.take(train),
            study.targets.to_numpy()[train],
            study.participants.to_numpy()[train],
            study.inputs.take(test),
        )
    )
    np.testing.assert_allclose(fast, slow, atol=1e-9)


def learnt(model: RecipeModel) -> dict[str, bytes]:
    """Everything that was learnt, by name, as bytes."""
    parts = {"model": model.model_}
    if hasattr(model, "encoder_"):
        parts["encoder"] = model.encoder_
    for name in ("features_on_", "scores_on_"):
        if hasattr(model, name):
            parts[name] = getattr(model, name).model_
    if hasattr(model, "pooling_"):
        parts |= {"pca": model.pooling_.pca_, "mixture": model.pooling_.mixture_}
    return {
        f"{part}.{name}": repr(np.asarray(value).tolist()).encode()
        for part, fit in parts.items()
        for name, value in vars(fit).items()
        if name.endswith("_")
    }


@pytest.mark.parametrize("model", [name for name in MODELS if name != "covariates"])
def test_nothing_is_learnt_from_the_recordings_that_are_predicted(
    model: str, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wild windows and covariates in the test fold leave all parameters of its model as they are.

    The trap is around `cross_validate` itself: it sees each model at the moment it predicts.
    """
    manifest = splits(study.participants, SMALL)
    tested = manifest.loc[manifest["fold"] == 1, "participant"]
    models: list[dict[str, bytes]] = []
    plain = RecipeModel.predict

    def seen(self: RecipeModel, inputs: Inputs) -> np.ndarray:
        if set(inputs.recordings) == set(tested):
            models.append(learnt(self))
        return plain(self, inputs)

    monkeypatch.setattr(RecipeModel, "predict", seen)
    study.fit(model)
    study.vectors[np.isin(study.names, tested)] = study.generator.normal(
        1e3, 1e4, size=(12 * len(tested), 5)
    )
    study.covariates.loc[tested, ["age", "sex"]] = [1e4, "unheard of"]
    study.targets.loc[tested] += 100
    study.fit(model)
    before, after = models
    assert before == after
    assert ("mixture.means_" in before) == ("@fisher" in model)
    assert ("encoder.covariates_" in before) == ("covariates" in model)


def test_change_in_time_is_found_by_differences_alone() -> None:
    """Faces with the same windows, of which some move slowly and others to and fro."""
    study = Study(n=40, n_windows=20)
    shaking = study.generator.random(40)
    levels = np.sort(study.generator.normal(size=(40, 20, 5)), axis=1)
    for person, share in enumerate(shaking):
        swapped = study.generator.permutation(20)[: round(20 * share)]
        levels[person, np.sort(swapped)] = levels[person, swapped]
    study.vectors = levels.reshape(800, 5)
    study.targets = pd.DataFrame({"a": shaking}, index=study.index)
    with_time, without, spread = study.r("ridge@differences", "ridge@mean", "ridge@mean_sd")
    assert with_time > 0.8
    assert without < 0.35
    assert spread < 0.35


def test_a_confound_is_found_by_plain_ridge_and_not_after_its_removal() -> None:
    """Faces show age alone and scores go with age: all that there is to find is age."""
    study = Study(n=60, n_windows=3)
    age = (study.covariates["age"].to_numpy() - 40) / 10
    study.vectors += 2 * np.repeat(age, 3)[:, np.newaxis]
    study.targets = pd.DataFrame({"a": age + 0.3 * study.generator.normal(size=60)}, study.index)
    models = ("ridge@mean", "ridge@mean-covariates", "ridge@windows-covariates", "covariates")
    plain, removed, windows, alone = study.r(*models)
    assert plain > 0.8
    assert removed < 0.25
    assert windows < 0.25
    assert alone > 0.8


def test_what_the_face_adds_to_covariates_is_added() -> None:
    """Scores of age and of the face, uncorrelated: together they predict better than each."""
    study = Study(n=60, n_windows=3)
    age = (study.covariates["age"].to_numpy() - 40) / 10
    face = study.vectors.reshape(60, 3, 5).mean(axis=1)[:, 0] * np.sqrt(3)
    study.targets = pd.DataFrame({"a": age + face}, study.index)
    both, plain, alone = study.r("ridge@mean+covariates", "ridge@mean", "covariates")
    assert both > max(plain, alone) + 0.15
    assert both > 0.9


@pytest.mark.parametrize("penalty", [1e15, 1.0, 1e-3])
def test_covariates_that_are_added_bear_no_penalty(
    penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numpy's lstsq of covariates and features at once, the penalty as rows for features alone.

    With a huge penalty that is least squares on the covariates.
    """
    study = Study(n=30, n_windows=4)
    train, test = np.arange(24), np.arange(24, 30)
    monkeypatch.setattr(estimators, "make", lambda *_: GroupedRidge((penalty,), 3, 0))
    found = fitted("ridge@mean+covariates", study, train).predict(study.inputs.take(test))
    x = study.vectors.reshape(30, 4, 5).mean(axis=1)
    known = np.c_[np.ones(30), study.covariates["age"], study.covariates["sex"] == "f"]
    left = x[train] - known[train] @ np.linalg.lstsq(known[train], x[train])[0]
    rows = np.c_[np.zeros((5, 3)), np.diag(np.sqrt(penalty * 5) * left.std(axis=0))]
    design = np.r_[np.c_[known, x][train], rows]
    y = np.r_[study.targets.to_numpy()[train], np.zeros((5, 3))]
    np.testing.assert_allclose(found, np.c_[known, x][test] @ np.linalg.lstsq(design, y)[0])
    if penalty == 1e15:
        plain = np.linalg.lstsq(known[train], study.targets.to_numpy()[train])[0]
        np.testing.assert_allclose(found, known[test] @ plain, rtol=1e-6)


def test_each_window_carries_the_score_and_predictions_are_averaged(study: Study) -> None:
    """As a ridge on windows, whose folds are of participants, averaged by pandas."""
    names = np.append(study.names, "sub-07")
    study.vectors, study.names = np.r_[study.vectors, study.vectors[:1]], names
    train, test = np.arange(5), np.arange(5, 8)
    found = fitted("ridge@windows", study, train).predict(study.inputs.take(test))
    own = np.isin(names, study.index[:5])
    ridge = GroupedRidge(n_inner_folds=3).fit(
        study.vectors[own], study.targets.loc[names[own]].to_numpy(), names[own]
    )
    expected = pd.DataFrame(ridge.predict(study.vectors[~own])).groupby(names[~own]).mean()
    np.testing.assert_allclose(found, expected)


def test_what_a_recipe_needs_is_asked_for_before_anything_is_fitted(study: Study) -> None:
    """Covariates by the key that names them; windows where only pooled features are given."""
    plain = Inputs.of_windows(study.vectors, study.names)
    for model in ("covariates", "ridge+covariates", "ridge-covariates"):
        with pytest.raises(SettingsError, match=r"\[fit\] covariates"):
            Recipe.parse(model).warm(plain)
        with pytest.raises(SettingsError, match=r"\[fit\] covariates"):
            cross_validate(plain, study.targets, study.participants, SMALL, [model])
    pooled = Inputs.of_features(plain.pooled("mean"), study.covariates)
    for how in ("fisher", "windows"):
        with pytest.raises(SettingsError, match=f"'{how}' needs the windows"):
            cross_validate(pooled, study.targets, study.participants, SMALL, [f"ridge@{how}"])
    for how in ("quantiles", "differences"):
        Recipe.parse(f"ridge@{how}").warm(pooled)
        assert pooled.pooled(how) is pooled.features


@pytest.mark.parametrize("model", ["ridge@fisher+covariates", "ridge@windows-covariates"])
def test_a_model_can_be_saved_without_trusting_more_than_is_named(model: str, study: Study) -> None:
    """A skops archive that holds the named classes only, and predicts the same."""
    whole = fitted(model, study, np.arange(8))
    trusted = [f"{kind.__module__}.{kind.__qualname__}" for kind in TRUSTED_CLASSES]
    trusted += [f"{kind.__module__}.{kind.__qualname__}" for kind in estimators.KINDS]
    again = skops.io.loads(skops.io.dumps(whole), trusted=trusted)
    np.testing.assert_array_equal(again.predict(study.inputs), whole.predict(study.inputs))
