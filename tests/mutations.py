"""Damage to recordings, seeded: what disks, transfers and hostile people do to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

__all__ = ["MUTATIONS", "mutate", "shortened"]

HEADER_BYTES = 2048
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def shortened(source: Path, target: Path, n_packets: int) -> Path:
    """Copy the first pictures of a recording as they are stored, without coding them anew."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if number == n_packets or not packet.size:
                break
            packet.stream = stream
            new.mux(packet)
    return target


def _flip(content: bytearray, rng: np.random.Generator, first: int, last: int) -> None:
    for place in rng.integers(first, last, rng.choice([1, 4, 64])):
        content[place] ^= 1 << int(rng.integers(8))


def flip_bits(content: bytearray, rng: np.random.Generator) -> None:
    """Flip bits anywhere."""
    _flip(content, rng, 0, len(content))


def flip_header_bits(content: bytearray, rng: np.random.Generator) -> None:
    """Flip bits at the start or the end, where the containers keep what they say of themselves."""
    size = min(HEADER_BYTES, len(content))
    first = rng.choice([0, len(content) - size])
    _flip(content, rng, first, first + size)


def edit_header(content: bytearray, rng: np.random.Generator) -> None:
    """Put an extreme number in place of one of the header's."""
    size = min(HEADER_BYTES, len(content))
    first = int(rng.choice([0, len(content) - size]) + rng.integers(size - 4))
    width = int(rng.choice([1, 2, 4]))
    number = int(rng.choice(EXTREMES)) & (1 << 8 * width) - 1
    content[first : first + width] = number.to_bytes(width, "big")


def truncate(content: bytearray, rng: np.random.Generator) -> None:
    """Cut the end off."""
    del content[int(rng.integers(1, len(content))) :]


def wipe(content: bytearray, rng: np.random.Generator) -> None:
    """Overwrite a stretch with zeros, as a hole of a copy that broke off."""
    first, size = int(rng.integers(len(content))), int(2 ** rng.uniform(0, 12))
    content[first : first + size] = bytes(len(content[first : first + size]))


def move(content: bytearray, rng: np.random.Generator) -> None:
    """Overwrite a stretch with another one of the file."""
    source, target = (int(place) for place in rng.integers(0, len(content), 2))
    piece = content[source : source + int(2 ** rng.uniform(0, 12))][: len(content) - target]
    content[target : target + len(piece)] = piece


def shift(content: bytearray, rng: np.random.Generator) -> None:
    """Drop or insert some bytes: all that follows is elsewhere."""
    place, size = int(rng.integers(len(content))), int(rng.integers(1, 9))
    if rng.random() < 0.5:
        del content[place : place + size]
    else:
        content[place:place] = rng.bytes(size)


MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    flip_bits, flip_header_bits, edit_header, truncate, wipe, move, shift,
)  # fmt: skip


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file's content in one to three ways."""
    damaged = bytearray(content)
    for choice in rng.integers(0, len(MUTATIONS), rng.choice([1, 1, 1, 2, 3])):
        # what is left of a file may be too short for more
        if len(damaged) > 8:
            MUTATIONS[choice](damaged, rng)
    return bytes(damaged)
