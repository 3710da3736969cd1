"""The bundle itself: where it may lie, what explains it, its manifest, and one file of it all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import __version__
from emoclip_clinic.errors import StudyError
from emoclip_clinic.files import (
    atomic_path,
    make_folder,
    sha256_file,
    write_bytes,
    write_csv,
    write_json,
)
from emoclip_clinic.pipeline._stage import Progress
from emoclip_clinic.pipeline.copying import Copy
from emoclip_clinic.pipeline.free_texts import going_along
from emoclip_clinic.pipeline.shareable import used_protocols, used_scales
from emoclip_clinic.resources import find, names, read_toml
from emoclip_clinic.scales import load_scale, targets
from emoclip_clinic.study import Study

__all__ = [
    "check_place", "meanings", "parts", "publish", "words", "write_manifest", "write_papers",
]  # fmt: skip

MANIFEST = "manifest.json"
MADE_BY = "emoclip-clinic"
# the earliest time a zip archive can hold: equal content is equal bytes
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX, PRIVATE = 3, 0o600 << 16


def _texts(name: str) -> dict[str, Any]:
    return read_toml(find("templates/exports", name))


def meanings() -> dict[str, str]:
    """Say what each column of a bundle means."""
    # the last one counts: the bundle's own, before it those of all reports
    last = ("dictionary", "bundle")
    every = [*(name for name in names("templates/exports") if name not in last), *last]
    return {column: text for name in every for column, text in _texts(name)["columns"].items()}


def words(study: Study) -> set[str]:
    """List the words that are a bundle's own: a name that is one of them cannot be looked for."""
    known = {str(name) for scale in used_scales(study)
             for name in targets(load_scale(scale, study.path))["target"]}  # fmt: skip
    own = [
        find("templates/exports", name).read_text("utf-8") for name in names("templates/exports")
    ]
    return known | set(re.findall(r"[\w-]+", " ".join(own)))


def check_place(output: Path, study: Path, *, force: bool) -> None:
    """Refuse to write over anything but a bundle, or into the study.

    Raises
    ------
    StudyError
        `output` holds the study, or something that is no bundle; or, without `force`, it exists or
        lies in the study.
    """
    here, home = Path(os.path.realpath(output)), Path(os.path.realpath(study))
    if home.is_relative_to(here):
        raise StudyError(f"{output} holds the study itself. Name a new folder or a .zip.")
    if here.is_relative_to(home) and not force:
        raise StudyError(
            f"{output} lies in the study: what is shared is better kept apart from what is not. "
            "Name a place outside, or add --force if it is meant."
        )
    if output.exists() and not force:
        raise StudyError(f"{output} exists. Name another place, or add --force to replace it.")
    if output.exists() and not _is_bundle(output):
        raise StudyError(f"{output} exists and is no bundle: it stays. Name another place.")


def _is_bundle(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        if path.is_dir():
            content = (path / MANIFEST).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                content = archive.read(MANIFEST)
        return bool(json.loads(content)["made_by"] == MADE_BY)
    return False


@contextlib.contextmanager
def parts(output: Path) -> Iterator[Path]:
    """Give an empty folder beside `output`, which is gone afterwards."""
    folder = output.with_name(f".{output.name}.parts")
    try:
        # what a kill has left
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        yield folder
    except OSError as error:
        raise StudyError(
            f"cannot write {output}: {error.strerror or error}. Make its folder writable and free "
            "some space, then run the same command again."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_papers(copy: Copy, *, coded: bool) -> None:
    """Write what explains the bundle: README, LEAVES, what was left out, what columns mean."""
    known = _texts("bundle")
    ids = "codes, made with a key that is not in the bundle" if coded else "as in the study"
    readme = known["readme"].lstrip()
    # the title last: what is in braces there is its own
    for word, text in (("version", __version__), ("ids", ids), ("title", copy.title)):
        readme = readme.replace(f"{{{word}}}", text)
    along = going_along(copy.study, copy.title, used_protocols(copy.study))
    leaves = known["leaves"].lstrip().replace("{texts}", "\n".join(f"- {one}" for one in along))
    write_bytes(copy.folder / "README.md", readme.encode())
    write_bytes(copy.folder / "LEAVES.md", leaves.encode())
    always = [{"file": "", "what": what, "reason": why} for what, why in known["left_out"].items()]
    rows = pd.DataFrame([*always, *copy.left_out])
    counted = rows.groupby(["file", "what", "reason"], sort=False).size().reset_index(name="n")
    write_csv(copy.folder / "left_out.csv", counted)
    write_csv(copy.folder / "data_dictionary.csv", pd.DataFrame(copy.columns))


def write_manifest(folder: Path, *, coded: bool) -> int:
    """List every file with its size, its SHA-256 and what it is; return how many there are."""
    kinds = _texts("bundle")["files"]
    listed = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            what = next((text for kind, text in kinds.items() if fnmatchcase(name, kind)), "")
            size, digest = path.stat().st_size, sha256_file(path)
            listed.append({"path": name, "what": what, "bytes": size, "sha256": digest})
    manifest = {
        "format": 1, "made_by": MADE_BY, "version": __version__,
        "ids": "codes (HMAC-SHA256)" if coded else "as in the study", "files": listed,
    }  # fmt: skip
    write_json(folder / MANIFEST, manifest)
    return len(listed) + 1


def publish(folder: Path, output: Path, progress: Progress) -> None:
    """Put the finished folder in its place at once: as it is, or as one .zip."""
    if output.suffix.lower() != ".zip":
        old = output.with_name(f".{output.name}.old")
        # what a kill has left
        shutil.rmtree(old, ignore_errors=True)
        if output.exists():
            output.replace(old)
        folder.replace(output)
        shutil.rmtree(old, ignore_errors=True)
        return
    every = sorted(path for path in folder.rglob("*") if path.is_file())
    with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for number, path in enumerate(every, start=1):
            _add(archive, path, path.relative_to(folder).as_posix())
            progress("files", number, len(every))


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    # stored as it is: features do not shrink, and other versions of zlib give other bytes
    entry = zipfile.ZipInfo(name, ZIP_EPOCH)
    entry.create_system, entry.external_attr, entry.file_size = UNIX, PRIVATE, path.stat().st_size
    with path.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target)
