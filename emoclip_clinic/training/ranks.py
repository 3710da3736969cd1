"""Several processes that train one model: each a part of the batch, as `torchrun` starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

__all__ = ["ALONE", "Ranks", "joined", "local_device"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """The processes at work, and which of them this is."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """Give this process' stretch of what all share: as many to each, in order."""
        each = len(items) // self.size
        return items[self.rank * each : (self.rank + 1) * each]

    def join(self, own: torch.Tensor) -> torch.Tensor:
        """Give the rows of all processes, in order; a gradient flows to one's own only."""
        if self.size == 1:
            return own
        rows = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(rows, own.detach().contiguous())
        rows[self.rank] = own
        return torch.cat(rows)

    def add_gradients(self, weights: Iterable[torch.nn.Parameter]) -> None:
        """Sum each weight's gradient over the processes."""
        if self.size == 1:
            return
        for weight in weights:
            if weight.grad is not None:
                distributed.all_reduce(weight.grad)

    def any(self, here: bool) -> bool:
        """Whether something is so in any of the processes."""
        if self.size == 1:
            return here
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        flag = torch.tensor(int(here), device=device)
        distributed.all_reduce(flag)
        return bool(flag.item())

    def wait(self) -> None:
        """Go on when all have come here."""
        self.any(False)


ALONE = Ranks()


def local_device() -> str:
    """Name this process' device, as `torchrun` numbers the processes of a machine."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that `torchrun` has started; alone where it has not."""
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(local_device())
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ranks(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
