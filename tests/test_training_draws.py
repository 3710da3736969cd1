"""What an epoch sees: drawn by number, so that nothing has to be remembered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.training.draws import (
    Variant,
    batches,
    held_out,
    text_numbers,
    variant,
    variant_number,
)
from emoclip_clinic.training.recipe import Augmentation, Recipe

ALL = Augmentation(rotation_deg=6, flip=True, random_start=True)


@given(st.integers(2, 60), st.integers(2, 9), st.integers(1, 5))
def test_an_epoch_takes_each_clip_at_most_once(n: int, size: int, epoch: int) -> None:
    """All but the rest that fills no batch."""
    recipe = Recipe(batch_clips=size)
    order = batches([""] * n, epoch, recipe)
    assert order.shape == (n // size, size)
    assert len(set(order.ravel().tolist())) == order.size
    assert np.array_equal(order, batches([""] * n, epoch, recipe))


def test_epochs_have_different_orders() -> None:
    recipe = Recipe(batch_clips=20)
    orders = {tuple(batches([""] * 20, epoch, recipe).ravel()) for epoch in range(1, 9)}
    assert len(orders) == 8


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=40), st.integers(1, 4))
def test_oversampling_makes_the_classes_equal(labels: list[str], epoch: int) -> None:
    """Every clip is there, none of a class more than once oftener than another of it."""
    most = max(Counter(labels).values())
    n = most * len(set(labels))
    order = batches(labels, epoch, Recipe(batch_clips=n, oversample=True)).ravel().tolist()
    assert Counter(labels[clip] for clip in order) == dict.fromkeys(labels, most)
    times = Counter(order)
    for name in set(labels):
        own = [times[clip] for clip, label in enumerate(labels) if label == name]
        assert max(own) - min(own) <= 1
        assert min(own) >= 1


def test_variants_keep_to_their_bounds() -> None:
    """Angles fill their range to both sides, starts theirs, and half of the clips are mirrored."""
    drawn = [variant(clip, 0, ALL, 1) for clip in range(2000)]
    angles = np.array([one.angle_deg for one in drawn])
    starts = np.array([one.start for one in drawn])
    assert -6 <= angles.min() < -5.9 < 5.9 < angles.max() <= 6
    assert 0 <= starts.min() < 0.01 < 0.99 < starts.max() <= 1
    # five standard errors of a share of one half
    assert abs(np.mean([one.flipped for one in drawn]) - 0.5) < 5 * 0.5 / 2000**0.5
    assert variant(7, 3, ALL, 1) == variant(7, 3, ALL, 1) != variant(7, 4, ALL, 1)


def test_clips_held_out_and_clips_without_augmentation_are_seen_as_they_are() -> None:
    assert variant(3, -1, ALL, 1) == Variant() == variant(3, 5, Augmentation(), 1)


def test_an_epoch_has_a_new_variant_or_one_of_those_that_are_kept() -> None:
    assert [variant_number(3, epoch, ALL, 1) for epoch in (1, 2, 3)] == [1, 2, 3]
    kept = replace(ALL, variants=4)
    assert {variant_number(3, epoch, kept, 1) for epoch in range(1, 60)} == {0, 1, 2, 3}


def test_turning_and_mirroring_are_those_of_the_picture() -> None:
    """A quarter turn counter-clockwise and a mirror, where both are exact; all frames alike."""
    frames = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(2, 3, 4, 4)
    assert torch.equal(Variant(flipped=True).apply(frames), frames.flip(-1))
    turned = Variant(angle_deg=90).apply(frames)
    torch.testing.assert_close(turned, torch.rot90(frames, 1, (-2, -1)))


def test_texts_are_chosen_among_a_clip_s_own() -> None:
    clips, options = np.arange(50), [(clip, clip + 50) for clip in range(50)]
    chosen = [text_numbers(clips, epoch, options, 1) for epoch in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert all(text in options[clip] for clip, text in enumerate(chosen[0]))
    assert len({text // 50 for text in chosen[0]}) == 2


@given(
    st.lists(st.sampled_from(["", "p1", "p2", "p3", "p4"]), min_size=2, max_size=30),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_people_are_held_out_as_wholes(people: list[str], share: float) -> None:
    """Nobody is on both sides; the number of people is the share, rounded up."""
    clips = pd.DataFrame({"path": [f"{n}" for n in range(len(people))], "participant": people})
    out = held_out(clips, share, seed=1)
    units = [person or f"clip {n}" for n, person in enumerate(people)]
    inside = {unit for unit, held in zip(units, out, strict=True) if held}
    outside = {unit for unit, held in zip(units, out, strict=True) if not held}
    assert not inside & outside
    assert len(inside) == pytest.approx(np.ceil(share * len(set(units))))
