"""A training's numbers for TensorBoard, where it is installed."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from emoclip_clinic import files
from emoclip_clinic.training.trainer import STEP_COLUMNS, VALIDATION_COLUMNS, Step

__all__ = ["tensorboard"]

EPOCH_AND_STEP = 2
"""The first columns of both tables say when."""


@contextlib.contextmanager
def tensorboard(folder: Path, step: int) -> Iterator[Callable[[Step], None]]:
    """Give what writes each step to a folder; it does nothing where TensorBoard is not installed.

    Parameters
    ----------
    folder
        Of the event files.
    step
        The training goes on after it: what a run that was killed wrote later is hidden.
    """
    if importlib.util.find_spec("tensorboard") is None:
        yield lambda step: None
        return
    from torch.utils.tensorboard import SummaryWriter

    # what TensorBoard makes itself, everybody may read
    files.make_folder(folder)
    with SummaryWriter(str(folder), purge_step=step + 1) as writer:

        def write(done: Step) -> None:
            for part, columns, row in (
                ("training", STEP_COLUMNS, done.row),
                ("validation", VALIDATION_COLUMNS, done.validation or ()),
            ):
                pairs = list(zip(columns, row, strict=False))[EPOCH_AND_STEP:]
                for name, value in pairs:
                    writer.add_scalar(f"{part}/{name}", value, done.number)

        yield write
