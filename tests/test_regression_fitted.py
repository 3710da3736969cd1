from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression import Design, fit_model
from emoclip_clinic.regression.applied import PREDICTED, predict
from emoclip_clinic.regression.estimators import GroupedRidge
from emoclip_clinic.regression.fitted import Features, FittedModel

FEATURES = Features("emoclip-demo", "ab" * 32, "mean_sd")
DESIGN = Design(n_folds=5, n_repeats=1, n_inner_folds=3)


def cohort(seed: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Features, scores (target b is missing for two) and recordings of n participants."""
    generator = np.random.default_rng(seed)
    ids = [f"{seed}{number:03d}" for number in range(n)]
    index = pd.Index([f"sub-{name}_ses-01" for name in ids], name="recording")
    x = pd.DataFrame(generator.normal(size=(n, 6)), index=index).rename(
        columns="mean_{:04d}".format
    )
    y = pd.DataFrame(
        {"a": 3 + x["mean_0000"] + 0.5 * generator.normal(size=n), "b": generator.uniform(1, 7, n)}
    )
    y.iloc[:2, 1] = np.nan
    keys = pd.DataFrame({"recording": index, "participant": ids, "session": "01"})
    return x, y, keys


def fitted(n: int = 40) -> FittedModel:
    x, y, keys = cohort(1, n)
    who = keys.set_index("recording")["participant"]
    return fit_model(
        x,
        y,
        who,
        scale="toy",
        features=FEATURES,
        ranges={"a": (0, 6), "b": (1, 7)},
        design=DESIGN,
    )


def test_the_final_model_is_the_tuned_ridge_on_all_recordings() -> None:
    """Each target is predicted as by the estimator fitted to the recordings that have it."""
    x, y, keys = cohort(1, 40)
    model = fitted()
    table = predict(model, x, keys, FEATURES)
    assert list(table.columns) == PREDICTED
    for name in ("a", "b"):
        rows = y[name].notna()
        ridge = GroupedRidge(n_inner_folds=3, random_state=0)
        ridge.fit(
            x[rows].to_numpy(),
            y.loc[rows, [name]].to_numpy(),
            keys.loc[rows.to_numpy(), "participant"],
        )
        expected = ridge.predict(x.to_numpy())[:, 0]
        np.testing.assert_allclose(table.query("target == @name")["predicted"], expected, rtol=1e-9)
        facts = next(facts for facts in model.targets if facts.target == name)
        assert facts.tuned == {"alpha": ridge.alpha_.item()}
        assert (facts.n_recordings, facts.n_participants) == (rows.sum(), rows.sum())


def test_new_recordings_are_predicted_with_intervals_that_mostly_hold() -> None:
    """400 new participants: about 95 in 100 scores lie within."""
    x, y, keys = cohort(2, 400)
    table = predict(fitted(60), x, keys, FEATURES).query("target == 'a'")
    truth = y.loc[table["recording"], "a"].to_numpy()
    within = (table["interval_low"] <= truth) & (truth <= table["interval_high"])
    assert 0.9 < within[(truth > 0) & (truth < 6)].mean() <= 1
    assert (table["note"] == "").mean() > 0.9
    pd.testing.assert_series_equal(
        table["participant"].reset_index(drop=True), keys["participant"], check_dtype=False
    )


def test_training_participants_are_marked() -> None:
    """Their prediction is of what the model has seen; their ids are not in the model as text."""
    model = fitted()
    (old_x, _, old), (new_x, _, new) = cohort(1, 40), cohort(2, 3)
    table = predict(model, pd.concat([old_x, new_x]), pd.concat([old, new]), FEATURES)
    seen = table["note"].str.startswith("training participant")
    assert seen.tolist() == (table["participant"].str[0] == "1").tolist()
    assert not set(old["participant"]) & set(model.training)


def test_predictions_and_intervals_stay_on_the_scale() -> None:
    """However extreme the features."""
    x, _, keys = cohort(2, 2)
    x["mean_0000"] = [-1e3, 1e3]
    table = predict(fitted(), x, keys, FEATURES).query("target == 'a'")
    assert table["predicted"].tolist() == [0, 6]
    assert table["interval_low"].tolist()[0] == 0
    assert table["interval_high"].tolist()[1] == 6


def test_other_features_are_refused() -> None:
    """Of another encoder, other weights, another pooling or another width."""
    x, _, keys = cohort(2, 3)
    model = fitted()
    for other in (
        Features("clip-mean", FEATURES.fingerprint, "mean_sd"),
        Features("emoclip-demo", "cd" * 32, "mean_sd"),
        Features("emoclip-demo", FEATURES.fingerprint, "mean"),
    ):
        with pytest.raises(ClinicError, match="--encoder emoclip-demo"):
            predict(model, x, keys, other)
    with pytest.raises(ClinicError, match=r"6 features of .*; given are 5 features"):
        predict(model, x.iloc[:, :5], keys, FEATURES)
    with pytest.raises(ClinicError, match="no participant is known"):
        predict(model, x, keys.iloc[1:], FEATURES)


def test_too_few_residuals_give_the_whole_range() -> None:
    """18 participants cannot support 95 %."""
    x, _, keys = cohort(2, 3)
    table = predict(fitted(16), x, keys, FEATURES)
    assert set(table["interval_low"]) == {0, 1}
    assert set(table["interval_high"]) == {6, 7}


def test_a_score_that_nothing_predicts_is_marked_in_every_row() -> None:
    """The note says that it is the mean exactly where it is the same for everyone."""
    x, _, keys = cohort(3, 40)
    generator = np.random.default_rng(3)
    names = [f"noise{number}" for number in range(12)]
    y = pd.DataFrame(generator.normal(4, 1, (40, 12)), index=x.index, columns=names)
    y["signal"] = 4 + x["mean_0000"]
    who = keys.set_index("recording")["participant"]
    model = fit_model(
        x,
        y,
        who,
        scale="toy",
        features=FEATURES,
        ranges=dict.fromkeys(y, (-9, 9)),
        design=DESIGN,
    )
    other, _, others = cohort(4, 30)
    table = predict(model, other, others, FEATURES)
    varies = table.groupby("target")["predicted"].std() > 1e-9
    marked = table.groupby("target")["note"].agg(
        lambda notes: "mean of the training" in notes.iloc[0]
    )
    assert (varies != marked).all()
    assert marked.any()
    assert varies["signal"]
