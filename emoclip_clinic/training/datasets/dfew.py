"""DFEW (Jiang et al., ACM Multimedia 2020): 7 classes, 5 folds, no captions.

`DFEW_set_{1..5}_{train,test}.txt`, in the folder itself or one below it, UTF-8: path, number of
frames, label, separated by spaces. Frames are in `DFEW_Frame_Face/<last part of the path>/`.
"""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.training.datasets.numbered import read_numbered
from emoclip_clinic.training.datasets.table import SEVEN, Layout, Rows

__all__ = ["LAYOUT"]


def _read_split(rows: Rows, root: Path, fold: int | None, split: str) -> None:
    name = f"DFEW_set_{fold}_{split}.txt"
    path = next(iter(sorted(root.glob(f"*/{name}"))), root / name)
    path = root / name if (root / name).is_file() else path
    for line in read_numbered(rows, path):
        clip = line.path.name
        rows.add(
            clip,
            root / "DFEW_Frame_Face" / clip,
            label=line.label,
            split=split,
            fold=fold,
            n_frames=line.n_frames,
            source=line.place,
        )


LAYOUT = Layout("dfew", SEVEN, (1, 2, 3, 4, 5), _read_split)
