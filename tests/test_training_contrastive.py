from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError, SettingsError, TooFewError
from emoclip_clinic.training.contrastive import TrainingSettings, contrastive_loss, train

TINY = Architecture(
    dim=16, image_size=16, patch_size=8, vision_width=16, vision_layers=1, vision_heads=1,
    text_width=16, text_layers=1, text_heads=1, context_length=8, temporal_layers=1,
    temporal_heads=1, temporal_head_width=8, temporal_mlp_width=16, positions=8,
)  # fmt: skip
COLOURS = ("red", "green", "blue", "grey")


def encoder() -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(TINY)


def coloured_clips(n: int) -> list[tuple[torch.Tensor, str]]:
    """Noisy clips of one colour each, and its name."""
    generator = torch.Generator().manual_seed(1)
    levels = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]])
    noise = 0.3 * torch.randn(n, 3, 3, 16, 16, generator=generator)
    return [(levels[i % 4].view(1, 3, 1, 1) + noise[i], COLOURS[i % 4]) for i in range(n)]


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@settings(deadline=None)
@given(n=st.integers(1, 12), scale=st.floats(0.1, 50), seed=st.integers(0, 2**32 - 1))
def test_loss_and_gradient_are_those_of_the_formula(n: int, scale: float, seed: int) -> None:
    """Cross-entropy over rows and over columns, halved; its gradient is softmax less identity."""
    values = scale * np.random.default_rng(seed).uniform(-1, 1, (n, n))
    logits = torch.tensor(values, requires_grad=True)
    loss = contrastive_loss(logits)
    loss.backward()
    rows, columns = softmax(values, 1), softmax(values, 0)
    expected = -(np.log(np.diag(rows)) + np.log(np.diag(columns))).mean() / 2
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    gradient = ((rows - np.eye(n)) + (columns - np.eye(n))) / (2 * n)
    np.testing.assert_allclose(logits.grad.numpy(), gradient, atol=1e-12)


def test_training_learns_which_text_belongs_to_which_video() -> None:
    """After training, clips that were never seen find the name of their colour."""
    model = encoder()
    clips = coloured_clips(80)
    train(model, clips[:64], TrainingSettings(epochs=15, batch_size=8, learning_rate=3e-3))
    videos = torch.stack([frames for frames, _ in clips[64:]])
    logits = model.similarity(model.encode_video(videos), model.encode_text(COLOURS))
    named = [COLOURS[index] for index in logits.argmax(dim=1)]
    assert named == [text for _, text in clips[64:]]
    assert not model.training


def test_equal_seeds_give_equal_weights() -> None:
    """Losses and weights are the same to the bit; another seed takes another order."""
    clips = coloured_clips(16)
    runs = []
    for seed in (5, 5, 6):
        model = encoder()
        log = train(model, clips, TrainingSettings(epochs=2, batch_size=4, seed=seed))
        runs.append((log, torch.nn.utils.parameters_to_vector(model.parameters())))
    assert runs[0][0].equals(runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
    assert not runs[0][0].equals(runs[2][0])
    assert list(runs[0][0]["epoch"]) == [1] * 4 + [2] * 4


def test_embedded_clips_leave_the_image_tower_as_it_is() -> None:
    """With frame embeddings for clips, only the temporal layers and the text tower learn."""
    model = encoder()
    before = {name: value.clone() for name, value in model.named_parameters()}
    clips = [(model.encode_frames(frames).detach(), text) for frames, text in coloured_clips(8)]
    train(model, clips, TrainingSettings(epochs=1, batch_size=4))
    changed = {name for name, value in model.named_parameters() if not value.equal(before[name])}
    assert not any(name.startswith("backbone.visual.") for name in changed)
    assert any(name.startswith("temporal.") for name in changed)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    """A frame that holds NaN is an error that names the step, not a ruined model."""
    clips = coloured_clips(8)
    clips[3][0][0, 0, 0, 0] = float("nan")
    with pytest.raises(EncoderError, match=r"loss is nan at step \d of 2"):
        train(encoder(), clips, TrainingSettings(epochs=1, batch_size=4))


def test_too_few_clips_and_impossible_settings_are_errors() -> None:
    """Both say what was given and what is allowed."""
    with pytest.raises(TooFewError, match="3 clips were given for batches of 4"):
        train(encoder(), coloured_clips(3), TrainingSettings(batch_size=4))
    with pytest.raises(SettingsError, match="batch_size = 1"):
        TrainingSettings(batch_size=1)
