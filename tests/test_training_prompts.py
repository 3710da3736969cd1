from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError, SettingsError
from emoclip_clinic.training.datasets import LAYOUTS
from emoclip_clinic.training.prompts import LABELS, find_prompts, read_prompts


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return load_encoder("emoclip-demo", device="cpu")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["emotions", "symptoms", "demo"])
def test_the_shipped_sets_are_whole(name: str) -> None:
    """Each can be read, has a floor, and says whether it is exploratory."""
    words = read_prompts(find_prompts(name))
    assert words.neutral
    assert words.title
    assert words.exploratory == (name == "symptoms")


def test_the_emotions_are_those_of_the_datasets() -> None:
    """No dataset has a class without words."""
    words = read_prompts(find_prompts("emotions"))
    for layout in LAYOUTS.values():
        assert set(layout.classes) <= set(words.classes)
    assert len(words.classes) == 11


def test_a_class_is_the_mean_of_its_sentences(encoder: VideoEncoder, tmp_path: Path) -> None:
    """Of length 1, each sentence and their mean; by hand."""
    words = read_prompts(write(tmp_path, '[classes.a]\ntexts = ["no smile", "broad smile"]\n'))
    single = encoder.encode_text(["no smile", "broad smile"]).numpy().astype(float)
    mean = (single / np.linalg.norm(single, axis=1, keepdims=True)).mean(axis=0)
    found = words.class_vectors(encoder, ["a"]).numpy()[0]
    assert found == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_a_compound_is_the_mean_of_its_components(encoder: VideoEncoder) -> None:
    words = read_prompts(find_prompts("emotions"))
    anger, disgust, both = words.class_vectors(encoder, ["anger", "disgust", "anger_disgust"])
    mean = (anger + disgust) / 2
    assert torch.allclose(both, mean / mean.norm(), atol=1e-6)


def test_label_prompts_name_the_class(tmp_path: Path) -> None:
    """By its name, or by its id without underscores."""
    text = 'templates = ["a face of {name}"]\n[classes.still_face]\ntexts = ["x"]\n'
    words = read_prompts(write(tmp_path, f'{text}[classes.b]\nname = "joy"\ntexts = ["y"]\n'))
    assert words.prompts("still_face", LABELS) == ("a face of still face",)
    assert words.prompts("b", LABELS) == ("a face of joy",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('neutrals = ["a"]\n[classes.a]\ntexts = ["x"]\n', "unknown key 'neutrals'.*neutral"),
        ('[classes.a]\ntexts = ["x"]\ntext = "y"\n', "classes.a: unknown key 'text'"),
        ('title = "empty"\n[classes]\n', "no class"),
        ('[classes.a]\ntexts = [""]\n', "classes.a has an empty text"),
        ('templates = ["joy"]\n[classes.a]\ntexts = ["x"]\n', "has no {name}"),
        ('[classes.a]\nname = "x"\n', "the key 'texts' is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_prompts(write(tmp_path, text))


def test_a_class_without_words_is_named(encoder: VideoEncoder) -> None:
    words = read_prompts(find_prompts("emotions"))
    with pytest.raises(SettingsError, match="have no class 'boredom'"):
        words.class_vectors(encoder, ["anger", "boredom"])


def test_an_encoder_without_text_tower_is_refused(encoder: VideoEncoder) -> None:
    """As the released downstream weights are."""
    blind = VideoEncoder(dataclasses.replace(encoder.architecture, text_layers=0))
    blind.name = "blind"
    with pytest.raises(EncoderError, match="blind have no text tower"):
        read_prompts(find_prompts("demo")).class_vectors(blind, ["still"])
