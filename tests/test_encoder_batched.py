"""Several recordings on one encoder: each has what it has alone."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.batched import BatchedEncoder, Clip
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError
from tests.test_encoder_encode import ENCODER, Frame

DEMO = load_encoder("emoclip-demo", device="cpu")


def noise(seed: int, n: int, size: int) -> list[Frame]:
    return list(np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8))


def clips(batched: BatchedEncoder, frames: Sequence[Frame], length: int) -> list[Clip]:
    """Embed the clips that follow one another, each as soon as its frames were given."""
    parts = [frames[start : start + length] for start in range(0, len(frames), length)]
    with batched.source(keep_frames=True) as source:
        ordered = [source.clip([source.frame(one) for one in part]) for part in parts]
    return [one.result() for one in ordered]


def as_bytes(found: Sequence[Clip]) -> list[bytes]:
    return [part.numpy().tobytes() for one in found for part in (one.vector, one.frames)]


def defined(encoder: VideoEncoder, frames: Sequence[Frame]) -> torch.Tensor:
    with torch.inference_mode():
        return encoder.encode_video(encoder.preprocess(np.stack(frames))[None])[0]


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.integers(1, 23), min_size=2, max_size=5),
    length=st.integers(1, 6),
    batch=st.integers(1, 9),
    batch_clips=st.integers(1, 4),
)
def test_recordings_have_the_same_bytes_together_and_alone(
    numbers: list[int], length: int, batch: int, batch_clips: int
) -> None:
    """Whatever the others are, and however the threads take turns; and it is the definition."""
    films = [noise(seed, n, ENCODER.image_size) for seed, n in enumerate(numbers)]
    with BatchedEncoder(ENCODER, batch, batch_clips) as batched:
        alone = [as_bytes(clips(batched, film, length)) for film in films]
        with ThreadPoolExecutor(len(films)) as pool:
            together = list(pool.map(lambda film: clips(batched, film, length), films))
    assert [as_bytes(found) for found in together] == alone
    for film, found in zip(films, together, strict=True):
        for start, clip in zip(range(0, len(film), length), found, strict=True):
            expected = defined(ENCODER, film[start : start + length])
            torch.testing.assert_close(clip.vector, expected, atol=1e-5, rtol=0)


def test_a_trained_encoder_gives_the_same_bytes_wherever_a_frame_stands() -> None:
    """Its matrices are as large as those that libraries cut into parts; sizes of frames differ."""
    size = DEMO.image_size
    films = [noise(1, 40, size), noise(2, 21, size), noise(3, 9, size + 30)]
    with BatchedEncoder(DEMO) as batched:
        alone = [as_bytes(clips(batched, film, 8)) for film in films]
        for _ in range(5):
            with ThreadPoolExecutor(3) as pool:
                together = list(pool.map(lambda film: clips(batched, film, 8), films))
            assert [as_bytes(found) for found in together] == alone


def test_batches_are_full_but_the_last_of_a_recording() -> None:
    """And hold no frame of another one, whose place could change the last bit."""
    sizes: list[int] = []
    handle = ENCODER.backbone.visual.register_forward_pre_hook(
        lambda _, inputs: sizes.append(len(inputs[0]))
    )
    with BatchedEncoder(ENCODER, 8) as batched, ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: clips(batched, noise(n, n, 16), 4), (19, 16, 3)))
    handle.remove()
    assert sorted(sizes) == sorted([8, 8, 3, 8, 8, 3])


def broken(part: str) -> VideoEncoder:
    """Give an encoder whose image tower, or temporal layers, raise an error."""

    class Broken(torch.nn.Module):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no more")

    encoder = load_encoder("emoclip-demo", device="cpu")
    place = encoder.backbone if part == "visual" else encoder
    setattr(place, part, Broken())
    return encoder


def ask(batched: BatchedEncoder) -> None:
    """Have two clips embedded, and wait for each."""
    for one in clips(batched, noise(1, 4, 128), 2):
        assert one


@pytest.mark.parametrize("part", ["visual", "temporal"])
def test_an_encoder_that_fails_is_told_to_everybody_who_waits(part: str) -> None:
    """Also of the clip that it was at work on: nobody waits without end, nor who comes later."""
    with BatchedEncoder(broken(part), batch_frames=2) as batched, ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(ask, batched) for _ in range(3)]:
            with pytest.raises(EncoderError, match="RuntimeError: no more"):
                one.result(60)
        with pytest.raises(EncoderError, match="RuntimeError: no more"):
            ask(batched)


def test_whoever_is_at_work_when_it_is_closed_is_told() -> None:
    """Ctrl-C ends the others at once, whether they read or wait for clips; and who comes later."""
    batched = BatchedEncoder(DEMO, batch_frames=2)
    ordered = []

    def film() -> None:
        with batched.source() as source:
            # far more than there is room for
            for frame in noise(1, 40, 128):
                ordered.append(source.clip([source.frame(frame)]))
                if len(ordered) == 9:
                    batched.close()

    for _ in range(2):
        with pytest.raises(EncoderError, match="was closed"):
            film()
    done = [one for one in ordered if one.done() and not one.exception()]
    assert all(torch.isfinite(one.result().vector).all() for one in done)
    assert len(done) < 9


def test_its_thread_ends_when_nobody_has_it() -> None:
    """Workers of a cluster drop it without a word."""
    before = threading.active_count()
    batched = BatchedEncoder(ENCODER)
    assert threading.active_count() == before + 1
    del batched
    gc.collect()
    while threading.active_count() > before:
        time.sleep(0.01)
