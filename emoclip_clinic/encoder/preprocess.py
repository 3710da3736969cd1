"""Pixels as the reference prepares them: scale, normalise, resize, crop."""

from __future__ import annotations

import torch
from torch.nn import functional

from emoclip_clinic.errors import EncoderError

__all__ = ["MEAN", "STD", "preprocess"]

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""CLIP's mean of red, green and blue, for values in [0, 1]."""
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's standard deviation of red, green and blue."""


def preprocess(frames: torch.Tensor, size: int) -> torch.Tensor:
    """Prepare frames for the image tower.

    Values in [0, 1] are normalised with CLIP's mean and standard deviation; the short side is then
    resized to `size` (bicubic, a = -0.75, **without** antialiasing, on the normalised values, as
    the reference's torchvision did), and the centre is cropped.

    Parameters
    ----------
    frames
        uint8 (time, height, width, 3), RGB.
    size
        Height and width of the result, px.

    Returns
    -------
    torch.Tensor
        float32 (time, 3, size, size), on the device of `frames`.

    Raises
    ------
    EncoderError
        `frames` has another type or shape.
    """
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise EncoderError(
            f"frames of type {frames.dtype} and shape {tuple(frames.shape)} were given; allowed: "
            "uint8 (time, height, width, 3), RGB"
        )
    mean, std = (frames.new_tensor(value, dtype=torch.float32) for value in (MEAN, STD))
    pixels = ((frames.float() / 255 - mean) / std).permute(0, 3, 1, 2)
    height, width = pixels.shape[2:]
    short = min(height, width)
    if short != size:
        target = (int(size * height / short), int(size * width / short))
        pixels = functional.interpolate(
            pixels, size=target, mode="bicubic", align_corners=False, antialias=False
        )
    height, width = pixels.shape[2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return pixels[:, :, top : top + size, left : left + size].contiguous()
