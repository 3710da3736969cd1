"""The video encoder: EmoCLIP on open_clip's towers, its checkpoints, and its use on recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emoclip_clinic import weights
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.resources import close_matches

if TYPE_CHECKING:
    from emoclip_clinic.encoder.model import VideoEncoder

__all__ = [
    "DEMO_WEIGHTS", "ENCODERS", "checkpoint_path", "devices", "load_encoder", "require_precision",
]  # fmt: skip

ENCODERS = ("emoclip", "clip-mean", "emoclip-demo")
"""EmoCLIP's reference weights; CLIP on frames, averaged; the demonstration's small EmoCLIP."""
DEMO_WEIGHTS = Path(__file__).parent / "emoclip-demo.safetensors"


def load_encoder(
    name_or_path: str | Path,
    *,
    weights_dir: str | Path | None = None,
    device: str = "auto",
    precision: str = "fp32",
) -> VideoEncoder:
    """Load a trained encoder, ready to encode.

    Parameters
    ----------
    name_or_path
        "emoclip", "clip-mean" or "emoclip-demo", or the path of a checkpoint: .pt in either of the
        reference's layouts, or .safetensors. A checkpoint is named after its file and weights.
    weights_dir
        Folder of the weights; see `emoclip_clinic.weights.folder`.
    device
        "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", ...
    precision
        Of its arithmetic: "fp32", "bf16" or "fp16", or "int8" on a CPU.

    Raises
    ------
    EncoderError
        The weights are missing (the message has the command to run), damaged or of another
        architecture, or there is no such device or precision here. No layer is ever left untrained.
    """
    # torch is imported where an encoder is needed, not where its name is
    from emoclip_clinic.encoder import checkpoints

    require_precision(precision, device)
    name = str(name_or_path)
    path = checkpoint_path(name, weights_dir)
    model = (
        checkpoints.load_clip(path) if name == "clip-mean" else checkpoints.load_checkpoint(path)
    )
    model.precision = precision
    model.name = name if name in ENCODERS else f"{path.stem}-{model.fingerprint[:8]}"
    return checkpoints.to_device(model, device)


def require_precision(precision: str, device: str) -> None:
    """Check that this machine can encode in a precision on a device, as `load_encoder` takes them.

    Raises
    ------
    EncoderError
        There is no such precision, or it is "int8" and the device is a GPU or its libraries are
        not those of the extra "int8".
    """
    from emoclip_clinic.encoder import int8
    from emoclip_clinic.encoder.checkpoints import chosen_device
    from emoclip_clinic.encoder.model import PRECISIONS

    if precision not in PRECISIONS:
        raise EncoderError(f"precision {precision!r}; allowed: {', '.join(PRECISIONS)}.")
    if precision == "int8":
        int8.require(chosen_device(device))


def checkpoint_path(name_or_path: str | Path, weights_dir: str | Path | None = None) -> Path:
    """Find the verified file that `load_encoder` reads.

    Raises
    ------
    EncoderError
        There is no such encoder, or its weights are missing or damaged.
    """
    name = str(name_or_path)
    if name == "emoclip-demo":
        return DEMO_WEIGHTS
    if name in ENCODERS:
        return weights.path("clip" if name == "clip-mean" else name, weights_dir)
    if Path(name).is_file():
        return Path(name)
    raise EncoderError(
        f"there is no encoder {name!r}. {close_matches(name, list(ENCODERS))}"
        f"Known: {', '.join(ENCODERS)}, or the path of a checkpoint."
    )


def devices(text: str) -> list[str]:
    """Name the devices that several recordings are encoded on at once.

    Parameters
    ----------
    text
        Names with commas between, such as "cuda:0,cuda:2". "auto" and "cuda" are every GPU there
        is; without one, "auto" is the CPU.
    """
    import torch

    n = torch.cuda.device_count()
    if text in ("auto", "cuda") and n > 1:
        return [f"cuda:{number}" for number in range(n)]
    return [name.strip() for name in text.split(",")]
