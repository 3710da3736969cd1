"""The head with the encoder's temporal layers tuned."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.regression import Design, cross_validate, fit_model, load, predict, save
from emoclip_clinic.regression.applied import accept
from emoclip_clinic.regression.drivers import drivers
from emoclip_clinic.regression.estimators import REGISTRY
from emoclip_clinic.regression.fitted import Features, FittedModel
from emoclip_clinic.regression.frames import Frames, Layers
from emoclip_clinic.regression.inputs import Inputs
from emoclip_clinic.regression.recipes import Recipe
from emoclip_clinic.regression.tuned import TunedHead
from tests.coloured_clips import TINY, model

N_PEOPLE, N_WINDOWS, TIME = 24, 3, 6
ENCODER = model(seed=3).eval()
FEATURES = Features("tiny", "ab" * 32, "frames")
PERSON = np.repeat([f"p{number:02d}" for number in range(N_PEOPLE)], N_WINDOWS)
INDEX = pd.Index(sorted(set(PERSON)))


def layers_of(encoder: VideoEncoder) -> Layers:
    state = encoder.temporal.state_dict()
    weights = {name: value.numpy().copy() for name, value in state.items()}
    return Layers(encoder.architecture.to_json(), weights)


def blind_to_order() -> VideoEncoder:
    """Make an encoder whose temporal layers cannot see the order of frames: no positions."""
    encoder = model(seed=3).eval()
    encoder.temporal.pos_embedding.data.zero_()
    return encoder


def embedded(frames: np.ndarray, encoder: VideoEncoder = ENCODER) -> np.ndarray:
    with torch.no_grad():
        return encoder.encode_temporal(torch.from_numpy(frames)).numpy()


def rows(frames: np.ndarray) -> np.ndarray:
    return frames.reshape(len(frames), -1)


def shown(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames that show a person's severity, and two scores of it: (n, time, dim), (n, 2)."""
    rng = np.random.default_rng(seed)
    severity = np.repeat(rng.normal(size=N_PEOPLE), N_WINDOWS)
    direction = rng.normal(size=TINY.dim)
    frames = rng.normal(size=(len(PERSON), TIME, TINY.dim))
    frames += 2 * severity[:, None, None] * direction
    return frames.astype("f4"), np.c_[severity, 10 - 3 * severity]


def ordered(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames that are the same whatever the score, in one order or in the reverse of it."""
    rng = np.random.default_rng(seed)
    score = np.repeat(np.where(np.arange(N_PEOPLE) % 2, 1.0, -1.0), N_WINDOWS)
    direction = rng.normal(size=TINY.dim)
    rising = np.linspace(-2, 2, TIME)[:, None] * direction
    frames = rising + 0.1 * rng.normal(size=(len(PERSON), TIME, TINY.dim))
    frames[score < 0] = frames[score < 0, ::-1]
    return frames.astype("f4"), score[:, None]


@pytest.mark.parametrize("n_epochs", [1, 7])
def test_with_its_layers_frozen_it_is_scikit_learn_s_network_on_the_vectors(n_epochs: int) -> None:
    """At a rate of 0: MLPRegressor on what `encode_temporal` gives, standardised."""
    frames, y = shown()
    tuned = TunedHead(3, 5, epochs=(n_epochs,), rates=(0.0,), penalty=0.5)
    tuned.fit(rows(frames), y, PERSON, layers_of(ENCODER))
    assert tuned.chosen_ == {"rate": 0.0, "epochs": n_epochs}
    scaler, target = StandardScaler().fit(embedded(frames)), StandardScaler().fit(y)
    network = MLPRegressor(
        hidden_layer_sizes=(256,),
        alpha=0.5,
        batch_size=32,
        max_iter=n_epochs,
        n_iter_no_change=99,
        random_state=5,
    )
    with pytest.warns(match="Maximum iterations"):
        network.fit(scaler.transform(embedded(frames)), target.transform(y))
    expected = target.inverse_transform(network.predict(scaler.transform(embedded(frames))))
    np.testing.assert_allclose(tuned.predict(rows(frames)), expected, rtol=1e-3, atol=1e-3)


def test_tuned_layers_see_what_frozen_ones_cannot() -> None:
    """The score is in the order of frames, which the layers they start from are blind to."""
    frames, y = ordered()
    encoder = blind_to_order()
    np.testing.assert_allclose(
        embedded(frames[:, ::-1].copy(), encoder), embedded(frames, encoder), atol=1e-5
    )
    seen, unseen = np.flatnonzero(PERSON < "p16"), np.flatnonzero(PERSON >= "p16")
    errors = {}
    for rate in (0.0, 1e-2):
        tuned = TunedHead(2, 0, epochs=(40,), rates=(rate,))
        tuned.fit(rows(frames[seen]), y[seen], PERSON[seen], layers_of(encoder))
        errors[rate] = ((tuned.predict(rows(frames[unseen])) - y[unseen]) ** 2).mean()
    assert errors[0.0] > 0.8, errors
    assert errors[1e-2] < 0.2, errors


def test_the_inner_folds_prefer_tuned_layers_where_they_help() -> None:
    """Among candidates, by participants alone."""
    frames, y = ordered()
    tuned = TunedHead(3, 0, epochs=(2, 40), rates=(0.0, 1e-2))
    tuned.fit(rows(frames), y, PERSON, layers_of(blind_to_order()))
    assert tuned.tuned_ == [{"rate": 1e-2, "epochs": 40}]
    assert tuned.squared_error_.shape == (5, 1)


def test_what_is_tuned_is_tuned_on_whole_participants() -> None:
    """Windows that give away the person tempt a tuning that splits persons, and this one not."""
    rng = np.random.default_rng(2)
    of = np.repeat(np.arange(N_PEOPLE), N_WINDOWS)
    frames = rng.normal(size=(N_PEOPLE, TIME, TINY.dim))[of] * 3
    frames = (frames + 0.05 * rng.normal(size=frames.shape)).astype("f4")
    y = rng.normal(size=(N_PEOPLE, 1))[of]
    candidates = {"epochs": (100,), "rates": (0.0,), "penalty": 0.01}
    honest = TunedHead(4, **candidates).fit(rows(frames), y, PERSON, layers_of(ENCODER))
    every = np.arange(len(PERSON))
    fooled = TunedHead(4, **candidates).fit(rows(frames), y, every, layers_of(ENCODER))
    assert honest.tuned_ == [{"model": "the training mean"}]
    assert honest.predict(rows(frames)) == pytest.approx(np.full_like(y, y.mean()))
    assert fooled.chosen_["epochs"] == 100


def test_equal_seeds_are_equal_models_and_the_keeping_of_padding_does_no_harm() -> None:
    """Bit for bit on a CPU; frames that are not there are nothing, however many of them."""
    frames, y = shown()
    frames[::4, 4:] = np.nan
    made = [
        TunedHead(3, seed, epochs=(3,), rates=(1e-3,)).fit(
            rows(frames), y, PERSON, layers_of(ENCODER)
        )
        for seed in (1, 1, 2)
    ]
    first, again, other = (one.predict(rows(frames)) for one in made)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    longer = np.pad(frames, [(0, 0), (0, 1), (0, 0)], constant_values=np.nan)
    np.testing.assert_allclose(made[0].predict(rows(longer)), first, rtol=1e-6)
    short = frames[:1, :4]
    np.testing.assert_allclose(made[0].predict(rows(short)), first[:1], rtol=1e-5)


def test_a_window_s_score_is_the_same_whoever_is_predicted_beside_it() -> None:
    """So that a fold's model knows the people again whom it left out, by their residuals."""
    frames, y = shown()
    tuned = TunedHead(2, epochs=(3,), rates=(1e-3,))
    together = tuned.fit(rows(frames), y, PERSON, layers_of(ENCODER)).predict(rows(frames))
    alone = np.concatenate([tuned.predict(rows(frames[[n]])) for n in range(len(frames))])
    np.testing.assert_allclose(alone, together, rtol=1e-10, atol=1e-10)
    assert np.ptp(together, axis=0).min() > 0.1


def test_it_keeps_scikit_learn_s_manners() -> None:
    """It can be cloned, takes one target, and insists on a participant for each window."""
    frames, y = shown()
    estimator = clone(TunedHead(2, 1, epochs=(1,), rates=(0.0,)))
    assert estimator.fit(rows(frames), y[:, 0], PERSON, layers_of(ENCODER)) is estimator
    assert estimator.predict(rows(frames)).shape == (len(PERSON), 1)
    with pytest.raises(ValueError, match="inconsistent"):
        estimator.fit(rows(frames), y, PERSON[:-1], layers_of(ENCODER))


def test_a_score_that_never_changes_is_predicted_as_it_is() -> None:
    """Beside one that does."""
    frames, y = shown()
    y[:, 1] = 4.0
    tuned = TunedHead(3, epochs=(3,), rates=(0.0,))
    tuned.fit(rows(frames), y, PERSON, layers_of(ENCODER))
    np.testing.assert_array_equal(tuned.predict(rows(frames))[:, 1], 4.0)
    assert tuned.tuned_[1] == {"model": "the training mean"}


def test_bad_frames_are_refused() -> None:
    """Another width, too many frames, a hole, or an encoder without temporal layers."""
    frames, y = shown()
    layers = layers_of(ENCODER)
    hole = frames.copy()
    hole[0, 2] = np.nan
    tuned = TunedHead(2, epochs=(1,), rates=(0.0,))
    with pytest.raises(ClinicError, match="multiple of the encoder's 16"):
        tuned.fit(rows(frames)[:, :-1], y, PERSON, layers)
    with pytest.raises(ClinicError, match="at most 7 frames"):
        tuned.fit(np.tile(rows(frames), 2), y, PERSON, layers)
    with pytest.raises(ClinicError, match="before its last frame"):
        tuned.fit(rows(hole), y, PERSON, layers)
    for nothing in (None, Layers(TINY.to_json(), {})):
        with pytest.raises(ClinicError, match=r"no temporal layers.*Use head"):
            tuned.fit(rows(frames), y, PERSON, nothing)


def study(seed: int = 0, layers: Layers | None = None) -> Inputs:
    frames, _ = shown(seed)
    return Inputs.of_windows(embedded(frames), PERSON, frames=Frames(frames, layers))


def scores() -> tuple[pd.DataFrame, pd.Series]:
    y = pd.DataFrame(shown()[1][::N_WINDOWS], index=INDEX, columns=["a", "b"])
    return y, pd.Series(INDEX, index=INDEX)


DESIGN = Design(n_folds=3, n_repeats=1, n_inner_folds=2, seed=1)


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try two candidates where the recipe is used by its name: tests are short."""
    kind = replace(REGISTRY["head_tuned"], make=partial(TunedHead, epochs=(5,), rates=(0.0, 1e-3)))
    monkeypatch.setitem(REGISTRY, "head_tuned", kind)


def fitted() -> FittedModel:
    y, people = scores()
    ranges = {"a": (-5.0, 5.0), "b": (-5.0, 25.0)}
    return fit_model(
        study(layers=layers_of(ENCODER)), y, people, "head_tuned",
        scale="toy", features=FEATURES, ranges=ranges, design=DESIGN,
    )  # fmt: skip


def test_a_fold_s_model_never_sees_the_people_it_predicts() -> None:
    """Absurd scores and frames of a participant change nothing that is learnt for their fold."""
    y, people = scores()
    inputs = study(layers=layers_of(ENCODER))
    manifest = cross_validate(inputs, y, people, DESIGN, ["mean"]).splits
    own = manifest.loc[manifest["fold"] == 1, "participant"]
    before = cross_validate(inputs, y, people, DESIGN, ["head_tuned"], splits=manifest)
    assert inputs.frames is not None
    inputs.frames.embeddings[np.isin(PERSON, own[:1])] *= 30
    y.loc[own] += 1e3
    after = cross_validate(inputs, y, people, DESIGN, ["head_tuned"], splits=manifest)
    kept = before.predictions["recording"].isin(own[1:])
    assert kept.any()
    pd.testing.assert_series_equal(
        after.predictions.loc[kept, "predicted"],
        before.predictions.loc[kept, "predicted"],
        check_exact=True,
    )
    assert before.predictions["predicted"].corr(before.predictions["observed"]) > 0.5


def test_a_saved_model_needs_no_encoder_and_predicts_alike(tmp_path: Path) -> None:
    """Equal bytes when it is made again; the layers are in the archive, the encoder's are not."""
    made = fitted()
    for name in ("one", "two"):
        save(made if name == "one" else fitted(), tmp_path / name)
    content = [(tmp_path / name / "model.skops").read_bytes() for name in ("one", "two")]
    assert content[0] == content[1]
    keys = pd.DataFrame({"recording": INDEX, "participant": "new", "session": "01"})
    tables = [predict(one, study(seed=4), keys, FEATURES) for one in (made, load(tmp_path / "one"))]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert tables[0]["predicted"].nunique() > N_PEOPLE
    assert "torch" in made.versions


def test_a_window_s_contribution_is_the_prediction_less_that_without_it() -> None:
    """Computed from the windows' own predictions; here, by leaving each out."""
    made, inputs = fitted(), study(seed=6)
    segments = pd.DataFrame({"recording": PERSON, "window": np.tile(range(N_WINDOWS), N_PEOPLE)})
    segments = segments.assign(start_s=0.0, stop_s=1.0)
    found = drivers(made, accept(made, inputs, FEATURES), segments)
    frames, _ = shown(6)
    (regression, column) = next((part, place) for _, part, place in made.parts())
    for window in range(N_WINDOWS):
        rest = np.arange(len(PERSON)) % N_WINDOWS != window
        without = Inputs.of_windows(
            embedded(frames[rest]), PERSON[rest], frames=Frames(frames[rest])
        )
        moved = regression.model.predict(inputs) - regression.model.predict(without)
        own = found[(found["window"] == window) & (found["target"] == "a")]
        np.testing.assert_allclose(own["contribution"], moved[:, column], atol=1e-4)


def test_what_it_cannot_do_it_says() -> None:
    """Without frames, with covariates or another pooling; and frames are for it alone."""
    y, people = scores()
    plain = Inputs.of_windows(embedded(shown()[0]), PERSON)
    with pytest.raises(SettingsError, match=r"encode FOLDER --frames.*such as head"):
        cross_validate(plain, y, people, DESIGN, ["head_tuned"])
    for text in ("head_tuned+covariates", "head_tuned-covariates"):
        with pytest.raises(SettingsError, match="covariates cannot be taken out of frames"):
            Recipe.parse(text)
    with pytest.raises(SettingsError, match="head_tuned takes frames alone"):
        Recipe.parse("head_tuned@mean")
    with pytest.raises(SettingsError, match="ridge does not take frames"):
        Recipe.parse("ridge@frames")
    assert Recipe.parse("head_tuned", "quantiles").pooling == "frames"
    with pytest.raises(ClinicError, match="frames of 71 windows for 72"):
        Inputs.of_windows(plain.vectors, PERSON, frames=Frames(shown()[0][1:]))
