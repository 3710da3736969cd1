"""What a training has led to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from emoclip_clinic.pipeline._stage import StageResult
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.report.numbers import number
from emoclip_clinic.training.trainer import STEP_COLUMNS, VALIDATION_COLUMNS, Trainer

__all__ = ["trained"]


def trained(
    trainer: Trainer, encoder: Path, exclusions: pd.DataFrame, notes: Sequence[str]
) -> StageResult:
    """Say what was learned, and where it is.

    Parameters
    ----------
    trainer
        At its end.
    encoder
        The weights that were kept; the tables lie beside them.
    exclusions, notes
        What was not trained on, and what is to be known of the dataset.
    """
    n_clips, n_held_out = len(trainer.material.training), len(trainer.material.validation)
    best = [row for row in trainer.validations if row[-1]]
    chosen = dict(zip(VALIDATION_COLUMNS, best[-1], strict=True)) if best else {}
    words = "No clip was held out, so the last epoch was kept."
    if chosen:
        words = (
            f"Epoch {chosen['epoch']:.0f} was best by {trainer.recipe.validation.best_by} on "
            f"{counted(n_held_out, 'clip')} held out: loss {number(chosen['loss'])}, "
            f"own text nearest {number(100 * chosen['recall'], 0)} %."
        )
    tables = (encoder.parent / "steps.csv", encoder.parent / "validation.csv")
    return StageResult(
        stage="train",
        message=f"{counted(n_clips, 'clip')}, {trainer.n_steps} steps.",
        written=tuple(path for path in (encoder, *tables) if path.is_file()),
        exclusions=exclusions,
        notes=tuple(notes),
        summary={
            "n_clips": n_clips,
            "n_validation": n_held_out,
            "n_steps": trainer.n_steps,
            "last": dict(zip(STEP_COLUMNS, trainer.rows[-1], strict=True)),
            "best": chosen,
            "encoder": str(encoder),
        },
        words=(words,),
        next_command=f"emoclip-clinic zeroshot DATASET --encoder {encoder}",
    )
