"""AFEW (Dhall et al., 2012): 7 classes, train and validation folders by emotion, no captions.

`AFEW_Face/{train,validation}/<Emotion>/<clip>/`; the folder `AFEW_Face` may be given itself. The
labels of its own test set were never released: the validation set is the split "test" here.
"""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.training.datasets.table import SEVEN, Layout, Rows

__all__ = ["LAYOUT"]

FOLDERS = {"train": ("train",), "test": ("validation", "val")}


def _read_split(rows: Rows, root: Path, fold: int | None, split: str) -> None:
    base = root / "AFEW_Face" if (root / "AFEW_Face").is_dir() else root
    found = [path for path in sorted(base.iterdir()) if path.name.lower() in FOLDERS[split]]
    if not found:
        raise DatasetError(
            f"{base} has no folder {' or '.join(FOLDERS[split])} with a folder an emotion. Give "
            "the folder that holds AFEW_Face (--data)."
        )
    for emotion in sorted(path for path in found[0].iterdir() if path.is_dir()):
        for clip in sorted(emotion.iterdir()):
            if clip.name.startswith("."):
                continue
            name = f"{emotion.name}/{clip.name}"
            rows.add(name, clip, label=emotion.name, split=split, source=f"{found[0].name}/{name}")


LAYOUT = Layout("afew", SEVEN, (), _read_split)
