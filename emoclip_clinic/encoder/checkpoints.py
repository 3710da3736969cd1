"""Checkpoints: read strictly in both of the reference's layouts, written as safetensors.

Layout 1 is the whole model. Layout 2, the released one, has the image tower directly under
`backbone.` and no text tower. Inside, everything is named as layout 1.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from emoclip_clinic import weights
from emoclip_clinic.encoder.model import REFERENCE, Architecture, VideoEncoder
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.files import atomic_path, sha256_file

__all__ = [
    "chosen_device",
    "convert",
    "fingerprint",
    "import_checkpoint",
    "load_checkpoint",
    "load_clip",
    "save_checkpoint",
    "to_device",
]

State = dict[str, torch.Tensor]

CLIP = dataclasses.replace(REFERENCE, temporal_layers=0)
"""CLIP ViT-B/32 by itself: a clip's embedding is the mean over its frames."""
NOTES = "emoclip-clinic"
"""The entry of a safetensors file's metadata that holds ours, as JSON."""
LISTED = 12
"""How many names of a kind an error lists."""
# OpenAI's archive tells its dimensions among its weights
CLIP_NOTES = {"input_resolution", "context_length", "vocab_size"}
REFUSED = re.compile(r"GLOBAL (\S+)")


def load_checkpoint(path: Path, *, architecture: Architecture | None = None) -> VideoEncoder:
    """Read a checkpoint: .safetensors, or .pt in either layout, with or without `module.`.

    Parameters
    ----------
    path
        The file. A pickle is read with `weights_only=True`, never otherwise.
    architecture
        The model's dimensions; by default those in the file's metadata, else the reference's.
        `Architecture.from_shapes` helps with other models' pickles.

    Returns
    -------
    VideoEncoder
        fp32, on the CPU, in evaluation mode, with its fingerprint, and its name from the metadata
        or the file's stem.

    Raises
    ------
    EncoderError
        The file is absent, damaged, not a checkpoint or a pickle with code in it; or a name is
        missing, extra or mis-shaped: the message lists them.
    """
    state, metadata = _read(path)
    state = _canonical(state)
    if architecture is None:
        architecture = _architecture(state, metadata)
    return _build(state, architecture, {"name": path.stem, **metadata}, path.name)


def load_clip(path: Path, *, architecture: Architecture = CLIP) -> VideoEncoder:
    """Read OpenAI's own CLIP archive: a clip's embedding is the mean over its frames.

    The archive is TorchScript, which can hold code: check its hash before, as `weights.path` does.

    Raises
    ------
    EncoderError
        The file is damaged or of another architecture.
    """
    _reject_page(path)
    try:
        with warnings.catch_warnings():
            # TorchScript is deprecated, and the only form in which these weights are published
            warnings.simplefilter("ignore")
            archive = torch.jit.load(path, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise EncoderError(_damaged(path, error)) from error
    state = {f"backbone.{name}": value for name, value in archive.items() if name not in CLIP_NOTES}
    # the model's own scale is a copy of CLIP's
    state["logit_scale"] = state.get("backbone.logit_scale", torch.tensor(0.0)).clone()
    return _build(state, architecture, {"name": "clip-mean"}, path.name)


def save_checkpoint(
    model: VideoEncoder, path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write an encoder as safetensors, atomically; equal weights give equal bytes.

    Parameters
    ----------
    model
        The encoder; its architecture, name and notice go into the file's metadata.
    path
        The file, ending in .safetensors.
    metadata
        Where the weights come from (script, seed, data, licence, ...), kept beside them.
    """
    state = {name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()}
    own = {"name": model.name, "notice": model.notice}
    notes = {
        **(metadata or {}),
        **{key: text for key, text in own.items() if text},
        "architecture": model.architecture.to_json(),
    }
    with atomic_path(path) as temporary:
        # one entry: the format keeps several in no fixed order
        safetensors.torch.save_file(state, temporary, {NOTES: json.dumps(notes, sort_keys=True)})


def convert(
    source: Path, destination: Path, *, name: str = "", architecture: Architecture | None = None
) -> VideoEncoder:
    """Read any checkpoint strictly and write it as safetensors; give the encoder that was read.

    Raises
    ------
    EncoderError
        As `load_checkpoint`; nothing is written then.
    """
    model = load_checkpoint(source, architecture=architecture)
    model.name = name or model.name
    save_checkpoint(model, destination, {"source_sha256": sha256_file(source)})
    return model


def import_checkpoint(
    source: Path, name: str = "emoclip", weights_dir: str | Path | None = None
) -> Path:
    """Take EmoCLIP's released file into the weights folder, as safetensors; give its path there.

    There is no published checksum: the source's SHA-256 is kept in the metadata of what is written,
    whose own SHA-256 is written beside it.

    Raises
    ------
    EncoderError
        `name` is not "emoclip", or the file does not hold the reference's model.
    """
    if name != "emoclip":
        raise EncoderError(
            f"{name!r} cannot be imported from a checkpoint; allowed: emoclip. Other weights are "
            "recognised by their content: leave --as out."
        )
    model = load_checkpoint(source)
    if dataclasses.replace(model.architecture, text_layers=REFERENCE.text_layers) != REFERENCE:
        raise EncoderError(
            f"{source.name} holds a model of other dimensions than the reference's; use it by its "
            "path instead: --encoder PATH."
        )
    model.name = name
    target = weights.folder(weights_dir) / weights.find(name).filename
    save_checkpoint(model, target, {"source_sha256": sha256_file(source)})
    weights.record(name, weights_dir)
    return target


def to_device(model: VideoEncoder, device: str) -> VideoEncoder:
    """Move an encoder to "auto", "cpu", "cuda", ...; arithmetic is fp32, without TF32.

    Raises
    ------
    EncoderError
        There is no such device here.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    try:
        return model.to(chosen_device(device))
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise EncoderError(
            f"there is no device {device!r} here ({first[:200]}); allowed: auto, cpu, or one of "
            "those that 'emoclip-clinic doctor' lists."
        ) from error


def chosen_device(device: str) -> str:
    """Give the device that "auto" stands for here: a GPU if there is one."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def fingerprint(model: VideoEncoder) -> str:
    """SHA-256 of an encoder's dimensions and weights, whatever file they came in."""
    digest = hashlib.sha256(model.architecture.to_json().encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"\n{name} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _read(path: Path) -> tuple[State, dict[str, str]]:
    """Everything in a file: tensors by name, and metadata."""
    if not path.is_file():
        raise EncoderError(
            f"there is no checkpoint {path}. Give the path of a .pt or .safetensors."
        )
    _reject_page(path)
    if path.suffix == ".safetensors":
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                notes = json.loads((file.metadata() or {}).get(NOTES, "{}"))
                return {name: file.get_tensor(name) for name in file.keys()}, notes  # noqa: SIM118
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise EncoderError(_damaged(path, error)) from error
    return _read_pickle(path), {}


def _read_pickle(path: Path) -> State:
    try:
        with warnings.catch_warnings():
            # of other pickle protocols and of TorchScript: both end in an error of their own
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = REFUSED.search(str(error))
        if refused is None:
            raise EncoderError(_damaged(path, error)) from error
        raise EncoderError(
            f"{path.name} is a pickle that holds code ({refused[1]}), which was not "
            "run. Only tensors are read: save the model's state_dict() and nothing else."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise EncoderError(_damaged(path, error)) from error
    if not isinstance(content, Mapping):
        raise EncoderError(f"{path.name} holds a {type(content).__name__}, not a state dict.")
    others = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise EncoderError(
            f"{path.name} is not a plain state dict: {_listed(others)} are no tensors. Save the "
            "model's state_dict() and nothing else."
        )
    return {str(key): value for key, value in content.items()}


def _reject_page(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if not start:
        raise EncoderError(f"{path.name} is empty. Download it again.")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise EncoderError(
            f"{path.name} is a web page, not weights: shared drives send one when their quota is "
            "used up or a confirmation is needed. Open the link in a browser and download the file."
        )


def _damaged(path: Path, error: Exception) -> str:
    # torch begins with advice to open the file unsafely; what is wrong comes after it
    said = str(error).rpartition("WeightsUnpickler error: ")[2].strip()
    cause = said.splitlines()[0].split(". ")[0] if said else type(error).__name__
    return (
        f"{path.name} ({path.stat().st_size} bytes) cannot be read as a checkpoint: it is damaged, "
        f"cut short or of another kind ({cause[:200]}). Download it again and compare its size."
    )


def _canonical(state: State) -> State:
    """Names as layout 1, without `module.`."""
    state = {name.removeprefix("module."): value for name, value in state.items()}
    if "backbone.conv1.weight" in state:
        tower = "backbone."
        state = {
            name.replace(tower, f"{tower}visual.", 1) if name.startswith(tower) else name: value
            for name, value in state.items()
        }
    return state


def _architecture(state: State, metadata: Mapping[str, str]) -> Architecture:
    """Dimensions by the metadata; else the reference's, so that every difference can be listed."""
    if "architecture" in metadata:
        return Architecture.from_json(metadata["architecture"])
    has_text = any(name.startswith(("backbone.transformer.", "backbone.token")) for name in state)
    return REFERENCE if has_text else dataclasses.replace(REFERENCE, text_layers=0)


def _build(
    state: State, architecture: Architecture, metadata: Mapping[str, str], file: str
) -> VideoEncoder:
    # on "meta" no memory is taken and no layer is left random
    with torch.device("meta"):
        model = VideoEncoder(architecture)
    _check(state, model.state_dict(), file)
    model.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
    model.eval().requires_grad_(False)
    model.name, model.notice = metadata["name"], metadata.get("notice", "")
    model.metadata = dict(metadata)
    model.fingerprint = fingerprint(model)
    return model


def _check(state: State, expected: Mapping[str, torch.Tensor], file: str) -> None:
    missing = sorted(expected.keys() - state.keys())
    extra = sorted(state.keys() - expected.keys())
    shapes = [
        f"{name} {tuple(state[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & state.keys())
        if state[name].shape != expected[name].shape
    ]
    kinds = [("missing", missing), ("not expected", extra), ("of another shape", shapes)]
    wrong = [f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds if names]
    if wrong:
        raise EncoderError(
            f"{file} does not hold the expected model: {'; '.join(wrong)}. Nothing was loaded; "
            "import the file as its authors released it."
        )
    broken = sorted(name for name, value in state.items() if not value.isfinite().all())
    if broken:
        raise EncoderError(f"{file} holds values that are not finite: {_listed(broken)}.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
