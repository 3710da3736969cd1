from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from reference import fill_script, filled, tiny_architecture

from emoclip_clinic.encoder.model import REFERENCE, Architecture, VideoEncoder
from emoclip_clinic.errors import EncoderError

TOLERANCE = 1e-4
"""Of the reference's own outputs, relative: max |a - b| / max |b|."""


def error(ours: torch.Tensor, golden: npt.NDArray[np.float32]) -> float:
    return float(np.abs(ours.numpy() - golden).max() / np.abs(golden).max())


def check_golden(shared: Path, model: VideoEncoder, size: str, shape: tuple[int, ...]) -> None:
    fill = fill_script(shared)
    golden = np.load(shared / "reference" / f"golden_{size}.npz")
    clips = torch.from_numpy(fill.video(*shape))
    frames = model.encode_frames(clips.flatten(0, 1)).reshape(*clips.shape[:2], -1)
    videos, texts = model.encode_video(clips), model.encode_text(fill.TEXTS)
    assert error(frames, golden["frame_features"]) < TOLERANCE
    assert error(videos, golden["video_features"]) < TOLERANCE
    assert error(model.encode_temporal(frames), golden["video_features"]) < TOLERANCE
    assert error(texts, golden["text_features"]) < TOLERANCE
    assert error(model.similarity(videos, texts), golden["logits_per_video"]) < TOLERANCE


def test_small_model_is_the_reference(shared: Path) -> None:
    """Frames, videos, texts and similarities of the small model agree with the public code."""
    check_golden(shared, filled(shared, "tiny", tiny_architecture(shared)), "tiny", (2, 12, 64))


@pytest.mark.slow
def test_full_model_is_the_reference(shared: Path) -> None:
    """The full-size model agrees with the public code too: 220 million parameters."""
    check_golden(shared, filled(shared, "b32", REFERENCE), "b32", (2, 8, 224))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize(
    ("size", "architecture", "shape"),
    [("tiny", tiny_architecture, (2, 12, 64)), ("b32", lambda _: REFERENCE, (2, 8, 224))],
)
def test_fewer_bits_give_the_reference_s_directions(
    shared: Path,
    size: str,
    architecture: Callable[[Path], Architecture],
    shape: tuple[int, ...],
    precision: str,
) -> None:
    """Each embedding's cosine to the reference's own is 0.9995 or more, in fp32."""
    model = filled(shared, size, architecture(shared))
    model.precision = precision
    golden = np.load(shared / "reference" / f"golden_{size}.npz")
    clips = torch.from_numpy(fill_script(shared).video(*shape))
    frames, videos = model.encode_frames(clips.flatten(0, 1)), model.encode_video(clips)
    for ours, name in ((frames, "frame_features"), (videos, "video_features")):
        assert ours.dtype == torch.float32
        theirs = torch.from_numpy(golden[name]).reshape(ours.shape)
        assert torch.nn.functional.cosine_similarity(ours, theirs).min() >= 0.9995


@pytest.mark.parametrize(
    ("size", "heads", "expected"),
    [
        ("b32", {}, REFERENCE),
        (
            "tiny",
            {"temporal_heads": 2, "text_heads": 2},
            Architecture(
                dim=64,
                image_size=64,
                patch_size=16,
                vision_width=64,
                vision_layers=2,
                vision_heads=1,
                text_width=64,
                text_layers=2,
                text_heads=2,
                temporal_heads=2,
                temporal_head_width=48,
                temporal_mlp_width=64,
            ),
        ),
    ],
)
def test_dimensions_are_read_from_shapes(
    shared: Path, size: str, heads: dict[str, int], expected: Architecture
) -> None:
    """The shapes of a state dict, and the heads where they are ambiguous, give every dimension."""
    shapes = json.loads((shared / "reference" / f"vclip_{size}.json").read_text())
    assert Architecture.from_shapes(shapes, **heads) == expected
    assert Architecture.from_json(expected.to_json()) == expected


def test_ambiguous_heads_are_asked_for(shared: Path) -> None:
    """Heads that no shape tells are not guessed."""
    shapes = json.loads((shared / "reference" / "vclip_tiny.json").read_text())
    with pytest.raises(EncoderError, match="temporal_heads"):
        Architecture.from_shapes(shapes)


def small(**changes: int) -> VideoEncoder:
    """Make a small model with random weights."""
    torch.manual_seed(1)
    architecture = Architecture(
        dim=16,
        image_size=32,
        patch_size=16,
        vision_width=16,
        vision_layers=1,
        vision_heads=1,
        text_width=16,
        text_layers=1,
        text_heads=1,
        temporal_heads=2,
        temporal_head_width=8,
        temporal_mlp_width=16,
        positions=12,
    )
    return VideoEncoder(dataclasses.replace(architecture, **changes)).eval()


def test_baseline_is_the_mean_over_frames() -> None:
    """Without temporal layers, a clip's embedding is the mean of its frames' embeddings."""
    model = small(temporal_layers=0)
    clips = torch.randn(2, 5, 3, 32, 32)
    frames = model.encode_frames(clips.flatten(0, 1)).reshape(2, 5, 16)
    torch.testing.assert_close(model.encode_video(clips), (frames.sum(dim=1) / 5))


def test_order_of_frames_matters_to_the_temporal_layers() -> None:
    """A clip played backwards has another embedding: positions are learned."""
    model = small()
    clip = torch.randn(1, 6, 3, 32, 32)
    forwards, backwards = model.encode_video(clip), model.encode_video(clip.flip(1))
    assert not torch.allclose(forwards, backwards, atol=1e-3)


def test_clips_of_any_length_up_to_the_position_table() -> None:
    """The class token takes one of the positions; a longer clip is an error that says the limit."""
    model = small(positions=12)
    for length in (1, 7, 11):
        assert model.encode_temporal(torch.randn(1, length, 16)).shape == (1, 16)
    with pytest.raises(EncoderError, match="allowed: 11 or fewer"):
        model.encode_temporal(torch.randn(1, 12, 16))


@pytest.mark.parametrize("shape", [(0, 4, 16), (1, 4, 15), (4, 16)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """Every entry point says which shape it takes."""
    model = small()
    if shape != (0, 4, 16):
        with pytest.raises(EncoderError, match=r"allowed: \(batch, time, 16\)"):
            model.encode_temporal(torch.zeros(shape))
    with pytest.raises(EncoderError, match=r"allowed: \(n, 3, 32, 32\)"):
        model.encode_frames(torch.zeros(shape))
    with pytest.raises(EncoderError, match="as `preprocess` gives"):
        model.encode_video(torch.zeros(shape))


def test_texts_need_a_text_tower() -> None:
    """The released downstream weights have no text tower: asking for one is an error."""
    with pytest.raises(EncoderError, match="no text tower"):
        small(text_layers=0).encode_text(["a still face"])


def test_long_texts_are_truncated() -> None:
    """What is beyond the context length changes nothing; what is within it does."""
    model = small(context_length=20)
    words = [f"word{n}" for n in range(60)]
    cut, changed_late = " ".join(words), " ".join([*words[:59], "other"])
    changed_early = " ".join(["other", *words[1:]])
    first, late, early = model.encode_text([cut, changed_late, changed_early])
    torch.testing.assert_close(first, late)
    assert not torch.allclose(first, early, atol=1e-4)


def test_similarity_is_a_scaled_cosine() -> None:
    """Equal directions have the similarity exp(logit_scale), opposite ones its negative."""
    model = small()
    vectors = torch.randn(3, 16)
    logits = model.similarity(vectors, torch.cat([5 * vectors, -vectors]))
    # CLIP starts at a temperature of 0.07
    torch.testing.assert_close(logits.diagonal(), torch.full((3,), 1 / 0.07))
    torch.testing.assert_close(logits[:, 3:].diagonal(), torch.full((3,), -1 / 0.07))


def test_the_whole_model_can_be_trained() -> None:
    """Gradients reach every parameter but CLIP's own scale, which the model's copy replaces."""
    model = small()
    logits = model.similarity(
        model.encode_video(torch.randn(2, 3, 3, 32, 32)), model.encode_text(["one", "two"])
    )
    logits.diagonal().sum().backward()
    without = {name for name, value in model.named_parameters() if value.grad is None}
    assert without == {"backbone.logit_scale"}
