"""The reference's weights, made from their names, for tests against its outputs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import torch

from emoclip_clinic.encoder.model import Architecture, VideoEncoder

__all__ = ["fill_script", "filled", "reference_state", "tiny_architecture"]


def fill_script(shared: Path) -> ModuleType:
    """Import the script that makes weights, the golden input and its texts."""
    spec = importlib.util.spec_from_file_location("fill", shared / "reference" / "fill.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference_state(shared: Path, size: str) -> dict[str, torch.Tensor]:
    """Make layout 1 of the "tiny" or the full "b32" model."""
    state = fill_script(shared).state_dict(f"vclip_{size}.json")
    return {name: torch.from_numpy(value) for name, value in state.items()}


def tiny_architecture(shared: Path) -> Architecture:
    """Read the small model's dimensions; its heads are those that its description gives."""
    shapes = {name: tuple(v.shape) for name, v in reference_state(shared, "tiny").items()}
    return Architecture.from_shapes(shapes, temporal_heads=2, text_heads=2)


def filled(shared: Path, size: str, architecture: Architecture) -> VideoEncoder:
    """Make the model that the goldens were computed with."""
    with torch.device("meta"):
        model = VideoEncoder(architecture)
    model.load_state_dict(reference_state(shared, size), assign=True)
    return model.eval().requires_grad_(False)
