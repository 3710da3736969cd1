"""What a training will cost where there is no GPU."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.report.numbers import number

__all__ = ["tell_cost"]

N_MEASURED = 8
"""Frames."""


def tell_cost(model: VideoEncoder, n_frames: int, say: Callable[[str], None]) -> None:
    """Measure the image tower on a few frames, and say how long it needs for `n_frames`."""
    if model.device.type != "cpu":
        return
    pixels = torch.zeros(N_MEASURED, 3, model.image_size, model.image_size)
    with torch.inference_mode():
        model.encode_frames(pixels)
        start = time.perf_counter()
        model.encode_frames(pixels)
    hours = n_frames * (time.perf_counter() - start) / N_MEASURED / 3600
    if hours > 1 / 60:
        shown = f"{number(hours, 1)} hours" if hours > 1 else f"{number(60 * hours, 0)} minutes"
        say(
            f"There is no GPU here: the image tower needs about {shown} for the frames of "
            "this training. Stopped at any moment, the same command goes on."
        )
