from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import fill_script, filled, reference_state, tiny_architecture

from emoclip_clinic import weights
from emoclip_clinic.encoder import ENCODERS, load_encoder
from emoclip_clinic.encoder.checkpoints import (
    convert,
    fingerprint,
    import_checkpoint,
    load_checkpoint,
    load_clip,
    save_checkpoint,
)
from emoclip_clinic.encoder.model import Architecture, VideoEncoder
from emoclip_clinic.errors import EncoderError

SMALL = Architecture(
    dim=8,
    image_size=8,
    patch_size=4,
    vision_width=8,
    vision_layers=1,
    vision_heads=1,
    text_layers=0,
    temporal_heads=1,
    temporal_head_width=4,
    temporal_mlp_width=8,
    positions=6,
)

State = dict[str, torch.Tensor]


def small_state() -> State:
    torch.manual_seed(3)
    return VideoEncoder(SMALL).state_dict()


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def as_downstream(state: State) -> State:
    """Rename layout 1 to layout 2: the image tower directly under `backbone.`, no text."""
    return {
        name.replace("backbone.visual.", "backbone."): value
        for name, value in state.items()
        if name.startswith(("backbone.visual.", "temporal."))
    }


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("layout", [1, 2])
def test_both_layouts_give_the_reference_videos(
    shared: Path, tmp_path: Path, layout: int, prefix: str
) -> None:
    """Either layout, with or without `module.`, encodes videos as the public code does."""
    state, architecture = reference_state(shared, "tiny"), tiny_architecture(shared)
    if layout == 2:
        state, architecture = as_downstream(state), dataclasses.replace(architecture, text_layers=0)
    path = saved(tmp_path / "a.pt", {prefix + name: value for name, value in state.items()})
    model = load_checkpoint(path, architecture=architecture)
    golden = np.load(shared / "reference" / "golden_tiny.npz")["video_features"]
    clips = torch.from_numpy(fill_script(shared).video(2, 12, 64))
    assert np.abs(model.encode_video(clips).numpy() - golden).max() < 1e-4 * np.abs(golden).max()
    assert model.architecture.has_text == (layout == 1)
    assert not model.training


def test_names_are_those_of_the_manifests(shared: Path) -> None:
    """The model's own names and shapes are exactly those of the reference's whole checkpoint."""
    expected = {name: v.shape for name, v in reference_state(shared, "tiny").items()}
    model = filled(shared, "tiny", tiny_architecture(shared))
    assert {name: v.shape for name, v in model.state_dict().items()} == expected


def test_conversion_keeps_every_weight(tmp_path: Path) -> None:
    """A pickle converted to safetensors is the same encoder and needs nothing beside the file."""
    source = saved(tmp_path / "a.pt", small_state())
    first = convert(source, tmp_path / "b.safetensors", name="mine", architecture=SMALL)
    second = load_checkpoint(tmp_path / "b.safetensors")
    assert second.fingerprint == first.fingerprint == fingerprint(second)
    assert (second.name, second.architecture) == ("mine", SMALL)
    source_sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert second.metadata["source_sha256"] == source_sha256
    for name, value in small_state().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=0, atol=0)


def test_saved_files_are_equal_for_equal_weights(tmp_path: Path) -> None:
    """The bytes depend on the weights and the notes only; the notice comes back."""
    model = VideoEncoder(SMALL)
    model.notice = "for the demonstration only"
    for name in ("a", "b"):
        save_checkpoint(model, tmp_path / f"{name}.safetensors", {"seed": "1", "script": "x.py"})
    first, second = (tmp_path / f"{name}.safetensors" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    loaded = load_checkpoint(first)
    assert loaded.notice == "for the demonstration only"
    assert loaded.metadata["script"] == "x.py"


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    """Another file of the same weights has the same fingerprint; one changed value another."""
    state = small_state()
    plain = load_checkpoint(saved(tmp_path / "a.pt", state), architecture=SMALL)
    parallel = {f"module.{name}": value for name, value in state.items()}
    other_file = load_checkpoint(saved(tmp_path / "b.pt", parallel), architecture=SMALL)
    state["temporal.cls_token"][0, 0, 0] += 1e-3
    changed = load_checkpoint(saved(tmp_path / "c.pt", state), architecture=SMALL)
    assert plain.fingerprint == other_file.fingerprint != changed.fingerprint


def without(state: State) -> State:
    return {name: value for name, value in state.items() if name != "temporal.cls_token"}


def with_head(state: State) -> State:
    return {**state, "mlp.0.weight": torch.zeros(2, 2)}


def reshaped(state: State) -> State:
    return {**state, "temporal.cls_token": torch.zeros(1, 1, 9)}


def with_nan(state: State) -> State:
    return {**state, "temporal.cls_token": torch.full((1, 1, 8), torch.nan)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"1 missing: temporal.cls_token"),
        (with_head, r"1 not expected: mlp.0.weight"),
        (reshaped, r"1 of another shape: temporal.cls_token \(1, 1, 9\), expected \(1, 1, 8\)"),
        (with_nan, r"not finite: temporal.cls_token"),
    ],
)
def test_loading_is_strict(change: Callable[[State], State], message: str, tmp_path: Path) -> None:
    """A missing, extra or mis-shaped name is listed, and so is a value that is no number."""
    path = saved(tmp_path / "a.pt", change(small_state()))
    with pytest.raises(EncoderError, match=message):
        load_checkpoint(path, architecture=SMALL)


def test_another_model_lists_what_is_wrong(tmp_path: Path) -> None:
    """Weights that are no EmoCLIP at all are answered with the names, not with a KeyError."""
    path = saved(tmp_path / "a.pt", {"fc.weight": torch.zeros(3, 3)})
    with pytest.raises(EncoderError, match=r"missing: backbone\.\S+.* 1 not expected: fc.weight"):
        load_checkpoint(path)


class Harmful:
    """An object whose pickle runs a command when it is opened."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def test_pickle_with_code_is_refused(tmp_path: Path) -> None:
    """Code in a pickle is named, and was not run."""
    trace = tmp_path / "trace"
    path = saved(tmp_path / "a.pt", {**small_state(), "extra": Harmful(trace)})
    with pytest.raises(EncoderError, match=r"holds code \(\S+\).*was not run"):
        load_checkpoint(path, architecture=SMALL)
    assert not trace.exists()


def test_checkpoint_with_more_than_weights_is_refused(tmp_path: Path) -> None:
    """A training checkpoint (epoch, optimiser) says which entries are no tensors."""
    path = saved(tmp_path / "a.pt", {"state_dict": small_state(), "epoch": 3})
    with pytest.raises(EncoderError, match="state_dict, epoch are no tensors"):
        load_checkpoint(path)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file_says_so(tmp_path: Path, suffix: str, fraction: float) -> None:
    """A file cut anywhere is one message that says to download it again."""
    path = tmp_path / f"a.{suffix}"
    if suffix == "pt":
        saved(path, small_state())
    else:
        save_checkpoint(VideoEncoder(SMALL), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(EncoderError, match="Download it again"):
        load_checkpoint(path, architecture=SMALL)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_web_page_says_so(tmp_path: Path, name: str) -> None:
    """The quota page of a shared drive, saved as weights, is recognised."""
    (tmp_path / name).write_text("<!DOCTYPE html><html><title>Quota exceeded</title></html>")
    with pytest.raises(EncoderError, match=r"web page.*quota"):
        load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("name", ["a.pt", "a.safetensors"])
def test_other_file_says_so(tmp_path: Path, name: str) -> None:
    """A text that was renamed is no checkpoint."""
    (tmp_path / name).write_text("participant,session\n007,01\n" * 20)
    with pytest.raises(EncoderError, match="of another kind"):
        load_checkpoint(tmp_path / name)


def test_absent_file_says_so(tmp_path: Path) -> None:
    """A path with nothing there is an error with the path."""
    with pytest.raises(EncoderError, match=r"there is no checkpoint .*none.pt"):
        load_checkpoint(tmp_path / "none.pt")


def test_clip_archive_averages_frames(shared: Path, tmp_path: Path) -> None:
    """OpenAI's TorchScript archive, half precision and all, gives the mean over frames."""
    whole = filled(shared, "tiny", tiny_architecture(shared))
    archive = torch.nn.Module()
    for name, value in whole.backbone.state_dict().items():
        module = archive
        *parents, leaf = name.split(".")
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, torch.nn.Module())
            module = getattr(module, parent)
        module.register_buffer(leaf, value.half())
    archive.register_buffer("input_resolution", torch.tensor(64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(archive).save(str(tmp_path / "clip.pt"))
    architecture = dataclasses.replace(tiny_architecture(shared), temporal_layers=0)
    model = load_clip(tmp_path / "clip.pt", architecture=architecture)
    golden = np.load(shared / "reference" / "golden_tiny.npz")["frame_features"].mean(axis=1)
    clips = torch.from_numpy(fill_script(shared).video(2, 12, 64))
    # the weights were rounded to half precision
    assert np.abs(model.encode_video(clips).numpy() - golden).max() < 0.01 * np.abs(golden).max()


@pytest.mark.parametrize("name", ["emoclip", "clip-mean"])
def test_missing_weights_are_never_made_up(name: str, tmp_path: Path) -> None:
    """Without weights there is no encoder, and the message has the command that gets them."""
    with pytest.raises(EncoderError, match="Run 'emoclip-clinic weights"):
        load_encoder(name, weights_dir=tmp_path)


def test_unknown_encoder_lists_the_known_ones() -> None:
    """A misspelt name is answered with the registry."""
    with pytest.raises(EncoderError, match=r"Did you mean emoclip.*clip-mean"):
        load_encoder("emoclp")
    assert ENCODERS == ("emoclip", "clip-mean", "emoclip-demo")


def test_encoder_from_a_path_is_named_after_file_and_weights(tmp_path: Path) -> None:
    """Two checkpoints of one file name are told apart, in the study folder too."""
    save_checkpoint(VideoEncoder(SMALL), tmp_path / "mine.safetensors")
    model = load_encoder(tmp_path / "mine.safetensors", device="cpu")
    assert model.name == f"mine-{model.fingerprint[:8]}"
    with pytest.raises(EncoderError, match="no device 'cuda:99'"):
        load_encoder(tmp_path / "mine.safetensors", device="cuda:99")


def test_import_takes_the_reference_only(tmp_path: Path) -> None:
    """A checkpoint of other dimensions cannot become `emoclip`, and nothing is written."""
    path = saved(tmp_path / "a.pt", small_state())
    with pytest.raises(EncoderError, match="does not hold the expected model"):
        import_checkpoint(path, "emoclip", tmp_path / "weights")
    save_checkpoint(VideoEncoder(SMALL), tmp_path / "b.safetensors")
    with pytest.raises(EncoderError, match="other dimensions than the reference"):
        import_checkpoint(tmp_path / "b.safetensors", "emoclip", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


@pytest.mark.slow
def test_import_makes_the_released_file_usable(shared: Path, tmp_path: Path) -> None:
    """The released layout, full size, is imported once and then loads by name, verified."""
    source = saved(tmp_path / "released.pt", as_downstream(reference_state(shared, "b32")))
    import_checkpoint(source, "emoclip", tmp_path)
    source.unlink()
    assert weights.verify("emoclip", tmp_path).state == "ok"
    model = load_encoder("emoclip", weights_dir=tmp_path, device="cpu")
    assert (model.name, model.dim, model.notice) == ("emoclip", 512, "")
    golden = np.load(shared / "reference" / "golden_b32.npz")["video_features"]
    clips = torch.from_numpy(fill_script(shared).video(2, 8, 224))
    assert np.abs(model.encode_video(clips).numpy() - golden).max() < 1e-4 * np.abs(golden).max()
