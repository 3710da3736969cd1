"""The encoder on a GPU: the same numbers, and the same windows, as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emoclip_clinic.encoder import load_encoder

TOLERANCE = 1e-4
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_gives_the_cpu_s_embeddings() -> None:
    """In fp32, without TF32, clips and texts agree to 1e-4 of their largest value."""
    frames = np.random.default_rng(0).integers(0, 256, (12, 80, 80, 3), dtype=np.uint8)
    texts = ["a broad smile", "a still face"]
    found = {}
    for device in ("cpu", "cuda"):
        encoder = load_encoder("emoclip-demo", device=device)
        with torch.inference_mode():
            clip = encoder.encode_video(encoder.preprocess(frames)[None].to(device))
            found[device] = torch.cat([clip, encoder.encode_text(texts)]).cpu().numpy()
    difference = np.abs(found["cuda"] - found["cpu"]).max() / np.abs(found["cpu"]).max()
    assert difference < TOLERANCE
