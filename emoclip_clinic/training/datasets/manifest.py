"""A manifest: your own clips, listed in a CSV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from emoclip_clinic.errors import DatasetError, RatingsError
from emoclip_clinic.sheets import Sheet, read_sheet
from emoclip_clinic.training.datasets.table import SPLITS, VALIDATION, Dataset, Rows

__all__ = ["COLUMNS", "read"]

COLUMNS = ("video", "caption", "label", "split", "fold", "participant")
"""`video` is a video or a folder of frames, from the manifest's folder; and caption or label."""


def read(path: Path, *, fold: int | None = None, split: str | None = None) -> Dataset:
    """Read a manifest; other columns than `COLUMNS` are left alone.

    A row without a split is in "test" if the manifest has no column split: it is for zero-shot
    recognition, then. A row without a fold is in every fold.

    Raises
    ------
    DatasetError
        It cannot be read, has no column video, neither caption nor label, or not the fold.
    """
    try:
        sheet = read_sheet(path)
    except RatingsError as error:
        raise DatasetError(str(error)) from error
    place = {name: sheet.header.index(name) for name in COLUMNS if name in sheet.header}
    if "video" not in place or not {"caption", "label"} & set(place):
        raise DatasetError(
            f"{sheet.name} has the columns {', '.join(sheet.header)}; a manifest needs video, and "
            "caption or label (and may have split, fold, participant)."
        )
    rows = Rows(path.stem, ())
    for number, cells in sheet.rows:
        row = {name: cells[column] for name, column in place.items()}
        _add(rows, path.parent, row, f"{sheet.name}, row {number}", "split" in place)
    dataset = rows.dataset()
    _check_fold(sheet, dataset, fold)
    clips = dataset.clips
    if fold is not None:
        clips = clips[clips["fold"].fillna(fold) == fold]
    if split is not None:
        clips = clips[clips["split"] == split]
    return replace(dataset, clips=clips.reset_index(drop=True))


def _add(rows: Rows, folder: Path, row: dict[str, str], source: str, has_split: bool) -> None:
    split, fold = row.get("split", "").lower(), row.get("fold", "")
    if not row["video"]:
        rows.leave_out("clip", source, "no video is named")
    elif has_split and split not in (*SPLITS, VALIDATION):
        allowed = ", ".join((*SPLITS, VALIDATION))
        rows.leave_out("clip", source, f"split {split!r}; allowed: {allowed}")
    elif fold and not fold.isdecimal():
        rows.leave_out("clip", source, f"fold {fold!r}; allowed: a whole number from 1")
    else:
        rows.add(
            row["video"],
            folder / row["video"],
            label=row.get("label", ""),
            caption=row.get("caption", ""),
            split=split or "test",
            fold=int(fold) if fold else None,
            participant=row.get("participant", ""),
            source=source,
        )


def _check_fold(sheet: Sheet, dataset: Dataset, fold: int | None) -> None:
    known = sorted(set(dataset.clips["fold"].dropna()))
    if fold is not None and fold not in known:
        folds = ", ".join(map(str, known)) or "none: leave --fold out"
        raise DatasetError(f"{sheet.name} has no fold {fold}; it has {folds}.")
