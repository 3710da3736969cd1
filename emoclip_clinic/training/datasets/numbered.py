"""Lists of path, number of frames and number of the class, as DFEW and FERV39k have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.training.datasets.table import Rows, list_rows

__all__ = ["Listed", "read_numbered"]


class Listed(NamedTuple):
    """A line of a list."""

    place: str
    path: PurePosixPath
    n_frames: int
    label: str


def read_numbered(rows: Rows, path: Path) -> Iterator[Listed]:
    """Give the lines; what is not `path frames label` is left out.

    Raises
    ------
    DatasetError
        The file is missing or empty, or counts its classes from 1: every label would be another.
    """
    cells = list(list_rows(rows, path, None, "utf-8"))
    labels = {row[-1] for _, row in cells}
    if str(len(rows.classes)) in labels and "0" not in labels:
        raise DatasetError(
            f"{path.name} counts its classes from 1 to {len(rows.classes)}; allowed: from 0, in "
            f"the order {', '.join(rows.classes)}. Take the lists whose labels start at 0."
        )
    for place, row in cells:
        if len(row) != 3 or not (row[1].isdecimal() and row[2].isdecimal()):
            rows.leave_out("clip", place, "not the three columns path, number of frames, label")
        elif int(row[2]) >= len(rows.classes):
            highest = len(rows.classes) - 1
            rows.leave_out("clip", place, f"label {row[2]} is no class; allowed: 0 to {highest}")
        else:
            where = PurePosixPath(row[0].replace("\\", "/"))
            yield Listed(place, where, int(row[1]), rows.classes[int(row[2])])
