"""High dynamic range becomes the ordinary one: truths of ITU-R BT.2100 and BT.2408."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from emoclip_clinic.video.probe import probe
from emoclip_clinic.video.reader import read_frames
from emoclip_clinic.video.tones import FULL, HLG, PQ, ordinary

Array = npt.NDArray[np.float64]

LEVELS = np.arange(256)
BT709_IN_2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
"""BT.2087: how BT.2020 writes the colours of BT.709."""
NAMES = {PQ: "smpte2084", HLG: "arib-std-b67"}


def nits(levels: npt.ArrayLike) -> Array:
    """Light of ordinary grey levels, 255 the reference white of 203 nits."""
    return 203 * (np.asarray(levels) / 255) ** 2.4


def signal(light: Array, transfer: int) -> Array:
    """Write light in nits, (..., 3), as BT.2100 does: the inverse of what a display shows."""
    if transfer == PQ:
        root = (light / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375
    display = light / 1000
    luminance = (display @ [0.2627, 0.6780, 0.0593])[..., None]
    scene = display * np.where(luminance > 0, luminance, 1) ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    )


def stored(light: Array, transfer: int) -> npt.NDArray[np.uint16]:
    return np.rint(FULL * signal(light, transfer)).astype(np.uint16)


def write_greys(path: Path, levels: npt.NDArray[np.int64], transfer: int) -> Path:
    """Film columns of grey levels as a phone does: 10 bits, BT.2020, HLG or PQ."""
    grey = np.repeat(nits(levels)[None, :, None], 3, axis=-1)
    luma = np.rint(64 + 876 * signal(grey, transfer)[0, :, 0]).astype("<u2")
    colours = f"colorprim=bt2020:transfer={NAMES[transfer]}:colormatrix=bt2020nc"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, len(levels), "yuv420p10le"
        stream.options = {"x264-params": colours, "qp": "4"}
        for number in range(3):
            frame = av.VideoFrame(len(levels), 64, "yuv420p10le")
            for plane, row in zip(frame.planes, [luma, 512, 512], strict=True):
                pixels = np.zeros((plane.height, plane.line_size // 2), "<u2")
                pixels[:, : plane.width] = row
                plane.update(pixels.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_reference_white_is_the_same_in_both() -> None:
    """BT.2408: 58 % of PQ and 75 % of HLG are both diffuse white, 203 nits."""
    white = [
        ordinary(np.full((1, 1, 3), round(share * FULL), np.uint16), transfer)[0, 0]
        for share, transfer in [(0.58, PQ), (0.75, HLG)]
    ]
    assert white[0] == pytest.approx(white[1], abs=1)
    # near the top, with room for highlights above it
    assert white[0] == pytest.approx(232, abs=12)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_colours_come_back(transfer: int) -> None:
    """Ordinary colours that were written with a high dynamic range are what they were."""
    rng = np.random.default_rng(0)
    colours = rng.integers(10, 176, (40, 40, 3))
    made = ordinary(stored(nits(colours) @ BT709_IN_2020.T, transfer), transfer)
    assert np.abs(made.astype(int) - colours).max() <= 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_film_of_greys_comes_back(tmp_path: Path, transfer: int) -> None:
    """Below the knee, 90 nits, each grey level is itself; above, order and detail are kept."""
    path = write_greys(tmp_path / "a.mkv", LEVELS, transfer)
    (frame,) = read_frames(path, [1])
    shown = frame[32].astype(int)
    assert (shown.max(axis=1) - shown.min(axis=1)).max() <= 1
    shown = shown[:, 1]
    assert np.abs(shown[:178] - LEVELS[:178]).max() <= 2
    assert (np.diff(shown) >= -1).all()
    assert 220 < shown[255] < 245


def test_the_brightest_light_is_white() -> None:
    """Black is black, and the nominal peak of 1000 nits is white."""
    light = np.array([[[0.0] * 3, [1000.0] * 3]])
    for transfer in (PQ, HLG):
        assert ordinary(stored(light, transfer), transfer)[0].tolist() == [[0] * 3, [255] * 3]


def test_what_is_measured_is_what_is_read(tmp_path: Path) -> None:
    """Brightness is that of the picture that is encoded."""
    path = write_greys(tmp_path / "a.mkv", np.full(64, 128), HLG)
    (frame,) = read_frames(path, [0])
    facts = probe(path)
    assert facts.hdr
    assert facts.brightness == pytest.approx(frame.mean(), abs=1) == pytest.approx(128, abs=2)
