"""The image tower in 8 bits: near to fp32, the same whatever is beside it, on a CPU only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from onnx import numpy_helper
from reference import fill_script, filled, tiny_architecture
from typer.testing import CliRunner

import emoclip_clinic as ec
from emoclip_clinic import features
from emoclip_clinic.cli import app
from emoclip_clinic.demo.encoder import HELD_OUT, draw_clip
from emoclip_clinic.encoder import int8, load_encoder, require_precision
from emoclip_clinic.encoder.int8_graph import Graph, image_tower, product
from emoclip_clinic.encoder.model import REFERENCE, VideoEncoder
from emoclip_clinic.errors import ClinicError, EncoderError
from tests.real_faces import real_faces

LEAST = 0.995
"""The least cosine to fp32 that is promised."""


def cosine(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return torch.nn.functional.cosine_similarity(ours, theirs, dim=-1).min().item()


def drawn(encoder: VideoEncoder, n: int = 3) -> torch.Tensor:
    """Prepare clips of drawn faces that no encoder was trained on: (n, time, 3, size, size)."""
    clips = [encoder.preprocess(draw_clip(index)[0]) for index in HELD_OUT[:n]]
    return torch.stack(clips)


def in_fp32_and_int8(
    encoder: VideoEncoder, clips: torch.Tensor
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Encode frames and clips, (batch, time, 3, size, size), in both precisions."""
    found = []
    for precision in ("fp32", "int8"):
        encoder.precision = precision
        found.append((encoder.encode_frames(clips.flatten(0, 1)), encoder.encode_video(clips)))
    return found[0], found[1]


@pytest.fixture(scope="module")
def demo() -> VideoEncoder:
    """Load the demonstration's encoder in int8."""
    return load_encoder("emoclip-demo", device="cpu", precision="int8")


def test_drawn_faces_keep_their_directions() -> None:
    """Trained weights: frames and clips are near to fp32, and not equal."""
    encoder = load_encoder("emoclip-demo", device="cpu")
    exact, rounded = in_fp32_and_int8(encoder, drawn(encoder))
    for fp32, eight in zip(exact, rounded, strict=True):
        assert eight.dtype == torch.float32
        assert cosine(eight, fp32) >= LEAST
        assert not torch.equal(eight, fp32)


@pytest.mark.parametrize("name", ["emoclip-demo", "tiny"])
def test_real_faces_keep_their_directions(shared: Path, name: str) -> None:
    """Trained weights, and the reference's small model: frames and clips are near to fp32."""
    tiny = name == "tiny"
    encoder = (
        filled(shared, name, tiny_architecture(shared))
        if tiny
        else load_encoder(name, device="cpu")
    )
    clip = encoder.preprocess(real_faces(shared, encoder.image_size, 4))[None]
    exact, rounded = in_fp32_and_int8(encoder, clip)
    assert min(cosine(*both) for both in zip(rounded, exact, strict=True)) >= LEAST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "architecture", "shape"),
    [("tiny", tiny_architecture, (2, 12, 64)), ("b32", lambda _: REFERENCE, (2, 8, 224))],
)
def test_directions_are_the_reference_s(
    shared: Path, size: str, architecture: Callable[[Path], object], shape: tuple[int, ...]
) -> None:
    """Each embedding's cosine to that of the public code is 0.995 or more."""
    model = filled(shared, size, architecture(shared))  # type: ignore[arg-type]
    model.precision = "int8"
    golden = np.load(shared / "reference" / f"golden_{size}.npz")
    clips = torch.from_numpy(fill_script(shared).video(*shape))
    frames, videos = model.encode_frames(clips.flatten(0, 1)), model.encode_video(clips)
    for ours, name in ((frames, "frame_features"), (videos, "video_features")):
        assert cosine(ours, torch.from_numpy(golden[name]).reshape(ours.shape)) >= LEAST


def test_a_frame_is_encoded_the_same_in_any_company(demo: VideoEncoder) -> None:
    """Alone, in any order, beside glaring frames: every bit is the same."""
    frames = drawn(demo, 1)[0, :6]
    together = demo.encode_frames(frames)
    alone = torch.cat([demo.encode_frames(frame[None]) for frame in frames])
    backwards = demo.encode_frames(frames.flip(0)).flip(0)
    beside = demo.encode_frames(torch.cat([frames, 100 * torch.randn_like(frames)]))[:6]
    for other in (alone, backwards, beside):
        assert torch.equal(other, together)
    assert demo.encode_frames(frames[:0]).shape == (0, demo.dim)


def test_a_frame_is_encoded_the_same_on_any_number_of_threads(demo: VideoEncoder) -> None:
    """By an encoder that is loaded anew, too."""
    frames = drawn(demo, 1)[0, :8]
    expected, before = demo.encode_frames(frames), torch.get_num_threads()
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            again = load_encoder("emoclip-demo", device="cpu", precision="int8")
            assert torch.equal(again.encode_frames(frames), expected)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_the_largest_products_are_exact(sign: int) -> None:
    """3072 of them are what they are: nothing saturates on the way."""
    graph = Graph()
    result = product(graph, graph.frame, np.full((4, 3072), sign, np.float32))
    session = int8.session_of(graph.model([2, 3072], result, [2, 4]))
    rows = np.stack([np.ones(3072), np.full(3072, -2.0)]).astype(np.float32)
    (found,) = session.run(None, {graph.frame: rows})
    np.testing.assert_allclose(found, sign * 3072 * np.array([[1.0] * 4, [-2.0] * 4]), rtol=1e-6)


def test_two_products_fit_in_16_bits(demo: VideoEncoder) -> None:
    """Processors without VNNI add two of them so, and saturate: no weight may be too large."""
    model = onnx.load_from_string(image_tower(demo.backbone.visual))  # type: ignore[arg-type]
    constants = [numpy_helper.to_array(one) for one in model.graph.initializer]
    weights = [one.astype(int) for one in constants if one.dtype == np.int8]
    # qkv, out, fc and proj of each layer, and the patches
    assert len(weights) == 4 * demo.architecture.vision_layers + 1
    assert all(2 * 255 * np.abs(one).max() <= np.iinfo(np.int16).max for one in weights)


def test_rows_are_rounded_each_by_its_own_scale() -> None:
    """A row a million times as large, or of zeros, costs its neighbours no digit."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(32, 64)).astype(np.float32)
    rows = rng.normal(size=(3, 64)).astype(np.float32) * np.array([[1], [1e6], [0]], np.float32)
    graph = Graph()
    session = int8.session_of(graph.model([3, 64], product(graph, graph.frame, weight), [3, 32]))
    (found,) = session.run(None, {graph.frame: rows})
    exact = rows.astype(float) @ weight.T
    # steps of 1/64 and 1/127 of the largest, in 64 products of unit size
    assert np.abs(found - exact)[0].max() < 0.5
    assert np.abs(found - exact)[1].max() < 0.5e6
    assert (found[2] == 0).all()


def test_weights_that_8_bits_cannot_hold_are_refused() -> None:
    """A channel that means nothing, and outweighs all others, takes their digits: that is said."""
    encoder = load_encoder("emoclip-demo", device="cpu", precision="int8")
    for block in encoder.backbone.visual.transformer.resblocks:  # type: ignore[union-attr]
        block.ln_1.bias[0] = block.ln_2.bias[0] = 1e4
        block.attn.in_proj_weight[:, 0] = block.mlp.c_fc.weight[:, 0] = 0
    with pytest.raises(EncoderError, match=r"its cosine to fp32 is .* --precision fp32"):
        encoder.encode_frames(drawn(encoder, 1)[0])


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "auto"])
def test_a_gpu_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what a GPU can do."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(EncoderError, match=r"--device cpu, or --precision bf16 or fp16"):
        load_encoder("emoclip-demo", device=device, precision="int8")


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_a_library_that_is_not_installed_is_named(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it; other precisions do not need it."""
    version = int8.version

    def without(name: str) -> str:
        if name == library:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(int8, "version", without)
    with pytest.raises(ClinicError, match=rf"needs {library}, .* install 'emoclip-clinic\[int8\]'"):
        require_precision("int8", "cpu")
    require_precision("bf16", "cpu")


def test_a_library_that_reports_to_its_maker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is imported: it reports that already."""
    monkeypatch.setattr(int8, "version", lambda _: "1.30.1")
    with pytest.raises(ClinicError, match=r"reports .* over the network; allowed: below 1\.29"):
        require_precision("int8", "cpu")


def test_what_runs_the_graph_holds_no_client() -> None:
    """The library's own files name no address that events are sent to."""
    files = list(Path(onnxruntime.__file__).parent.glob("capi/*pybind11_state*"))
    assert files
    assert not any(b"events.data.microsoft.com" in file.read_bytes() for file in files)


def test_another_precision_is_named_with_those_allowed() -> None:
    """As wherever a name is wrong."""
    with pytest.raises(EncoderError, match="'int4'; allowed: fp32, bf16, fp16, int8"):
        require_precision("int4", "cpu")


def test_encode_refuses_before_it_reads_a_recording(
    encoded_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was ingested when the library is missing."""
    monkeypatch.setattr(int8, "version", lambda _: "1.32.0")
    study = ec.Study.create(tmp_path / "new")
    with pytest.raises(EncoderError, match="allowed: below"):
        ec.pipeline.encode(
            study,
            encoded_study / "interviews",
            encoder="emoclip-demo",
            faces="none",
            precision="int8",
        )
    assert not study.recordings_csv.exists()


def test_encode_in_int8(encoded_study: Path, tmp_path: Path) -> None:
    """The same windows with near vectors; provenance says int8, and nothing is done twice."""
    study = ec.Study(shutil.copytree(encoded_study, tmp_path / "study"))
    folder = study.features_dir("emoclip-demo")
    names = list(pd.read_csv(study.recordings_csv).query("status == 'usable'")["recording"])
    before = features.read_folder(folder, names)
    words = ["encode", str(study.path / "interviews"), "--study", str(study.path)]
    words += ["--precision", "int8", "--device", "cpu"]
    answer = CliRunner().invoke(app, words, catch_exceptions=False)
    assert answer.exit_code == 0, answer.stderr
    after = features.read_folder(folder, names)
    pd.testing.assert_frame_equal(before.segments, after.segments)
    assert cosine(*map(torch.from_numpy, (after.vectors, before.vectors))) >= LEAST
    assert not np.array_equal(after.vectors, before.vectors)
    provenance = json.loads((study.path / "provenance/encode-emoclip-demo.json").read_text())
    assert provenance["settings"]["precision"] == "int8"
    assert "up to date" in CliRunner().invoke(app, words, catch_exceptions=False).stderr
