from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.demo.captions import CLIP_WORDS, caption, clip_levels
from emoclip_clinic.demo.encoder import draw_clip
from emoclip_clinic.demo.expressions import (
    EXPRESSIONS,
    draw_expression,
    is_expression,
    write_expressions,
)
from emoclip_clinic.demo.frames import write_frames
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.checkpoints import save_checkpoint
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.pipeline.training import TrainingOptions, train
from emoclip_clinic.regression.bootstrap import distributions
from emoclip_clinic.training import metrics
from emoclip_clinic.training.prompts import find_prompts, read_prompts
from emoclip_clinic.training.recipe import find_recipe, read_recipe
from emoclip_clinic.training.starting import starting_model
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


def drawn_clips(folder: Path, n: int) -> Path:
    """Write clips that the demonstration's encoder never saw; the label is their class, if any."""
    rows = []
    for index in range(3_000_000, 3_000_000 + n):
        frames, motion = draw_clip(index)
        write_frames(folder / str(index), frames)
        labels = [name for name in EXPRESSIONS if is_expression(name, motion)] or ["other"]
        rows.append((str(index), caption(CLIP_WORDS, clip_levels(motion)), labels[0], "train"))
    table = pd.DataFrame(rows, columns=["video", "caption", "label", "split"])
    table.to_csv(folder / "drawn.csv", index=False)
    return folder / "drawn.csv"


def image_tower(path: Path) -> Path:
    """Write the demonstration's image tower, which saw stills only, beside an untrained rest."""
    taught = load_encoder("emoclip-demo", device="cpu")
    recipe = read_recipe(find_recipe("demo-stills"))
    model = starting_model(recipe, None)
    model.backbone.get_submodule("visual").load_state_dict(
        taught.backbone.get_submodule("visual").state_dict()
    )
    save_checkpoint(model, path)
    return path


@pytest.mark.slow
def test_a_class_that_training_left_out_is_recognised(tmp_path: Path) -> None:
    """Its recall among six is above chance, interval and all, and it does not swallow the others.

    Temporal layers and text tower are trained from nothing, on the frames of the image tower that
    never saw a caption of a clip; no training clip shows the class.
    """
    left_out, classes = "amused", list(EXPRESSIONS)
    text = find_recipe("demo-clips").read_text()
    recipe = tmp_path / "few.toml"
    recipe.write_text(
        text.replace("epochs = 30", "epochs = 20")
        .replace("batch_clips = 64", "batch_clips = 32")
        .replace("chunk_clips = 64", "chunk_clips = 32")
        .replace("1e-3", "2e-3")
    )
    start = str(image_tower(tmp_path / "stills.safetensors"))
    options = TrainingOptions(
        recipe=str(recipe), leave_out=left_out, start=start, output=tmp_path / "out", device="cpu"
    )
    done = train(str(drawn_clips(tmp_path / "clips", 260)), options=options)
    assert set(done.exclusions["reason"]) == {"the class that is left out"}
    model = load_encoder(done.summary["encoder"], device="cpu")
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
