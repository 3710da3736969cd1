"""The table that every reader makes: a row a clip, and a row for everything that was left out."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from emoclip_clinic.errors import DatasetError
from emoclip_clinic.recordings import Exclusion, exclusion_table

__all__ = [
    "CLIP_COLUMNS", "SEVEN", "SPLITS", "VALIDATION", "Dataset", "Layout", "Rows", "compound",
    "list_rows",
]  # fmt: skip

CLIP_COLUMNS = (
    "clip", "path", "caption", "label", "split", "fold", "participant", "n_frames", "source",
)  # fmt: skip
"""`clip` names a clip within its dataset; `path` is a video or a folder of frames; `caption` and
`label` are empty where there is none; `fold` and `n_frames` (as listed) may be missing;
`participant` is empty where it is not known; `source` says where the clip is listed."""
SPLITS = ("train", "test")
VALIDATION = "validation"
"""A third split, which only a manifest may have: clips to choose the epoch of a training by."""
STAGE = "datasets"

SEVEN = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
"""Classes of DFEW, FERV39k and AFEW, in label order."""
ALIASES = {"happy": "happiness", "sad": "sadness", "angry": "anger"}

GARBLED = "mis-encoded: the line is not text in {}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """The clips of a dataset, as its lists have them."""

    name: str
    classes: tuple[str, ...]
    """In label order; compound classes are joined by an underscore, components in label order."""
    clips: pd.DataFrame
    """Columns `CLIP_COLUMNS`."""
    exclusions: pd.DataFrame
    """stage, unit ("clip" or "list"), id, reason: what of the lists could not be used."""
    notes: tuple[str, ...] = ()

    def part(self, split: str) -> pd.DataFrame:
        """Give the clips of a split.

        Raises
        ------
        DatasetError
            There is none.
        """
        found = self.clips[self.clips["split"] == split]
        if found.empty:
            known = ", ".join(sorted(set(self.clips["split"]))) or "none"
            raise DatasetError(f"{self.name} lists no clip of the split {split}; it has: {known}.")
        return found.reset_index(drop=True)


@dataclass
class Rows:
    """What a reader has found so far."""

    name: str
    classes: tuple[str, ...]
    """Single classes; empty where any label is allowed."""
    _clips: list[tuple[object, ...]] = field(default_factory=list)
    _left_out: list[Exclusion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        clip: str,
        path: Path,
        *,
        label: str,
        split: str,
        source: str,
        caption: str = "",
        fold: int | None = None,
        participant: str = "",
        n_frames: int | None = None,
    ) -> None:
        """Add a clip; one whose label is not a class is left out."""
        parts = [ALIASES.get(part, part) for part in label.lower().split("_")] if label else []
        unknown = [part for part in parts if self.classes and part not in self.classes]
        if unknown:
            allowed = ", ".join(self.classes)
            self.leave_out("clip", source, f"label {label!r} is no class; allowed: {allowed}")
            return
        name = compound(parts, self.classes) if self.classes else label
        row = (clip, str(path), caption, name, split, fold, participant, n_frames, source)
        self._clips.append(row)

    def leave_out(self, unit: str, name: str, reason: str) -> None:
        """Note something that cannot be used."""
        self._left_out.append(Exclusion(STAGE, unit, name, reason))

    def dataset(self) -> Dataset:
        """Make the tables."""
        clips = pd.DataFrame(self._clips, columns=list(CLIP_COLUMNS))
        clips = clips.astype({"fold": "Int64", "n_frames": "Int64"})
        found = [label for label in clips["label"].unique() if label]
        joined = sorted(
            {label for label in found if "_" in label and self.classes},
            key=lambda label: [self.classes.index(part) for part in label.split("_")],
        )
        classes = (*self.classes, *joined) if self.classes else tuple(sorted(found))
        return Dataset(
            self.name, classes, clips, exclusion_table(self._left_out), tuple(self.notes)
        )


@dataclass(frozen=True)
class Layout:
    """How a dataset is released."""

    name: str
    classes: tuple[str, ...]
    folds: tuple[int, ...]
    """Empty: it is split once."""
    read_split: Callable[[Rows, Path, int | None, str], None]
    """Read a split of a fold below a folder into the rows."""


def compound(parts: list[str], classes: tuple[str, ...]) -> str:
    """Join the components of a class in label order: "disgust_anger" is "anger_disgust"."""
    return "_".join(sorted(dict.fromkeys(parts), key=classes.index))


def list_rows(
    rows: Rows, path: Path, separator: str | None, encoding: str
) -> Iterator[tuple[str, list[str]]]:
    """Give place and cells of each line of a list; what is not text in the encoding is left out.

    A list that is valid UTF-8 beyond ASCII was saved again, and is read so.

    Raises
    ------
    DatasetError
        The file is missing or empty.
    """
    where = "/".join(path.parts[-2:])
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}). Give the folder in which the dataset was "
            "unpacked (--data)."
        ) from error
    if not content.strip():
        raise DatasetError(f"{path} is empty. Take it again from the dataset's authors.")
    if encoding != "utf-8" and not content.isascii() and _is_utf8(content):
        rows.notes.append(f"{where} is in UTF-8, not in {encoding.upper()} as released; read so")
        encoding = "utf-8"
    # cut before decoding: neither encoding has line breaks or tabs within a letter
    for number, line in enumerate(content.splitlines(), start=1):
        place = f"{where}, line {number}"
        if not line.strip():
            continue
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            rows.leave_out("clip", place, GARBLED.format(encoding.upper()))
            continue
        yield place, [cell.strip() for cell in text.strip("\r\n").split(separator)]


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
