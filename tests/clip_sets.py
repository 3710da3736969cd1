"""Miniatures of datasets in their released layouts, drawn with numbered frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2

from tests.videos import numbered_frames

__all__ = ["make_afew", "make_dfew", "make_ferv39k", "make_mafw", "write_frames", "write_list"]


def write_frames(folder: Path, numbers: Iterable[int] = range(5), *, digits: int = 5) -> None:
    """Write frames 32 x 40 that show their own number, the last first; digits 0: no padding."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = list(numbers)
    drawn = numbered_frames(max(chosen, default=0) + 1, 32, 40)
    for number in reversed(chosen):
        path = folder / f"{number:0{digits}d}.png"
        cv2.imwrite(str(path), drawn[number][:, :, ::-1])


def write_list(path: Path, lines: Sequence[str], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))


def make_mafw(root: Path, encoding: str = "gbk") -> Path:
    """Five folds of two clips a list; lines of four, three and two columns; a compound list."""
    lists = root / "Train_Test_Set"
    for fold in range(1, 6):
        with_caption = lists / "single" / "with_caption_new" / f"set_{fold}"
        write_list(
            with_caption / "train.txt",
            ["00001.mp4\tanger\t他皱着眉头\tHe frowns.", "00002.mp4\thappiness\t她笑了"],
            encoding,
        )
        write_list(with_caption / "test.txt", ["00003.mp4\tsadness", ""], encoding)
        both = lists / "compound" / "with_caption_new" / f"set_{fold}"
        write_list(both / "train.txt", ["00001.mp4\tdisgust_anger\t怒\tHe is angry."], encoding)
        write_list(both / "test.txt", ["00003.mp4\tsadness_helplessness\t哭\tShe cries."], encoding)
    for number in (1, 2, 3):
        write_frames(root / "data" / "faces" / f"{number:05d}", range(4 + number))
    return root


def make_dfew(root: Path) -> Path:
    """Five folds; clips of the first, a middle and the last class."""
    for fold in range(1, 6):
        write_list(root / f"DFEW_set_{fold}_train.txt", ["data/DFEW/00007 5 0", "x/00008 5 3"])
        write_list(root / f"DFEW_set_{fold}_test.txt", ["data/DFEW/00009 6 6"])
    for number, n_frames in ((7, 5), (8, 5), (9, 6)):
        write_frames(root / "DFEW_Frame_Face" / f"{number:05d}", range(n_frames))
    return root


def make_ferv39k(root: Path) -> Path:
    """One scene; the folders have the names of the release."""
    write_list(root / "train_image.txt", ["./data/Action/Happy/0267 5 0"])
    write_list(
        root / "test_image.txt", ["./data/Action/Angry/0268 5 3", "./a/Action/Fear/0269 5 6"]
    )
    for name in ("Happy/0267", "Angry/0268", "Fear/0269"):
        write_frames(root / "2_ClipsforFaceCrop" / "Action" / name)
    return root


def make_afew(root: Path) -> Path:
    """One clip a split."""
    write_frames(root / "AFEW_Face" / "train" / "Happy" / "000046280")
    write_frames(root / "AFEW_Face" / "validation" / "Angry" / "000149120")
    return root
