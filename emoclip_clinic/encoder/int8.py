"""CLIP's image tower with 8-bit matrix products on a CPU, by ONNX Runtime.

A frame is computed alone, by one thread: its vector is the same whatever frames are beside it and
on however many threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import torch
from open_clip.transformer import VisionTransformer

from emoclip_clinic.errors import EncoderError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["LEAST_COSINE", "Int8Tower", "require", "session_of"]

LEAST_COSINE = 0.995
"""Of a frame's vector to that of fp32; below it the weights are not for int8."""
COMPARED = 8
"""Frames of the first batch that are computed in fp32 as well."""
FIRST_THAT_REPORTS = "1.29"
"""From this version on onnxruntime reports what is run to its maker, over the network."""
INSTALL = "Run: python -m pip install 'emoclip-clinic[int8]'"


def require(device: str) -> None:
    """Check that int8 can be computed on a device, importing nothing.

    Raises
    ------
    EncoderError
        The device is a GPU, or a library is not installed, or is one that reports to its maker.
    """
    if device != "cpu":
        raise EncoderError(
            f"precision 'int8' is for a CPU, and the device is {device!r}. Give --device cpu, or "
            "--precision bf16 or fp16, which are faster on a GPU."
        )
    _installed("onnx")
    found = _installed("onnxruntime")
    if _release(found) >= _release(FIRST_THAT_REPORTS):
        raise EncoderError(
            f"onnxruntime {found} reports what is run to its maker over the network; allowed: "
            f"below {FIRST_THAT_REPORTS}. {INSTALL}"
        )


def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError as error:
        raise EncoderError(
            f"precision 'int8' needs {library}, which is not installed. {INSTALL}"
        ) from error


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(".")[:2])


class Int8Tower:
    """An image tower with the weights that it has now: later ones are not seen.

    Parameters
    ----------
    tower
        CLIP's image tower, on the CPU.

    Raises
    ------
    EncoderError
        As `require`.
    """

    def __init__(self, tower: VisionTransformer) -> None:
        require(str(tower.proj.device))
        from emoclip_clinic.encoder.int8_graph import image_tower

        self._session = session_of(image_tower(tower))
        self._exact: VisionTransformer | None = tower

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Embed preprocessed frames: float32 (n, 3, size, size) to (n, dim).

        Raises
        ------
        EncoderError
            A vector of the first batch is not near that of fp32.
        """
        if not len(frames):
            return frames.new_empty(0, self._session.get_outputs()[0].shape[1])
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            vectors = torch.cat(list(pool.map(self._one, frames)))
        if self._exact is not None:
            _compare(vectors[:COMPARED], self._exact(frames[:COMPARED]))
            self._exact = None
        return vectors

    def _one(self, frame: torch.Tensor) -> torch.Tensor:
        feed = {self._session.get_inputs()[0].name: frame[None].numpy()}
        return torch.from_numpy(self._session.run(None, feed)[0])


def session_of(model: bytes) -> InferenceSession:
    """Make ready to run an ONNX model, one thread a run."""
    import onnxruntime

    # nothing leaves the machine: packages for Windows trace what they do
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # the threads share out frames instead
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _compare(vectors: torch.Tensor, exact: torch.Tensor) -> None:
    least = torch.nn.functional.cosine_similarity(vectors, exact).min().item()
    # a number that is not finite is found where vectors are used
    if least < LEAST_COSINE:
        raise EncoderError(
            f"in int8 these weights give a frame another direction: its cosine to fp32 is "
            f"{least:.4f}; allowed: {LEAST_COSINE} or more. Encode with --precision fp32."
        )
