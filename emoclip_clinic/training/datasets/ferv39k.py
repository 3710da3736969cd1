"""FERV39k (Wang et al., CVPR 2022): 7 classes in 22 scenes, split once, no captions.

`{train,test}_image.txt`, UTF-8: path `.../<scene>/<Emotion>/<clip>`, number of frames, label,
separated by spaces. Frames are in `2_ClipsforFaceCrop/<scene>/<Emotion>/<clip>/`.
"""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.training.datasets.numbered import read_numbered
from emoclip_clinic.training.datasets.table import ALIASES, SEVEN, Layout, Rows

__all__ = ["LAYOUT"]


def _read_split(rows: Rows, root: Path, fold: int | None, split: str) -> None:
    for line in read_numbered(rows, root / f"{split}_image.txt"):
        if len(line.path.parts) < 3:
            rows.leave_out("clip", line.place, "a path without scene and emotion before the clip")
            continue
        scene, emotion, clip = line.path.parts[-3:]
        told = ALIASES.get(emotion.lower(), emotion.lower())
        if told != line.label:
            reason = f"its label means {line.label}, its folder {emotion}: one of them is wrong"
            rows.leave_out("clip", line.place, reason)
            continue
        rows.add(
            f"{scene}/{emotion}/{clip}",
            root / "2_ClipsforFaceCrop" / scene / emotion / clip,
            label=line.label,
            split=split,
            n_frames=line.n_frames,
            source=line.place,
        )


LAYOUT = Layout("ferv39k", SEVEN, (), _read_split)
