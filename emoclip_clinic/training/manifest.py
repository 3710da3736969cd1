"""Captioned videos, listed in a sheet with a column `video` and a column `caption`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.sheets import read_sheet

__all__ = ["COLUMNS", "ManifestClips", "read_manifest"]

COLUMNS = ("video", "caption")

ReadClip = Callable[[Path], NDArray[np.uint8]]
"""A video's path to the frames of its clip, uint8 (time, height, width, 3), RGB."""
Preprocess = Callable[[NDArray[np.uint8]], torch.Tensor]
"""Those frames to float32 (time, 3, size, size): an encoder's `preprocess`."""


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest; a relative video is looked for beside it.

    Parameters
    ----------
    path
        A CSV with the columns video and caption; others are left alone.

    Returns
    -------
    pandas.DataFrame
        video (Path), caption (text).

    Raises
    ------
    ClinicError
        The sheet cannot be read, lacks a column, or a row has no caption or a video that is not
        there.
    """
    sheet = read_sheet(path)
    missing = [column for column in COLUMNS if column not in sheet.header]
    if missing:
        raise ClinicError(
            f"{sheet.name} has no column {' and no column '.join(missing)}; a manifest needs "
            f"{' and '.join(COLUMNS)}, it has {', '.join(sheet.header)}."
        )
    video_column, caption_column = (sheet.header.index(column) for column in COLUMNS)
    rows = []
    for number, cells in sheet.rows:
        video, caption = path.parent / cells[video_column], cells[caption_column]
        if not video.is_file():
            raise ClinicError(
                f"{sheet.name}, row {number}: there is no video {cells[video_column]!r}. Give its "
                "path from the manifest's folder, or the whole path."
            )
        if not caption:
            raise ClinicError(f"{sheet.name}, row {number}: the caption is empty; write one.")
        rows.append((video, caption))
    return pd.DataFrame(rows, columns=list(COLUMNS))


class ManifestClips(Sequence[tuple[torch.Tensor, str]]):
    """The clips of a manifest, each read when it is asked for.

    Parameters
    ----------
    manifest
        As `read_manifest` gives it.
    read
        Reads a video's clip: as many frames from every video.
    preprocess
        Prepares the frames: the encoder's own.
    """

    def __init__(self, manifest: pd.DataFrame, read: ReadClip, preprocess: Preprocess) -> None:
        self.manifest = manifest
        self.read = read
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.manifest)

    @overload
    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]: ...
    @overload
    def __getitem__(self, index: slice) -> ManifestClips: ...
    def __getitem__(self, index: int | slice) -> tuple[torch.Tensor, str] | ManifestClips:
        if isinstance(index, slice):
            return ManifestClips(self.manifest.iloc[index], self.read, self.preprocess)
        row = self.manifest.iloc[index]
        return self.preprocess(self.read(row["video"])), str(row["caption"])
