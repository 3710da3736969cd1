"""Datasets of labelled clips, each read in the layout in which it is released.

A dataset becomes one tidy table, a row a clip of a list: which folder or video it is, what it shows
in words and by class, and in which split of which fold it stands. Nothing of a clip is opened here:
that is what `emoclip_clinic.training.checking` does.
"""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.resources import close_matches
from emoclip_clinic.training.datasets import afew, dfew, ferv39k, mafw, manifest
from emoclip_clinic.training.datasets.table import (
    CLIP_COLUMNS,
    SPLITS,
    VALIDATION,
    Dataset,
    Layout,
    Rows,
)

__all__ = ["CLIP_COLUMNS", "LAYOUTS", "SPLITS", "VALIDATION", "Dataset", "read_dataset"]

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (mafw.SINGLE, mafw.COMPOUND, dfew.LAYOUT, ferv39k.LAYOUT, afew.LAYOUT)
}


def read_dataset(
    name: str, root: Path | None = None, *, fold: int | None = None, split: str | None = None
) -> Dataset:
    """Read the lists of a dataset.

    Parameters
    ----------
    name
        One of `LAYOUTS`, or the path of a manifest (CSV).
    root
        The folder that the dataset was unpacked into; a manifest has its own.
    fold, split
        One fold (from 1), "train" or "test"; all of them where nothing is given.

    Returns
    -------
    Dataset
        Its clips have the columns `CLIP_COLUMNS`; what could not be read is among its exclusions.

    Raises
    ------
    DatasetError
        The dataset, the fold or the split is unknown, or its lists are not where they should be.
    """
    if split not in (None, *SPLITS):
        raise DatasetError(f"split {split!r} is unknown; allowed: {', '.join(SPLITS)}.")
    if name not in LAYOUTS:
        return manifest.read(_manifest_path(name), fold=fold, split=split)
    layout = LAYOUTS[name]
    _check_fold(layout, fold)
    if root is None or not root.is_dir():
        given = "no folder" if root is None else f"{root}, which is no folder,"
        raise DatasetError(f"{name} needs the folder that holds it; {given} was given (--data).")
    rows = Rows(layout.name, layout.classes)
    missing = []
    folds: list[int | None] = [fold] if fold else [*layout.folds] or [None]
    asked = [(one, part) for one in folds for part in ([split] if split else SPLITS)]
    for one, part in asked:
        try:
            layout.read_split(rows, root, one, part)
        except DatasetError as error:
            missing.append(error)
            rows.leave_out("list", f"{part}{f' of fold {one}' if one else ''}", str(error))
    if len(missing) == len(asked):
        raise missing[0]
    return rows.dataset()


def _manifest_path(name: str) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    raise DatasetError(
        f"there is no dataset and no manifest {name!r}. {close_matches(name, list(LAYOUTS))}"
        f"Known: {', '.join(LAYOUTS)}, or the path of a manifest (CSV)."
    )


def _check_fold(layout: Layout, fold: int | None) -> None:
    if fold is None or fold in layout.folds:
        return
    allowed = (
        f"allowed: {layout.folds[0]} to {layout.folds[-1]}"
        if layout.folds
        else "it is split once, without folds: leave --fold out"
    )
    raise DatasetError(f"{layout.name} has no fold {fold}; {allowed}.")
