"""datasets check: what of a dataset cannot be used, before an hour of training."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from emoclip_clinic import files
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.clips import examine
from emoclip_clinic.rating_cells import counted
from emoclip_clinic.training import checking
from emoclip_clinic.training.datasets import read_dataset

__all__ = ["check_dataset"]

FEW_FRAMES = 16
"""Below half a clip of 32 frames, more than half of it is the clip's reflection."""


def check_dataset(
    name: str,
    root: Path | None = None,
    *,
    fold: int | None = None,
    every_frame: bool = False,
    output: Path | None = None,
    progress: Progress = quiet,
) -> StageResult:
    """Read a dataset's lists, open every clip, and say what cannot be used and why.

    Parameters
    ----------
    name, root, fold
        As for `emoclip_clinic.training.datasets.read_dataset`.
    every_frame
        Decode every image instead of three of a clip; videos are decoded whole anyway.
    output
        A CSV of all clips: the columns of the dataset's table, then found (frames), reason and
        remark.

    Raises
    ------
    DatasetError
        The dataset or the fold is unknown, or no list can be read.
    """
    dataset = read_dataset(name, root, fold=fold)
    clips, exclusions = checking.check(dataset, partial(examine, every_frame=every_frame), progress)
    if output is not None:
        files.write_csv(output, clips)
    table = checking.overview(clips)
    n_usable = checking.usable(clips)["path"].nunique()
    return StageResult(
        stage="datasets check",
        message=f"{counted(n_usable, 'clip')} of {clips['path'].nunique()} can be used.",
        written=() if output is None else (output,),
        exclusions=exclusions,
        notes=(*dataset.notes, *_remarks(clips)),
        summary={
            "dataset": dataset.name,
            "classes": list(dataset.classes),
            "n_clips": int(clips["path"].nunique()),
            "n_usable": int(n_usable),
            "splits": table.to_dict("records"),
        },
        table=table,
    )


def _remarks(clips: pd.DataFrame) -> list[str]:
    here = clips[clips["reason"] == ""].drop_duplicates("path")
    gaps = here[here["remark"] != ""]
    other = here[here["n_frames"].notna() & (here["n_frames"] != here["found"])]
    few = here[here["found"] < FEW_FRAMES]
    found = (
        (gaps, "with gaps between the numbers of its frames; what is there is read in order"),
        (other, "with another number of frames than its list says"),
        (few, f"of fewer than {FEW_FRAMES} frames; a window is filled up by reflection"),
    )
    return [
        f"{counted(len(rows), 'clip')} {words} (first: {rows['clip'].iloc[0]})"
        for rows, words in found
        if len(rows)
    ]
