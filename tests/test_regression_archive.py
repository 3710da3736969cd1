from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.files import sha256_bytes
from emoclip_clinic.regression import Design, fit_model, predict
from emoclip_clinic.regression.archive import load, save
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.fitted import Features, FittedModel
from emoclip_clinic.regression.frames import FRAMES
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.pooling import POOLINGS

FEATURES = Features("emoclip-demo", "ab" * 32, "mean_sd")
INDEX = pd.Index([f"sub-{number}_ses-01" for number in range(20)])
X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 5)), index=INDEX)
WHO = pd.Series(INDEX.str[4:6], index=INDEX)


def fitted(seed: int = 0, recipe: str = "ridge", x: pd.DataFrame | Inputs = X) -> FittedModel:
    y = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 2)), index=INDEX, columns=["a", "ü"])
    y.iloc[3, 1] = np.nan
    design = Design(n_folds=4, n_repeats=1, n_inner_folds=3, seed=seed)
    return fit_model(
        x,
        y,
        WHO,
        recipe,
        scale="toy",
        features=FEATURES,
        ranges={"a": (-3, 3), "ü": (-3, 3)},
        design=design,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(fitted(), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("estimator", [name for name, kind in REGISTRY.items() if not kind.pooling])
def test_a_loaded_model_is_the_saved_one(tmp_path: Path, estimator: str) -> None:
    """The same facts, and predictions that are equal bit for bit, of every estimator there is."""
    model = fitted(recipe=estimator)
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.facts() == model.facts()
    keys = pd.DataFrame({"recording": INDEX, "participant": WHO.to_numpy(), "session": "01"})
    pd.testing.assert_frame_equal(
        predict(again, X, keys, FEATURES), predict(model, X, keys, FEATURES), check_exact=True
    )


@pytest.mark.parametrize("pooling", [name for name in POOLINGS if name != FRAMES])
def test_every_pooling_can_be_kept(tmp_path: Path, pooling: str) -> None:
    """A model of windows predicts the same windows alike, whatever its pooling has learnt."""
    windows = np.random.default_rng(2).normal(size=(80, 5))
    inputs = Inputs.of_windows(windows, np.repeat(INDEX.to_numpy(), 4))
    model = fitted(recipe=f"ridge@{pooling}", x=inputs)
    save(model, tmp_path)
    keys = pd.DataFrame({"recording": INDEX, "participant": WHO.to_numpy(), "session": "01"})
    tables = [predict(one, inputs, keys, model.features) for one in (model, load(tmp_path))]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_equal_models_are_equal_bytes(saved: Path, tmp_path: Path) -> None:
    """Fitted and saved anew: memory addresses and the time leave no trace."""
    save(fitted(), tmp_path / "anew")
    for name in ("model.skops", "model.json"):
        assert (saved / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()


def test_the_facts_say_what_a_reader_of_the_model_needs(saved: Path) -> None:
    """Encoder, features, targets with penalties and numbers, no participant's id."""
    facts = json.loads((saved / "model.json").read_text(encoding="utf-8"))
    assert facts["features"] == {
        "encoder": "emoclip-demo",
        "fingerprint": "ab" * 32,
        "pooling": "mean_sd",
    }
    assert [target["target"] for target in facts["targets"]] == ["a", "ü"]
    assert [target["n_recordings"] for target in facts["targets"]] == [20, 19]
    assert all(re.fullmatch("[0-9a-f]{64}", name) for name in facts["training"])
    assert facts["sha256"] == sha256_bytes((saved / "model.skops").read_bytes())


@pytest.mark.parametrize("name", ["model.skops", "model.json"])
def test_an_absent_or_damaged_file_is_one_clear_error(saved: Path, name: str) -> None:
    """Cut short, emptied, replaced by text, or gone."""
    whole = (saved / name).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"a text", b"[]"):
        (saved / name).write_bytes(content)
        with pytest.raises(ClinicError, match="Fit the model again"):
            load(saved)
    (saved / name).unlink()
    with pytest.raises(ClinicError, match="no model can be read"):
        load(saved)


def test_one_changed_bit_is_noticed(saved: Path) -> None:
    """A coefficient that was tampered with is not used."""
    content = bytearray((saved / "model.skops").read_bytes())
    content[500] ^= 1
    (saved / "model.skops").write_bytes(bytes(content))
    with pytest.raises(ClinicError, match="is not the file that"):
        load(saved)


@pytest.mark.parametrize(
    ("text", "changed"),
    [('"level": 0.95', '"level": 0.80'), ('"highest": 3', '"highest": 9'), ("ab" * 32, "cd" * 32)],
)
def test_a_changed_fact_is_noticed(saved: Path, text: str, changed: str) -> None:
    """The archive vouches for model.json: its level, a range, the encoder."""
    path = saved / "model.json"
    whole = path.read_text(encoding="utf-8")
    assert text in whole
    path.write_text(whole.replace(text, changed), encoding="utf-8")
    with pytest.raises(ClinicError, match=r"model\.json was changed"):
        load(saved)


def swap(folder: Path, content: object) -> None:
    """Put another object in the archive, with a hash that fits: a deliberate forgery."""
    archive = skops.io.dumps(content)
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["sha256"] = sha256_bytes(archive)
    (folder / "model.skops").write_bytes(archive)
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")


def harm(values: object) -> object:
    raise RuntimeError("code of a stranger ran")


def test_code_in_an_archive_does_not_run(saved: Path) -> None:
    """Types beyond numpy, scikit-learn and the package's estimators are refused unopened."""
    swap(saved, [{"targets": ["a", "ü"], "model": FunctionTransformer(harm)}])
    with pytest.raises(ClinicError, match="not of this package"):
        load(saved)


@pytest.mark.parametrize("content", [Ridge(), [1], [{"targets": ["a"], "model": Ridge()}]])
def test_a_foreign_archive_is_refused(saved: Path, content: object) -> None:
    """Harmless types are not enough: it must be a model of this package."""
    swap(saved, content)
    with pytest.raises(ClinicError, match="does not hold a model"):
        load(saved)
