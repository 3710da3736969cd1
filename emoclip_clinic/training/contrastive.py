"""The contrastive loss, and its gradient in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch.nn import functional

from emoclip_clinic.training.ranks import ALONE, Ranks

__all__ = ["Part", "backward", "contrastive_loss"]

Part = Callable[[], torch.Tensor]
"""Embeds a few clips or texts, (n, dim); called again, it gives the same."""
Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Embeddings (n, dim) and (m, dim) to logits (n, m): an encoder's `similarity`."""


def contrastive_loss(logits: torch.Tensor, texts: Sequence[int] | None = None) -> torch.Tensor:
    """Symmetric cross-entropy of a batch.

    The mean of -log softmax at the pairs, over the rows (which caption is this video's?) and over
    the columns (which video is this caption's?), halved: Radford et al., "Learning Transferable
    Visual Models From Natural Language Supervision" (ICML 2021), figure 3.

    Parameters
    ----------
    logits
        Scaled similarities (videos, texts), the pairs on the diagonal.
    texts
        A number for each text: those of one number say the same, and a row's or column's pairs
        then are all of them, in equal shares (as in Khosla et al., "Supervised Contrastive
        Learning", NeurIPS 2020, equation 2). Absent: the diagonal only.

    Returns
    -------
    torch.Tensor
        A number: log(n) where nothing is known, 0 where every pair of a diagonal is certain.
    """
    if texts is None:
        pairs = torch.arange(len(logits), device=logits.device)
    else:
        numbers = torch.as_tensor(texts, device=logits.device)
        same = (numbers[:, None] == numbers).to(logits.dtype)
        # equal texts have equal rows and columns, so that one matrix serves both directions
        pairs = same / same.sum(dim=1, keepdim=True)
    by_video = functional.cross_entropy(logits, pairs)
    by_text = functional.cross_entropy(logits.T, pairs)
    return (by_video + by_text) / 2


def backward(
    videos: Sequence[Part],
    texts: Sequence[Part],
    similarity: Similarity,
    numbers: Sequence[int] | None = None,
    *,
    scale: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
    ranks: Ranks = ALONE,
) -> torch.Tensor:
    """Give the loss of a joint batch, and add its gradient to the weights'.

    Where a side has several parts, each is embedded twice: first without a graph, to know the loss
    and its gradient at the embeddings; then part by part with one, to carry that gradient on to the
    weights. The memory is that of one part, and the gradient that of the whole batch: Gao et al.,
    "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (RepL4NLP 2021).

    The batch is that of all processes: each knows every embedding, and carries on the gradient of
    its own. The sum over processes, which `Ranks.add_gradients` makes, is then that of one process
    with the whole batch.

    Parameters
    ----------
    videos, texts
        This process' clips, and their texts in the same order.
    similarity
        Its own weights get their whole gradient on every process.
    numbers
        Of the texts of all processes; see `contrastive_loss`.
    scale
        Enlarges the loss before its gradient is taken, for arithmetic that loses small numbers: a
        gradient scaler's `scale`.
    ranks
        The processes.

    Returns
    -------
    torch.Tensor
        The loss, fp32, the same on every process.
    """
    sides = (videos, texts)
    embedded = [_embed(parts) for parts in sides]
    leaves = [whole.detach().float().requires_grad_() for whole in embedded]
    logits = similarity(*(ranks.join(leaf) for leaf in leaves))
    loss = contrastive_loss(logits, numbers)
    scale(loss).backward()  # type: ignore[no-untyped-call]
    for parts, whole, leaf in zip(sides, embedded, leaves, strict=True):
        # the loss depends on both sides
        gradient = cast("torch.Tensor", leaf.grad)
        if len(parts) == 1:
            _carry_on(whole, gradient)
            continue
        start = 0
        for part in parts:
            again = part()
            _carry_on(again, gradient[start : start + len(again)])
            start += len(again)
    return loss.detach()


def _embed(parts: Sequence[Part]) -> torch.Tensor:
    if len(parts) == 1:
        return parts[0]()
    with torch.no_grad():
        return torch.cat([part() for part in parts])


def _carry_on(embedded: torch.Tensor, gradient: torch.Tensor) -> None:
    if embedded.requires_grad:
        embedded.backward(gradient.to(embedded.dtype))  # type: ignore[no-untyped-call]
