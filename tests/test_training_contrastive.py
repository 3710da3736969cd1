from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.training.contrastive import backward, contrastive_loss


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


@settings(deadline=None)
@given(texts=st.lists(st.integers(0, 3), min_size=1, max_size=10), seed=st.integers(0, 2**32 - 1))
def test_clips_of_one_text_are_pairs_of_each_other(texts: list[int], seed: int) -> None:
    """A row's loss is the mean of -log softmax over its pairs; equal texts leave log(n) at best."""
    n = len(texts)
    values = np.random.default_rng(seed).uniform(-3, 3, (n, n))
    pairs = np.equal.outer(texts, texts)
    by_row = [-np.log(softmax(values, 1)[i])[pairs[i]].mean() for i in range(n)]
    by_column = [-np.log(softmax(values, 0)[:, i])[pairs[:, i]].mean() for i in range(n)]
    expected = (np.mean(by_row) + np.mean(by_column)) / 2
    assert contrastive_loss(torch.tensor(values), texts).item() == pytest.approx(expected, rel=1e-9)
    alone = contrastive_loss(torch.tensor(values), list(range(n))).item()
    assert alone == pytest.approx(contrastive_loss(torch.tensor(values)).item(), rel=1e-12)


@settings(deadline=None, max_examples=30)
@given(
    n=st.integers(2, 11),
    chunks=st.tuples(st.integers(1, 11), st.integers(1, 11)),
    same=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_gradient_of_chunks_is_that_of_the_whole_batch(
    n: int, chunks: tuple[int, int], same: bool, seed: int
) -> None:
    """However each side is cut, the weights' gradient is what autograd gives for all at once."""
    generator = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(n, 5, generator=generator, dtype=torch.float64) for _ in range(2)]
    layers = [torch.nn.Linear(5, 4).double() for _ in range(2)]
    scale = torch.nn.Parameter(torch.tensor(1.5, dtype=torch.float64))
    texts = [int(number) for number in torch.randint(0, 4, (n,), generator=generator)]

    def similarity(videos: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return scale * videos.double() @ words.double().T

    def embed(side: int, start: int, stop: int) -> torch.Tensor:
        return torch.tanh(layers[side](inputs[side][start:stop]))

    numbers = texts if same else None
    weights = [scale, *layers[0].parameters(), *layers[1].parameters()]
    whole = contrastive_loss(similarity(embed(0, 0, n), embed(1, 0, n)), numbers)
    expected = torch.autograd.grad(whole, weights)
    parts = [
        [
            lambda side=side, start=start: embed(side, start, start + chunks[side])
            for start in range(0, n, chunks[side])
        ]
        for side in range(2)
    ]
    loss = backward(*parts, similarity, numbers)
    assert loss.item() == pytest.approx(whole.item(), rel=1e-6)
    for weight, gradient in zip(weights, expected, strict=True):
        # embeddings are handed over in single precision
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)
