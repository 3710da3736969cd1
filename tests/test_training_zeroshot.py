from __future__ import annotations

import numpy as np
import pytest
import torch

from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.training.described import best_described, describe_vectors
from emoclip_clinic.training.prompts import ClassWords, PromptSet, find_prompts, read_prompts
from emoclip_clinic.training.zeroshot import Sampling, embed_clip


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return load_encoder("emoclip-demo", device="cpu")


def test_one_window_stands_at_the_centre() -> None:
    """As many frames are left out before it as after it, or one more."""
    for length in (125, 126, 200, 333):
        (window,) = Sampling(32, 4).windows(length)
        assert np.all(np.diff(window) == 4)
        assert length - 1 - window[-1] - window[0] in (0, 1)


def test_several_windows_reach_from_the_first_frame_to_the_last() -> None:
    """Evenly; a video that holds fewer gives each once."""
    windows = Sampling(8, 2, 3).windows(101)
    assert windows[:, 0].tolist() == [0, 43, 86]
    assert windows[-1, -1] == 100
    assert len(Sampling(8, 2, 5).windows(16)) == 2
    assert len(Sampling(8, 2, 5).windows(15)) == 1


def test_a_short_video_is_reflected() -> None:
    """Its own frames first, then back and forth."""
    (window,) = Sampling(8, 2).windows(7)
    assert window.tolist() == [0, 2, 4, 6, 4, 2, 0, 2]
    assert Sampling(4, 4).windows(1).tolist() == [[0, 0, 0, 0]]


def test_sampling_needs_whole_numbers_from_one() -> None:
    with pytest.raises(SettingsError, match="n_windows = 0; allowed: 1 or more"):
        Sampling(n_windows=0)


def test_a_clip_is_embedded_as_the_encoder_does(encoder: VideoEncoder) -> None:
    """One window: the encoder's own vectors, of length 1; several: the mean of those."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (70, 64, 3), dtype=np.uint8) for _ in range(6)]
    windows = np.array([[0, 1, 2, 3], [2, 3, 4, 5]])
    video, average = embed_clip(encoder, frames, windows)
    with torch.inference_mode():
        clips = torch.stack([encoder.preprocess(np.stack(frames))[window] for window in windows])
        each = torch.nn.functional.normalize(encoder.encode_video(clips), dim=-1)
        flat = encoder.encode_frames(clips.flatten(0, 1)).reshape(2, 4, -1).mean(dim=1)
    expected = torch.nn.functional.normalize(each.mean(dim=0), dim=0).numpy()
    assert video == pytest.approx(expected, abs=1e-5)
    one = embed_clip(encoder, frames, windows[:1])[1]
    assert one == pytest.approx((flat[0] / flat[0].norm()).numpy(), abs=1e-5)
    assert np.linalg.norm(average) == pytest.approx(1, abs=1e-5)


def test_frames_of_several_sizes_make_a_clip(encoder: VideoEncoder) -> None:
    """Face crops differ; each is brought to the encoder's size by itself."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in (64, 90, 70)]
    assert embed_clip(encoder, frames, np.array([[0, 1, 2]]))[0].shape == (encoder.dim,)


def test_similarity_stands_above_the_floor_of_neutral_sentences(encoder: VideoEncoder) -> None:
    """The nearest neutral sentence is the floor; a window that is one does not rise above it."""
    words = read_prompts(find_prompts("demo"))
    texts = [words.classes["amused"].texts[0], words.neutral[0]]
    vectors = 3 * encoder.encode_text(texts).numpy()
    table = describe_vectors(vectors, encoder, words)
    assert len(table) == 2 * len(words.classes)
    assert table["above_floor"].to_numpy() == pytest.approx(table["similarity"] - table["floor"])
    first, second = (table[table["row"] == row] for row in (0, 1))
    assert first.loc[first["similarity"].idxmax(), "description"] == "amused"
    assert second["floor"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert (second["above_floor"] < 1e-6).all()
    best = best_described(vectors, encoder, words)
    assert best["description"][0] == "amused"
    assert best["similarity"][0] == pytest.approx(first["similarity"].max())


def test_a_timeline_needs_a_floor(encoder: VideoEncoder) -> None:
    words = PromptSet({"a": ClassWords(("no smile",))})
    with pytest.raises(SettingsError, match="no neutral sentences"):
        describe_vectors(np.ones((1, encoder.dim), np.float32), encoder, words)
