"""fit, as the stage is used: designs, cohorts, a locked hold-out, several models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.errors import ClinicError, SettingsError, StudyError, TooFewError
from emoclip_clinic.pipeline.cohorts import Question
from emoclip_clinic.pipeline.sources import read_rated
from emoclip_clinic.regression import load
from tests.encoded_study import make_study


def table(study: ec.Study, name: str, slug: str = "cains") -> pd.DataFrame:
    return pd.read_csv(study.model_dir(slug) / f"{name}.csv", dtype={"participant": str})


def test_what_is_in_the_face_is_found_with_a_p_and_noise_is_not(tmp_path: Path) -> None:
    """Driven items have the least p, the others none after correction; a table says so."""
    study = make_study(tmp_path / "study", 40, fit="permutations = 99", n_twice=6)
    result = ec.pipeline.fit(study, "cains")
    tested = table(study, "permutation").query("metric == 'pearson'").set_index("target")
    assert tested.loc[["1", "3", "5", "7", "map"], "p"].eq(0.01).all()
    assert (tested.loc[["2", "4", "6", "8"], "p_max_t"] > 0.05).all()
    assert result.table is not None
    assert result.table["target"].tolist() == [*map(str, range(1, 14)), "map", "exp"]


def test_scores_summed_from_items_and_change_stand_beside(tmp_path: Path) -> None:
    """The summed subscales are the sums of the predicted items; change is of those seen twice."""
    study = make_study(tmp_path / "study", n_twice=8)
    ec.pipeline.fit(study, "cains")
    out = pd.read_csv(study.predictions_csv("cains"), dtype={"target": str})
    one = out[out["recording"] == "sub-P003_ses-01"].set_index(["model", "target"])["predicted"]
    exp = one["ridge"][["10", "11", "12", "13"]].sum()
    assert one["ridge:summed", "exp"] == pytest.approx(exp)
    skill = table(study, "performance")
    assert set(skill["model"]) == {"ridge", "mean", "ridge:summed"}
    changed = table(study, "change").query("model == 'ridge' and metric == 'mae'")
    assert set(changed["n_participants"]) == {8}


def test_another_cohort_is_predicted_once_by_models_of_the_first(tmp_path: Path) -> None:
    """The answer has files of its own, and the final model has not seen the other cohort."""
    study = make_study(tmp_path / "study")
    asked = Question("site=A", "site=B")
    ec.pipeline.fit(study, "cains", question=asked)
    slug = "cains_site-A_on_site-B"
    out = pd.read_csv(study.predictions_csv(slug))
    sites = pd.read_csv(study.participants_csv).set_index("participant")["site"]
    assert set(out["participant"].map(sites)) == {"B"}
    model = load(study.model_dir(slug))
    splits = table(study, "splits", slug).set_index("participant")["fold"]
    assert (splits[sites[sites == "A"].index] == 0).all()
    assert len(model.training) == 12
    assert not study.predictions_csv("cains").exists()
    assert ec.pipeline.fit(study, "cains", question=asked).fresh


def test_leave_one_site_out_predicts_each_site_by_the_others(tmp_path: Path) -> None:
    """A fold a site; with a single site it is refused."""
    study = make_study(tmp_path / "study")
    ec.pipeline.fit(study, "cains", cv="loso")
    splits = table(study, "splits").set_index("participant")["fold"]
    sites = pd.read_csv(study.participants_csv).set_index("participant")["site"]
    assert splits.groupby(sites).nunique().eq(1).all()
    people = pd.read_csv(study.participants_csv).assign(site="A")
    people.to_csv(study.participants_csv, index=False)
    with pytest.raises(TooFewError, match="two sites or more; all participants are at A"):
        ec.pipeline.fit(study, "cains", cv="loso")


def test_a_hold_out_stays_locked_until_it_is_opened(tmp_path: Path) -> None:
    """Nobody of it is trained on or predicted; opening is written down and counted."""
    study = make_study(tmp_path / "study", fit="holdout = 0.25")
    result = ec.pipeline.fit(study, "cains")
    away = set(pd.read_csv(study.path / "holdout.csv")["participant"])
    assert len(away) == 6
    out = pd.read_csv(study.predictions_csv("cains"))
    assert not away & set(out["participant"])
    assert away == set(table(study, "exclusions").query("unit == 'participant'")["id"])
    assert result.exclusions["reason"].eq("locked away in holdout.csv").sum() == 6
    assert ec.pipeline.fit(study, "cains").fresh

    # ratings of the locked have no part in what is predicted or learnt
    ratings = pd.read_csv(study.path / "ratings.csv", dtype=str)
    changed = ratings["participant"].isin(away)
    ratings.loc[changed, "cains_1"] = "0"
    ratings.to_csv(study.path / "ratings.csv", index=False)
    ec.pipeline.fit(study, "cains")
    pd.testing.assert_frame_equal(pd.read_csv(study.predictions_csv("cains")), out)

    opened = ec.pipeline.fit(study, "cains", question=Question(open_holdout=True))
    assert any("opened for the first time" in note for note in opened.notes)
    tested = pd.read_csv(study.predictions_csv("cains_holdout"))
    assert set(tested["participant"]) == away
    again = ec.pipeline.fit(
        study, "cains", models=["ridge@mean"], question=Question(open_holdout=True)
    )
    assert any("opened 2 times" in note for note in again.notes)


def test_a_hold_out_that_does_not_exist_cannot_be_opened(tmp_path: Path) -> None:
    """The message says how to lock one."""
    study = make_study(tmp_path / "study")
    with pytest.raises(StudyError, match=r"nobody is locked away in holdout.csv. Write holdout"):
        ec.pipeline.fit(study, "cains", question=Question(open_holdout=True))


def test_a_manifest_given_back_reproduces_the_run(tmp_path: Path) -> None:
    """With another seed the folds differ; with the first run's manifest they are the same."""
    study = make_study(tmp_path / "study")
    ec.pipeline.fit(study, "cains")
    kept = tmp_path / "splits.csv"
    kept.write_bytes((study.model_dir("cains") / "splits.csv").read_bytes())
    first = table(study, "splits")
    other = ec.Study(study.path, seed=99)
    ec.pipeline.fit(other, "cains")
    assert not table(study, "splits").equals(first)
    ec.pipeline.fit(other, "cains", splits=kept)
    pd.testing.assert_frame_equal(table(study, "splits"), first)
    kept.write_text("participant,repeat\nP001,1\n")
    with pytest.raises(StudyError, match="no split manifest"):
        ec.pipeline.fit(study, "cains", splits=kept)


def test_the_first_model_is_the_one_that_is_agreed_with_and_saved(tmp_path: Path) -> None:
    """Agree compares that model, and the others stand in the tables beside it."""
    study = make_study(tmp_path / "study")
    ec.pipeline.fit(study, "cains", models=["ridge@mean", "ridge"])
    out = pd.read_csv(study.predictions_csv("cains"), dtype={"target": str})
    assert {"ridge@mean", "ridge", "mean"} <= set(out["model"])
    ec.pipeline.agree(study, "cains")
    agreed = pd.read_csv(study.agreement_csv("cains"), dtype={"target": str})
    row = agreed.query("comparison == 'model-consensus' and statistic == 'MAE' and target == '1'")
    own = out.query("model == 'ridge@mean' and target == '1'")
    by_visit = own.groupby(["participant", "session"])[["observed", "predicted"]].mean()
    error = (by_visit["observed"] - by_visit["predicted"]).abs().mean()
    assert row["value"].item() == pytest.approx(error)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ('stratify = "totl"', "stratify = 'totl'; allowed: 1, 2"),
        ('permute_within = "clinic"', "permute_within = 'clinic'; columns of participants.csv"),
        ('models = ["forest"]', "estimator = 'forest'; allowed: ridge"),
        ("permutations = 5", "fit: permutations = 5; allowed: 19 or more"),
        ("holdout = 0.9", "fit: holdout = 0.9; allowed: 0"),
        ('cv = "random"', "cv = 'random'; allowed: repeated, lopo, loso"),
    ],
)
def test_a_setting_that_is_not_allowed_says_what_is(tmp_path: Path, fit: str, words: str) -> None:
    """Before anything is written."""
    study = make_study(tmp_path / "study", fit=fit)
    with pytest.raises(ClinicError, match=words):
        ec.pipeline.fit(study, "cains")
    assert not study.predictions_csv("cains").exists()


def test_cohorts_that_share_people_or_lack_them_are_refused(tmp_path: Path) -> None:
    """The same people in training and test, a cohort of nobody, --test-on alone."""
    study = make_study(tmp_path / "study")
    with pytest.raises(StudyError, match="would be in training and test"):
        ec.pipeline.fit(study, "cains", question=Question("site=A", "sex=F"))
    with pytest.raises(StudyError, match="nobody has site C"):
        ec.pipeline.fit(study, "cains", question=Question("site=A", "site=C"))
    with pytest.raises(StudyError, match="--test-on needs --on"):
        Question("", "site=B")


def test_stratified_folds_and_exchanges_within_sites_run(tmp_path: Path) -> None:
    """Each fold of a repeat has alike scores; the p-values come from exchanged features."""
    study = make_study(
        tmp_path / "study", n_twice=0, fit='stratify = "map"\npermute_within = "site"'
    )
    ec.pipeline.fit(study, "cains")
    out = pd.read_csv(study.predictions_csv("cains"), dtype={"target": str})
    scores = out.query("model == 'ridge' and target == 'map'").set_index("participant")["observed"]
    splits = table(study, "splits")
    spread = scores.std()
    for _, rows in splits.groupby("repeat"):
        means = scores.groupby(rows.set_index("participant")["fold"]).mean()
        assert means.std() < spread / 3
    assert len(table(study, "permutation"))


def test_eight_participants_run(tmp_path: Path) -> None:
    """A pilot study gets its table, with intervals as wide as they are."""
    study = make_study(tmp_path / "study", 8, n_twice=0, fit="")
    ec.pipeline.fit(study, "cains")
    skill = table(study, "performance").query("model == 'ridge' and metric == 'mae'")
    assert (skill["n_participants"] == 8).all()
    assert np.isfinite(skill["value"]).all()


def test_covariates_stand_alone_and_beside_the_face(tmp_path: Path) -> None:
    """Named in study.toml they are a baseline, and what the face adds to them is compared."""
    fit = 'covariates = ["age", "sex"]\nmodels = ["ridge+covariates", "ridge-covariates"]'
    study = make_study(tmp_path / "study", fit=fit)
    ec.pipeline.fit(study, "cains")
    assert set(table(study, "performance")["model"]) == {
        *("ridge+covariates", "ridge-covariates", "covariates", "mean"),
        "ridge+covariates:summed",
    }
    compared = table(study, "comparison")
    assert {"covariates", "ridge-covariates", "mean"} == set(compared["model_b"])
    assert load(study.model_dir("cains")).covariates == ("age", "sex")


def test_a_covariate_that_is_the_score_is_refused(tmp_path: Path) -> None:
    """It would predict itself, and the message says which it is."""
    study = make_study(tmp_path / "study", n_twice=0, fit='covariates = ["sum"]')
    rated = read_rated(study, "cains").consensus
    exp = rated[rated["target"] == "exp"].set_index("participant")["value"]
    people = pd.read_csv(study.participants_csv)
    people.assign(sum=people["participant"].map(exp)).to_csv(study.participants_csv, index=False)
    with pytest.raises(SettingsError, match=r"covariate sum equals the score exp.*Take it out"):
        ec.pipeline.fit(study, "cains")


@pytest.mark.parametrize("model", ["kernel_ridge", "pls@quantiles", "ridge@fisher", "svr@mean"])
def test_any_model_is_saved_with_its_card(tmp_path: Path, model: str) -> None:
    """What was fitted is opened again, and the card says what it is and is not for."""
    study = make_study(tmp_path / "study", 16, n_twice=0, fit="repeats = 1\npermutations = 0")
    ec.pipeline.fit(study, "cains", models=[model])
    folder = study.model_dir("cains")
    assert load(folder).recipe.name == model
    card = (folder / "model_card.md").read_text()
    assert "not a diagnostic device" in card
    assert not any(f"P{number:03d}" in card for number in range(1, 17))
    assert set(table(study, "intervals")["target"]) >= {"map", "exp"}


def test_an_unknown_covariate_is_refused(tmp_path: Path) -> None:
    """The message lists the columns."""
    study = make_study(tmp_path / "study", fit='covariates = ["weight"]')
    with pytest.raises((SettingsError, StudyError), match="weight"):
        ec.pipeline.fit(study, "cains")


def test_models_are_compared_and_subgroups_shown(tmp_path: Path) -> None:
    """The reported model against each other one; a row a group of the usual attributes."""
    study = make_study(tmp_path / "study", 30)
    ec.pipeline.fit(study, "cains", models=["ridge", "ridge@mean"])
    compared = table(study, "comparison")
    assert set(zip(compared["model_a"], compared["model_b"], strict=True)) == {
        ("ridge", "ridge@mean"),
        ("ridge", "mean"),
    }
    groups = table(study, "subgroups")
    assert set(groups["column"]) == {"sex", "age", "site", "rater", "face_fraction"}
    shown = groups.query("column == 'site' and metric == 'mae' and target == 'map'")
    assert shown["n_participants"].tolist() == [15, 15]


def test_a_learning_curve_is_drawn_on_request(tmp_path: Path) -> None:
    """Performance over growing parts of the cohort."""
    study = make_study(tmp_path / "study", 16, n_twice=0, fit="learning_curve = true\nrepeats = 1")
    ec.pipeline.fit(study, "cains")
    curve = table(study, "learning_curve")
    assert curve["n_participants"].max() == 16
    assert curve["n_participants"].nunique() > 2


def test_a_copy_of_a_recording_under_another_id_is_on_no_side(tmp_path: Path) -> None:
    """Equal vectors of two participants: both are left out, and the reason says why."""
    study = make_study(tmp_path / "study")
    folder = study.features_dir("emoclip-demo")
    one, other = (f"sub-{name}_ses-01" for name in ("P007", "P009"))
    source = features.read(folder / f"{one}.safetensors")
    copied = replace(source, recording=other, segments=source.segments.assign(recording=other))
    features.write(folder / f"{other}.safetensors", copied)
    ec.pipeline.fit(study, "cains")
    lost = table(study, "exclusions").set_index("id")["reason"]
    assert lost[one] == lost[other] == "same features under two participant ids"
    assert not {"P007", "P009"} & set(pd.read_csv(study.predictions_csv("cains"))["participant"])
