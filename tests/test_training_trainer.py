from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from emoclip_clinic.errors import EncoderError, TooFewError
from emoclip_clinic.training.ranks import Ranks
from emoclip_clinic.training.recipe import Augmentation, Optimizer, Recipe, Schedule, Tuning
from emoclip_clinic.training.resuming import read_state, write_state
from emoclip_clinic.training.trainer import Trainer
from tests.coloured_clips import COLOURS, RECIPE, frames_of, names_of, trainer

TURNED = replace(RECIPE, augment=Augmentation(6, flip=True))
FROZEN = replace(RECIPE, tune=Tuning(text=1))


def run(given: Trainer, n_steps: int | None = None) -> Trainer:
    """Train so many steps more, or to the end."""
    for done, _ in enumerate(given.run(), start=1):
        if done == n_steps:
            break
    return given


def weights(given: Trainer) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in given.model.named_parameters()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "recipe",
    [RECIPE, TURNED, replace(RECIPE, precision="bf16"), replace(RECIPE, chunk_clips=4)],
    ids=["plain", "augmented", "bf16", "chunked"],
)
def test_training_learns_which_text_belongs_to_which_video(recipe: Recipe) -> None:
    """Clips that were never seen find the name of their colour."""
    done = run(trainer(replace(recipe, epochs=12), 64, held_out=0))
    done.model.eval()
    with torch.no_grad():
        clips = torch.stack([done.model.preprocess(frames_of(index)) for index in range(100, 116)])
        videos = done.model.encode_video(clips)
        logits = done.model.similarity(videos, done.model.encode_text(list(COLOURS)))
    named = [list(COLOURS)[place] for place in logits.argmax(dim=1)]
    assert named == names_of(16)


def test_equal_seeds_give_equal_weights() -> None:
    """To the bit; another seed takes another order."""
    runs = [run(trainer(replace(TURNED, seed=seed))) for seed in (5, 5, 6)]
    assert equal(weights(runs[0]), weights(runs[1]))
    assert runs[0].rows == runs[1].rows
    assert runs[0].rows != runs[2].rows
    assert [row[0] for row in runs[0].rows] == [1] * 4 + [2] * 4


@pytest.mark.parametrize("stop", [1, 3, 4, 7])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(stop: int, tmp_path: Path) -> None:
    """Bit for bit, through a file, wherever it was stopped; so are losses and validation."""
    whole = run(trainer(TURNED, 40, held_out=8))
    part = run(trainer(TURNED, 40, held_out=8), stop)
    write_state(tmp_path / "state.pt", {"a": 1}, part.state())
    rest = trainer(TURNED, 40, held_out=8)
    state = read_state(tmp_path / "state.pt", {"a": 1})
    assert state is not None
    rest.restore(state)
    run(rest)
    assert equal(weights(whole), weights(rest))
    assert rest.rows == whole.rows
    assert rest.validations == whole.validations


def test_frozen_towers_stay_as_they_are() -> None:
    """With frames embedded once, temporal layers and text tower learn, or the former alone."""
    for tune, learns in ((Tuning(text=1), {"temporal", "text"}), (Tuning(), {"temporal"})):
        start = trainer(replace(FROZEN, tune=tune))
        before = weights(start)
        after = weights(run(start, 2))
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        found = {
            "image" if name.startswith("backbone.visual.")
            else "text" if name.startswith("backbone.") else "temporal"
            for name in changed
        }  # fmt: skip
        assert found == learns


def test_embedded_frames_give_the_losses_of_frames() -> None:
    """A frozen image tower: what is read once and what is read each time are the same clips."""
    cached = run(trainer(FROZEN))
    # a fresh variant each epoch cannot be kept; one that turns by nothing is the clip itself
    plain = trainer(replace(FROZEN, augment=Augmentation(rotation_deg=1e-9)))
    assert not plain.recipe.caches_frames
    run(plain)
    losses = [np.array([row[2] for row in one.rows]) for one in (cached, plain)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_activations_that_are_computed_again_change_nothing() -> None:
    """The gradients are the same, and so the weights."""
    kept = weights(run(trainer(RECIPE), 3))
    again = weights(run(trainer(replace(RECIPE, checkpoint_activations=True)), 3))
    for name, weight in kept.items():
        torch.testing.assert_close(again[name], weight, rtol=1e-5, atol=1e-7)


def test_each_tower_has_its_own_learning_rate() -> None:
    """By plain gradient descent without decay, a step is the rate times the gradient."""
    recipe = replace(
        RECIPE,
        tune=Tuning(text=0.1, image=0.01),
        optimizer=Optimizer("sgd", 0.5, weight_decay=0, momentum=0),
        schedule=Schedule("steps", milestones=()),
    )
    given = trainer(recipe)
    before = weights(given)
    run(given, 1)
    rates = {"temporal": 0.5, "backbone.visual": 0.005, "backbone": 0.05}
    for name, weight in given.learned.items():
        rate = next(value for prefix, value in rates.items() if name.startswith(prefix) or
                    (name == "logit_scale" and prefix == "temporal"))  # fmt: skip
        assert weight.grad is not None
        torch.testing.assert_close(weight.detach(), before[name] - rate * weight.grad)


def test_the_best_epoch_is_the_one_with_the_lowest_loss_held_out() -> None:
    """Marked in the table, and only then."""
    done = run(trainer(replace(RECIPE, epochs=6), 40, held_out=8))
    lowest = np.inf
    for _, _, loss, recall, best in done.validations:
        assert bool(best) == (loss < lowest)
        assert 0 <= recall <= 1
        lowest = min(lowest, loss)
    assert len(done.validations) == 6


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    """The message names the step and the clip, and the weights are those before it."""
    given = trainer(FROZEN)
    features = given.material.clips.features  # type: ignore[attr-defined]
    given.material.clips.features = (  # type: ignore[attr-defined]
        lambda clip, one: features(clip, one) * (np.nan if clip == 5 else 1)
    )
    with pytest.raises(EncoderError, match=r"at step [1-4] of 8.*finite embedding: clip 5"):
        run(given)
    assert all(torch.isfinite(weight).all() for weight in weights(given).values())


def test_too_few_clips_are_an_error() -> None:
    """It says how many there are and how many a batch has."""
    with pytest.raises(TooFewError, match="6 clips are there to train on, and batch_clips = 8"):
        trainer(RECIPE, 6)
    with pytest.raises(EncoderError, match="cannot be shared by 3 processes"):
        trainer(RECIPE, ranks=Ranks(0, 3))


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    """The message says what differs; a file that was cut short says so."""
    path = tmp_path / "state.pt"
    assert read_state(path, {}) is None
    write_state(path, {"epochs": 3, "seed": 1}, {"step": 1})
    with pytest.raises(EncoderError, match="epochs was 3, is 4"):
        read_state(path, {"epochs": 4, "seed": 1})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EncoderError, match="--restart begins again"):
        read_state(path, {"epochs": 3, "seed": 1})


def _worker(rank: int, size: int, recipe: Recipe, folder: str) -> None:
    torch.set_num_threads(1)
    address = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=size)
    done = run(trainer(recipe, 40, held_out=7, ranks=Ranks(rank, size)))
    torch.save((weights(done), done.rows, done.validations), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Half of each batch in each: gradients, losses and validation are those of the whole batch."""
    # adamw would blow up what is zero but for rounding
    recipe = replace(RECIPE, chunk_clips=2, optimizer=Optimizer("sgd", 0.1))
    one = run(trainer(recipe, 40, held_out=7))
    multiprocessing.spawn(_worker, (2, recipe, str(tmp_path)), nprocs=2)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert [row[4] for row in found[0][2]] == [row[4] for row in one.validations]
    np.testing.assert_allclose(found[0][1], one.rows, rtol=2e-4)
    np.testing.assert_allclose(found[0][2], one.validations, rtol=2e-4)
    for name, weight in weights(one).items():
        torch.testing.assert_close(found[0][0][name], weight, rtol=1e-3, atol=1e-5)
