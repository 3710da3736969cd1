"""A high dynamic range, as newer phones film, brought to the ordinary one that encoders know.

Signals become light by ITU-R BT.2100, the colours of BT.2020 those of BT.709 by BT.2407's matrix.
Reference white (203 nits, BT.2408) is the white of the ordinary picture; above the knee of BT.2390
what is brighter is compressed, channel by channel, and below it nothing changes. Light becomes grey
levels as a display of gamma 2.4 (BT.1886) expects them.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["FULL", "HLG", "PQ", "ordinary"]

Array = npt.NDArray[np.float64]

PQ, HLG = 16, 18
"""As ITU-T H.273 numbers the transfer characteristics."""
FULL = 255 << 8
"""Where FFmpeg's conversion to 16 bits puts a signal of 1."""
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
"""Of BT.2408: reference white, and the nominal peak of a master; more light is cut off."""
HLG_GAMMA = 1.2
"""From the scene to a display of that peak."""
DISPLAY_GAMMA = 2.4
LUMINANCE_2020 = np.array([[0.2627, 0.6780, 0.0593]])
TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
N_STEPS = 1 << 14
"""Of light, as its square root: so fine that no grey level is missed."""
M1, M2 = 2610 / 16384, 2523 / 32
C1, C2, C3 = 3424 / 4096, 2413 / 128, 2392 / 128
A, B, C = 0.17883277, 0.28466892, 0.55991073


def ordinary(pixels: npt.NDArray[np.uint16], transfer: int) -> npt.NDArray[np.uint8]:
    """Bring a picture to the ordinary range.

    Parameters
    ----------
    pixels
        uint16 (height, width, 3) RGB in the colours of BT.2020, `FULL` the full signal.
    transfer
        PQ or HLG.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3) RGB in the colours of BT.709.
    """
    # shares of the peak
    light = _light(transfer)[pixels]
    if transfer == HLG:
        scene = np.maximum(cv2.transform(light, LUMINANCE_2020), 0)
        light *= np.power(scene, HLG_GAMMA - 1)[..., None]
    shown = np.clip(cv2.transform(light, TO_709), 0, 1)
    steps = np.rint(np.sqrt(shown) * (N_STEPS - 1)).astype(np.uint16)
    return np.asarray(_levels()[steps], np.uint8)


@cache
def _light(transfer: int) -> npt.NDArray[np.float32]:
    """Light of each signal, a share of the peak: a display's for PQ, the scene's for HLG."""
    signal = np.minimum(np.arange(1 << 16) / FULL, 1)
    if transfer == PQ:
        return np.minimum(_pq_light(signal) / PEAK_NITS, 1).astype(np.float32)
    dark, bright = signal**2 / 3, (np.exp((signal - C) / A) + B) / 12
    return np.where(signal <= 0.5, dark, bright).astype(np.float32)


@cache
def _levels() -> npt.NDArray[np.uint8]:
    """Grey level of each step of light."""
    nits = PEAK_NITS * (np.arange(N_STEPS) / (N_STEPS - 1)) ** 2
    shown = np.clip(_compressed(nits) / WHITE_NITS, 0, 1) ** (1 / DISPLAY_GAMMA)
    return np.rint(255 * shown).astype(np.uint8)


def _compressed(nits: Array) -> Array:
    """Bring light up to the peak to light up to reference white: BT.2390's curve."""
    top, white = _pq_signal(np.array([PEAK_NITS, WHITE_NITS]))
    most = white / top
    knee = 1.5 * most - 0.5
    signal = _pq_signal(nits) / top
    t = np.maximum(0, signal - knee) / (1 - knee)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return _pq_light(top * np.where(signal < knee, signal, bent))


def _pq_light(signal: Array) -> Array:
    """Give the nits that a display of PQ shows."""
    root = signal ** (1 / M2)
    return 10_000 * (np.maximum(0, root - C1) / (C2 - C3 * root)) ** (1 / M1)


def _pq_signal(nits: Array) -> Array:
    """Give the signal of PQ, 0 to 1, for nits."""
    root = (nits / 10_000) ** M1
    return ((C1 + C2 * root) / (1 + C3 * root)) ** M2
