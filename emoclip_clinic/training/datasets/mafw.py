"""MAFW (Liu et al., ACM Multimedia 2022): 11 classes and their compounds, captions, 5 folds.

`Train_Test_Set/{single,compound}/with_caption_new/set_{1..5}/{train,test}.txt`, GBK, tab-separated:
file, emotion (compound ones joined by an underscore), Chinese caption, English caption; fewer
columns where there is no caption. Frames are in `data/faces/<stem of the file>/`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from emoclip_clinic.training.datasets.table import Layout, Rows, list_rows

__all__ = ["CLASSES", "COMPOUND", "SINGLE"]

CLASSES = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt",
    "anxiety", "helplessness", "disappointment",
)  # fmt: skip
FOLDS = (1, 2, 3, 4, 5)
VARIANTS = ("with_caption_new", "no_caption_new")
COLUMNS = 4
"""Of a line with both captions."""


def _read_split(rows: Rows, root: Path, fold: int | None, split: str, *, kind: str) -> None:
    folders = [root / "Train_Test_Set" / kind / variant for variant in VARIANTS]
    paths = [folder / f"set_{fold}" / f"{split}.txt" for folder in folders]
    path = next((path for path in paths if path.is_file()), paths[0])
    if path == paths[1]:
        rows.notes.append(f"fold {fold}, {split}: the lists without captions were read")
    for place, cells in list_rows(rows, path, "\t", "gbk"):
        if len(cells) < 2 or not all(cells[:2]):
            rows.leave_out("clip", place, "fewer than two columns; the first are file and emotion")
            continue
        stem = cells[0].split(".")[0]
        rows.add(
            stem,
            root / "data" / "faces" / stem,
            label=cells[1],
            caption=cells[3] if len(cells) >= COLUMNS else "",
            split=split,
            fold=fold,
            source=place,
        )


SINGLE = Layout("mafw", CLASSES, FOLDS, partial(_read_split, kind="single"))
COMPOUND = Layout("mafw-compound", CLASSES, FOLDS, partial(_read_split, kind="compound"))
