from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from emoclip_clinic.demo.captions import CLIP_WORDS, caption, clip_levels
from emoclip_clinic.demo.encoder import ARCHITECTURE, draw_clip
from emoclip_clinic.demo.expressions import (
    EXPRESSIONS,
    draw_expression,
    is_expression,
    write_expressions,
)
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.training import metrics
from emoclip_clinic.training.contrastive import TrainingSettings, train
from emoclip_clinic.training.prompts import find_prompts, read_prompts
from emoclip_clinic.training.zeroshot import embed_clip, recognise


def test_an_expression_is_what_its_words_say() -> None:
    """Each caption is one of the sentences of its class; equal numbers give equal pixels."""
    words = read_prompts(find_prompts("demo"))
    assert list(words.classes) == list(EXPRESSIONS)
    for name in EXPRESSIONS:
        frames, text = draw_expression(name, 0)
        assert text in words.classes[name].texts
        assert frames.shape == (32, 128, 128, 3)
    assert np.array_equal(draw_expression("still", 1)[0], draw_expression("still", 1)[0])
    with pytest.raises(SettingsError, match="allowed: still, amused"):
        draw_expression("bored", 0)


def test_expressions_are_written_as_a_dataset(tmp_path: Path) -> None:
    """Folders of frames, each clip of another person, and a manifest."""
    table = pd.read_csv(write_expressions(tmp_path, 1))
    assert list(table["label"]) == list(EXPRESSIONS)
    assert table["participant"].is_unique
    assert all(len(list((tmp_path / name).glob("*.png"))) == 32 for name in table["video"])


@pytest.mark.slow
def test_a_class_that_training_left_out_is_recognised() -> None:
    """Its recall among six is above chance, interval and all, and it does not swallow the others.

    Temporal layers and text tower are trained from nothing, on the frames of the image tower that
    never saw a caption of a clip; no training clip shows the class.
    """
    left_out, classes = "amused", list(EXPRESSIONS)
    image = load_encoder("emoclip-demo", device="cpu")
    clips = []
    with torch.no_grad():
        for index in range(3_000_000, 3_000_260):
            frames, motion = draw_clip(index)
            if not is_expression(left_out, motion):
                features = image.encode_frames(image.preprocess(frames))
                clips.append((features, caption(CLIP_WORDS, clip_levels(motion))))
    torch.manual_seed(0)
    model = VideoEncoder(ARCHITECTURE)
    model.backbone.visual.load_state_dict(image.backbone.visual.state_dict())  # type: ignore[union-attr]
    with torch.no_grad():
        # as the demonstration's encoder begins
        model.backbone.token_embedding.weight.mul_(10)  # type: ignore[union-attr]
        model.backbone.positional_embedding.mul_(10)  # type: ignore[operator]
    train(model, clips, TrainingSettings(epochs=20, batch_size=32, learning_rate=2e-3, seed=1))
    truth = np.repeat(range(6), [24 if name == left_out else 6 for name in classes])
    whole = np.arange(32)[np.newaxis]
    vectors = [
        embed_clip(model, list(draw_expression(classes[label], place)[0]), whole)[0]
        for place, label in enumerate(truth)
    ]
    words = read_prompts(find_prompts("demo")).class_vectors(model, classes)
    guess = recognise(np.stack(vectors), words).argmax(axis=1)
    draw = partial(distributions, n_resamples=500, seed=1)
    table = metrics.scores(truth, guess, classes, [""] * len(truth), draw)
    found = table.set_index(["statistic", "class"])
    assert found.loc[("recall", left_out), "ci_low"] > 1 / 6
    assert found.loc[("UAR", ""), "ci_low"] > 1 / 6
    others = truth != classes.index(left_out)
    assert (guess[others] == classes.index(left_out)).mean() < 1 / 3
