"""Recipes that are shipped, and how the learning rate follows one."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from emoclip_clinic import resources
from emoclip_clinic.errors import ClinicError, SettingsError
from emoclip_clinic.training.optimizing import learning_rate_factor
from emoclip_clinic.training.recipe import Recipe, Schedule, find_recipe, read_recipe

FOLDER = Path(__file__).parents[1] / "protocols" / "encoding" / "training"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_can_be_read(name: str) -> None:
    assert read_recipe(find_recipe(name)).title


def test_the_captions_recipe_is_the_papers() -> None:
    """Foteinopoulou and Patras 2024: the numbers of its training section."""
    recipe = read_recipe(find_recipe("captions"))
    assert (recipe.epochs, recipe.batch_clips, recipe.start) == (30, 128, "clip-mean")
    rule = recipe.optimizer
    assert (rule.name, rule.learning_rate, rule.momentum, rule.weight_decay) == (
        "sgd", 1e-3, 0.9, 5e-4,
    )  # fmt: skip
    assert (recipe.schedule.milestones, recipe.schedule.gamma) == ((15, 35, 50), 0.1)
    assert (recipe.augment.rotation_deg, recipe.augment.flip) == (6, True)
    assert (recipe.clips.n_frames, recipe.clips.every_nth) == (32, 4)
    assert (recipe.tune.text, recipe.tune.image) == (0, 0)
    tuned = read_recipe(find_recipe("captions-tuned"))
    assert (tuned.tune.text, tuned.tune.image) == (1e-3, 1e-3)


def test_the_readme_names_every_key_and_its_default() -> None:
    """The table beside the recipes is whole: no key too few, none too many."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_.*]+)` \| ([^|]*)\|", text, flags=re.MULTILINE))
    keys = {}
    for one in fields(Recipe):
        value = getattr(Recipe(), one.name)
        if one.name == "clips":
            keys |= {"clips.n_frames": value.n_frames, "clips.every_nth": value.every_nth}
        elif is_dataclass(value):
            keys |= {f"{one.name}.{part.name}": getattr(value, part.name) for part in fields(value)}
        elif one.name != "architecture":
            keys[one.name] = value
    assert set(rows) == {*keys, "architecture.*"}
    for key, value in keys.items():
        said = rows[key].strip().strip("`")
        if isinstance(value, bool):
            assert said == str(value).lower(), key
        elif isinstance(value, int | float) and said:
            assert float(said) == value, key
        elif isinstance(value, str) and key != "start":
            assert said == value, key


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ClinicError, match="captions"):
        find_recipe("capshuns")


def test_from_nothing_everything_must_learn(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('start = ""\n')
    with pytest.raises(SettingsError, match=r"tune.text and tune.image must be above 0"):
        read_recipe(path)


def test_a_study_s_own_recipe_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "protocols" / "encoding" / "training" / "captions.toml"
    own.parent.mkdir(parents=True)
    own.write_text('title = "ours"\n')
    assert read_recipe(find_recipe("captions", tmp_path)).title == "ours"
    assert resources.find("protocols/encoding/training", "captions", tmp_path) == own


def test_schedules_are_those_of_torch() -> None:
    """MultiStepLR by epochs, and CosineAnnealingLR over the steps."""
    weight = torch.nn.Parameter(torch.zeros(1))
    per_epoch, epochs = 3, 8
    steps = per_epoch * epochs
    own = Schedule("steps", milestones=(2, 5), gamma=0.1)
    rule = torch.optim.SGD([weight], 1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(rule, [2, 5], gamma=0.1)
    for epoch in range(epochs):
        for step in range(epoch * per_epoch, (epoch + 1) * per_epoch):
            factor = learning_rate_factor(own, step, per_epoch, steps)
            assert factor == pytest.approx(theirs.get_last_lr()[0])
        rule.step()
        theirs.step()
    cosine = torch.optim.SGD([weight], 1.0)
    annealed = torch.optim.lr_scheduler.CosineAnnealingLR(cosine, steps)
    for step in range(steps):
        factor = learning_rate_factor(Schedule("cosine"), step, per_epoch, steps)
        assert factor == pytest.approx(annealed.get_last_lr()[0], abs=1e-9)
        cosine.step()
        annealed.step()


def test_the_rate_rises_to_its_highest_before_it_falls() -> None:
    schedule = Schedule("cosine", warm_up=0.25)
    factors = [learning_rate_factor(schedule, step, 5, 40) for step in range(40)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == 1
    assert all(later < earlier for earlier, later in pairwise(factors[10:]))
