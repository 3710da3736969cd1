"""Weight files: which there are, where they lie, and how they get there, by SHA-256 always."""

from __future__ import annotations

import http.client
import os
import shlex
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emoclip_clinic.errors import EncoderError
from emoclip_clinic.files import CHUNK_BYTES, atomic_path, sha256_file
from emoclip_clinic.resources import close_matches

__all__ = [
    "FILES",
    "WeightFile",
    "WeightStatus",
    "fetch",
    "find",
    "folder",
    "install",
    "path",
    "record",
    "table",
    "verify",
]

FOLDER_VARIABLE = "EMOCLIP_CLINIC_WEIGHTS"
TIMEOUT_S = 60

Progress = Callable[[int, int], None]
"""Called as (bytes done, bytes in all; 0 where the server does not say)."""


@dataclass(frozen=True)
class WeightFile:
    """A file of weights that emoclip-clinic knows."""

    name: str
    """What commands call it."""
    filename: str
    """Its name in the weights folder."""
    sha256: str
    """Of its content; empty: recorded on this machine when it is imported."""
    url: str
    """Where it is published; empty: it can only be imported from a local file."""
    licence: str
    """Its authors' terms."""
    description: str
    """One line."""


@dataclass(frozen=True)
class WeightStatus:
    """How a file of weights stands on this machine."""

    file: WeightFile
    path: Path
    """Where it is, or would be."""
    state: str
    """"ok", "missing" or "damaged"."""
    sha256: str
    """What its content must hash to; empty where nothing is recorded yet."""


FILES = (
    WeightFile(
        name="emoclip",
        filename="emoclip.safetensors",
        sha256="",
        url="",
        licence="as released by its authors (code: Apache-2.0)",
        description="EmoCLIP's video encoder; import the file that its authors release",
    ),
    WeightFile(
        name="clip",
        filename="ViT-B-32.pt",
        sha256="40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        url="https://openaipublic.azureedge.net/clip/models/"
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
        licence="MIT",
        description="OpenAI's CLIP ViT-B/32, for the baseline clip-mean",
    ),
    WeightFile(
        name="yunet",
        filename="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        url="https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2023mar.onnx",
        licence="MIT",
        description="YuNet face detector of the OpenCV Zoo",
    ),
    WeightFile(
        name="sface",
        filename="face_recognition_sface_2021dec.onnx",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        url="https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
        "face_recognition_sface_2021dec.onnx",
        licence="Apache-2.0",
        description="SFace face recogniser of the OpenCV Zoo, to find who a photo shows",
    ),
)


def folder(weights: str | Path | None = None) -> Path:
    """Folder of weights: `weights`, else $EMOCLIP_CLINIC_WEIGHTS, else one in the home folder."""
    chosen = weights or os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".emoclip-clinic" / "weights"


def find(name: str) -> WeightFile:
    """Look a file up by its name.

    Raises
    ------
    EncoderError
        There is none; the message suggests the close names.
    """
    known = {file.name: file for file in FILES}
    if name not in known:
        raise EncoderError(
            f"there are no weights {name!r}. {close_matches(name, list(known))}"
            f"Known: {', '.join(known)}."
        )
    return known[name]


def table(weights: str | Path | None = None) -> list[WeightStatus]:
    """Every known file with its status; the content of each is hashed."""
    return [verify(file.name, weights) for file in FILES]


def verify(name: str, weights: str | Path | None = None) -> WeightStatus:
    """Hash a file and compare with what is published, or was recorded when it was imported."""
    file = find(name)
    target = folder(weights) / file.filename
    wanted = _wanted(file, target)
    if not target.is_file():
        return WeightStatus(file, target, "missing", wanted)
    state = "ok" if wanted and sha256_file(target) == wanted else "damaged"
    return WeightStatus(file, target, state, wanted)


def path(name: str, weights: str | Path | None = None) -> Path:
    """Path of a file whose content was verified just now.

    Raises
    ------
    EncoderError
        It is missing or damaged; the message has the command to run.
    """
    found = verify(name, weights)
    if found.state == "ok":
        return found.path
    command = f"weights fetch {name}" if found.file.url else f"weights import FILE --as {name}"
    option = f" --weights {shlex.quote(str(weights))}" if weights else ""
    if found.state == "missing":
        problem = f"the weights {name} ({found.file.filename}) are not in {found.path.parent}"
    elif not found.sha256:
        problem = f"{found.path} was not imported here, so there is no checksum to trust it by"
    else:
        problem = f"{found.path} is damaged: its SHA-256 is not {found.sha256}"
    where = "" if found.file.url else " with the file that the authors of EmoCLIP release as FILE"
    raise EncoderError(f"{problem}. Run 'emoclip-clinic {command}{option}'{where}.")


def fetch(
    name: str | WeightFile,
    weights: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download a file into the weights folder; one that was cut is continued.

    The content is received into `<file>.part` and takes its place only when its SHA-256 is right.

    Raises
    ------
    EncoderError
        There is no address for it, the server or the network fails, or the content is another.
    """
    file = find(name) if isinstance(name, str) else name
    if not file.url:
        raise EncoderError(
            f"{file.name} has no address that could be fetched and checked; download it by hand, "
            f"then run 'emoclip-clinic weights import FILE --as {file.name}'."
        )
    target = folder(weights) / file.filename
    if target.is_file() and sha256_file(target) == file.sha256:
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(file.url, part, progress)
        if sha256_file(part) != file.sha256:
            part.unlink()
            raise EncoderError(
                f"what {file.url} gave is not {file.filename}: its SHA-256 is not {file.sha256}. "
                "It was discarded; run the same command again, or on another network."
            )
        part.replace(target)
    except (OSError, http.client.HTTPException) as error:
        raise EncoderError(
            f"{file.name} could not be fetched from {file.url}: {error}. Run the same command "
            f"again (it goes on where it stopped), or copy {file.filename} from another machine "
            "and run 'emoclip-clinic weights import FILE'."
        ) from error
    return target


def install(source: Path, weights: str | Path | None = None) -> list[Path]:
    """Copy every known file that `source`, a file or a folder, holds; known by hash, not by name.

    Returns
    -------
    list of Path
        What was copied.

    Raises
    ------
    EncoderError
        `source` does not exist, or holds nothing of known hash.
    """
    if not source.exists():
        raise EncoderError(f"there is no file or folder {source}.")
    candidates = sorted(source.iterdir()) if source.is_dir() else [source]
    installed = []
    for candidate in filter(Path.is_file, candidates):
        digest = sha256_file(candidate)
        for file in FILES:
            # without a published hash, the name and a hash written beside it must both be right
            named = candidate.name == file.filename
            if digest == (file.sha256 or (_wanted(file, candidate) if named else "")):
                target = folder(weights) / file.filename
                with atomic_path(target, private=False) as temporary:
                    shutil.copyfile(candidate, temporary)
                if not file.sha256:
                    record(file.name, weights)
                installed.append(target)
    if not installed:
        known = ", ".join(file.name for file in FILES)
        raise EncoderError(
            f"{source} holds no weights whose checksum is known ({known}). "
            "If it is an EmoCLIP checkpoint, add '--as emoclip'."
        )
    return installed


def record(name: str, weights: str | Path | None = None) -> str:
    """Write down the SHA-256 of a file that has no published one, as `sha256sum` does; give it."""
    target = folder(weights) / find(name).filename
    digest = sha256_file(target)
    with atomic_path(_note(target), private=False) as temporary:
        temporary.write_text(f"{digest}  {target.name}\n", encoding="ascii")
    return digest


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _wanted(file: WeightFile, target: Path) -> str:
    if file.sha256:
        return file.sha256
    note = _note(target)
    return note.read_text(encoding="ascii", errors="replace")[:64] if note.is_file() else ""


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Download into `part`, from where it ends if the server can."""
    done = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "emoclip-clinic"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            # nothing is left to send: the hash decides whether what is there is the file
            return
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        total = done + int(response.headers.get("Content-Length") or 0)
        with part.open("ab" if done else "wb") as file:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if done < total:
        raise http.client.HTTPException(f"the connection ended after {done} of {total} bytes")
