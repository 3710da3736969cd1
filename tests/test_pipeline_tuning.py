"""fit, predict and report with a model that tunes the encoder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import emoclip_clinic as ec
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.errors import EncoderError, StudyError
from emoclip_clinic.pipeline import persons
from emoclip_clinic.pipeline.report_tables import gather
from emoclip_clinic.pipeline.sources import read_rated
from emoclip_clinic.pipeline.tuning import layers_of
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.tuned import TunedHead
from tests.small_study import make_recordings


@pytest.fixture
def study(encoded_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ec.Study:
    """Copy the small study; one candidate and two folds, so that it takes seconds."""
    kind = replace(REGISTRY["head_tuned"], make=partial(TunedHead, epochs=(30,), rates=(1e-4,)))
    monkeypatch.setitem(REGISTRY, "head_tuned", kind)
    folder = shutil.copytree(encoded_study, tmp_path / "study")
    settings = folder / "study.toml"
    text = settings.read_text().replace("folds = 4\nrepeats = 2", "folds = 3\nrepeats = 1")
    settings.write_text(text.replace("permutations = 19", "permutations = 0"))
    return ec.Study(folder)


def test_fit_without_frames_names_the_command(study: ec.Study) -> None:
    """Before anything is fitted."""
    with pytest.raises(StudyError, match=r"frames of .* were not kept.*encode FOLDER --frames"):
        ec.pipeline.fit(study, "cains", models=["head_tuned"])


def test_encode_fit_and_predict_with_tuned_layers(study: ec.Study, tmp_path: Path) -> None:
    """What the raters rate is found; new recordings get scores and drivers; once is enough."""
    ec.pipeline.encode(study, study.path / "interviews", keep_frames=True)
    fit = partial(ec.pipeline.fit, study, "cains", models=["head_tuned", "ridge"])
    assert not fit().fresh
    table = pd.read_csv(study.predictions_csv("cains"))
    own = table[(table["model"] == "head_tuned") & (table["target"] == "map")]
    assert own["predicted"].corr(own["observed"]) > 0.5
    assert fit().fresh
    rated = read_rated(study, "cains")
    ec.pipeline.agree(study, "cains")
    everyone = gather(study, rated, "", study.agreement_csv("cains"), "emoclip-demo", {})
    about = persons.of_person(study, rated, everyone, "P03", "emoclip-demo", named=False).person
    assert about is not None
    # by the fold that left the participant out
    assert about.unseen
    assert np.isfinite(about.windows.loc[about.windows["status"] == "used", "contribution"]).all()
    new = tmp_path / "new"
    make_recordings(new / "videos", ["X01", "X02"], seed=7)
    there = ec.pipeline.open_or_create(new, recordings=new / "videos")
    output, moved = new / "scores.csv", new / "drivers.csv"
    ec.pipeline.predict(
        there, new / "videos", study.model_dir("cains"), output, pattern="{participant}/interview",
        drivers=moved,
    )  # fmt: skip
    assert len(list((there.features_dir("emoclip-demo") / "frames").glob("*.safetensors"))) == 2
    scores = pd.read_csv(output)
    assert (scores["model"] == "head_tuned").all()
    assert np.isfinite(scores["predicted"]).all()
    totals = scores[scores["target"] == "map"].set_index("participant")["predicted"]
    assert totals["X02"] > totals["X01"]
    assert np.isfinite(pd.read_csv(moved)["contribution"]).all()


def test_a_fit_is_out_of_date_where_frames_went_away(study: ec.Study) -> None:
    """They are what the model is made from."""
    ec.pipeline.encode(study, study.path / "interviews", keep_frames=True)
    ec.pipeline.fit(study, "cains", models=["head_tuned"])
    path = next((study.features_dir("emoclip-demo") / "frames").glob("*.safetensors"))
    path.unlink()
    with pytest.raises(StudyError, match="--frames"):
        ec.pipeline.fit(study, "cains", models=["head_tuned"])


def test_tuning_begins_with_the_weights_that_the_features_were_made_with(study: ec.Study) -> None:
    """Others are refused."""
    encoder = load_encoder("emoclip-demo", device="cpu")
    layers = layers_of(study, "emoclip-demo", encoder.fingerprint)
    own = encoder.temporal.state_dict()
    assert set(layers.weights) == set(own)
    np.testing.assert_array_equal(layers.weights["cls_token"], own["cls_token"].numpy())
    with pytest.raises(EncoderError, match="not those that the recordings were encoded with"):
        layers_of(study, "emoclip-demo", "0" * 64)
