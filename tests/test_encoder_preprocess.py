from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from emoclip_clinic.encoder.preprocess import preprocess
from emoclip_clinic.errors import EncoderError

# CLIP's published constants
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


def cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' kernel (1981) with a = -0.75."""
    d, a = np.abs(distance), -0.75
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def weights(n_in: int, n_out: int) -> npt.NDArray[np.float64]:
    """Matrix (n_out, n_in) of bicubic interpolation: pixel centres aligned, edges repeated."""
    matrix = np.zeros((n_out, n_in))
    centres = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    for row, centre in enumerate(centres):
        for column in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            matrix[row, np.clip(column, 0, n_in - 1)] += cubic(np.array(centre - column))
    return matrix


def definition(frames: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float64]:
    """Compute the reference's pixels in float64: normalise, resize without antialiasing, crop."""
    values = (frames / 255 - MEAN) / STD
    height, width = frames.shape[1:3]
    short = min(height, width)
    tall, wide = int(size * height / short), int(size * width / short)
    if short != size:
        values = np.einsum("ij,njkc->nikc", weights(height, tall), values)
        values = np.einsum("ij,nkjc->nkic", weights(width, wide), values)
    top, left = round((tall - size) / 2), round((wide - size) / 2)
    return values[:, top : top + size, left : left + size].transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("height", "width"), [(50, 70), (71, 50), (500, 333), (224, 224), (224, 300), (64, 64)]
)
def test_pixels_are_the_definition(height: int, width: int) -> None:
    """Normalise, bicubic without antialiasing on the normalised values, centre crop."""
    rng = np.random.default_rng(height)
    frames = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    ours = preprocess(torch.from_numpy(frames), 224)
    assert ours.dtype == torch.float32
    assert ours.shape == (2, 3, 224, 224)
    np.testing.assert_allclose(ours.numpy(), definition(frames, 224), atol=2e-4)


def test_an_even_grey_stays_even() -> None:
    """A grey picture gives the normalised grey everywhere, whatever its size."""
    frames = torch.full((1, 90, 40, 3), 128, dtype=torch.uint8)
    expected = (128 / 255 - MEAN) / STD
    for channel, value in enumerate(expected):
        torch.testing.assert_close(
            preprocess(frames, 32)[0, channel], torch.full((32, 32), float(value))
        )


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(2, 8, 8, 3),
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(8, 8, 3, dtype=torch.uint8),
    ],
)
def test_other_types_and_shapes_are_refused(frames: torch.Tensor) -> None:
    """Floats, channels first or a single frame are an error that says what is allowed."""
    with pytest.raises(EncoderError, match=r"allowed: uint8 \(time, height, width, 3\)"):
        preprocess(frames, 8)
