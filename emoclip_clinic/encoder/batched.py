"""An encoder at work for several recordings, in batches of one recording each.

Linear algebra may round the last bit of a row otherwise where it stands at another place, among
others or in a batch of another size. So a batch holds frames of one recording, from its first on:
features do not depend on which recordings are at work at once.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import EncoderError

__all__ = ["BatchedEncoder", "Clip", "EmbeddedFrame", "Source"]

Frame = npt.NDArray[np.uint8]

FRAMES = {"cpu": 16, "cuda": 128}
"""A batch by device; on a CPU more are not faster."""
CLIPS = {"cpu": 1, "cuda": 8}
"""A GPU takes as long for one."""
OTHER_DEVICE = "cpu"
ROOM = 2
"""Batches that wait for the encoder, and that a GPU may have before it."""


@dataclass(eq=False)
class EmbeddedFrame:
    """A frame to embed, and then its embedding."""

    pixels: Frame | None
    """uint8 (height, width, 3) RGB, until it is embedded."""
    vector: torch.Tensor | None = None
    """(dim,), on the encoder's device."""


@dataclass(frozen=True, eq=False)
class Clip:
    """What becomes of a clip: tensors on the encoder's device."""

    vector: torch.Tensor
    """(dim,)."""
    frames: torch.Tensor | None
    """Embeddings of its frames, (time, dim), where the source keeps them."""


@dataclass(frozen=True, eq=False)
class _Order:
    """A clip to embed."""

    frames: tuple[EmbeddedFrame, ...]
    keep: bool
    """Whether their embeddings are kept: those of hours take much memory."""
    made: Future[Clip] = field(default_factory=Future)

    def clip(self) -> torch.Tensor:
        """Give the embeddings of its frames, (time, dim)."""
        return torch.stack([frame.vector for frame in self.frames if frame.vector is not None])


@dataclass(frozen=True, eq=False)
class _Batch:
    """Frames of one recording, and the clips that are complete with them."""

    frames: list[EmbeddedFrame]
    orders: list[_Order]


class BatchedEncoder:
    """An encoder that several recordings share, each from a thread of its own.

    A few batches wait for it; whoever has another one waits, too.

    Parameters
    ----------
    encoder
        Makes the embeddings, on its device.
    batch_frames, batch_clips
        Frames and clips that are embedded at once; by the device, if they are not given.
    """

    def __init__(
        self,
        encoder: VideoEncoder,
        batch_frames: int | None = None,
        batch_clips: int | None = None,
    ) -> None:
        kind = encoder.device.type
        self.encoder = encoder
        self._batch_frames = batch_frames or FRAMES.get(kind, FRAMES[OTHER_DEVICE])
        self._work = _Work(encoder, batch_clips or CLIPS.get(kind, CLIPS[OTHER_DEVICE]))
        thread = threading.Thread(target=self._work.go, daemon=True)
        # the thread holds the work and not this object, so that it ends when nobody holds this
        self._end = weakref.finalize(self, _end, self._work, thread)
        thread.start()

    @contextlib.contextmanager
    def source(self, keep_frames: bool = False) -> Iterator[Source]:
        """Take a recording's frames and clips as long as the context lasts.

        Parameters
        ----------
        keep_frames
            Whether clips have the embeddings of their frames.

        Raises
        ------
        EncoderError
            The encoder failed, for this recording or another, or was closed.
        """
        source = Source(self._work, self._batch_frames, keep_frames)
        yield source
        source.hand_over()

    def close(self) -> None:
        """Do no more; whoever waits for a clip gets an EncoderError."""
        self._end()

    def __enter__(self) -> BatchedEncoder:
        """Use it, and close it at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Source:
    """A recording's way to an encoder that it shares."""

    def __init__(self, work: _Work, batch_frames: int, keep_frames: bool) -> None:
        self._work = work
        self._batch_frames = batch_frames
        self._keep_frames = keep_frames
        self._batch = _Batch([], [])

    def frame(self, pixels: Frame) -> EmbeddedFrame:
        """Have a frame embedded: uint8 (height, width, 3) RGB. It is for clips of this source.

        Raises
        ------
        EncoderError
            As for `BatchedEncoder.source`.
        """
        if len(self._batch.frames) == self._batch_frames:
            self.hand_over()
        frame = EmbeddedFrame(pixels)
        self._batch.frames.append(frame)
        return frame

    def clip(self, frames: Sequence[EmbeddedFrame]) -> Future[Clip]:
        """Have a clip of one frame or more embedded; it is made after the source has ended."""
        order = _Order(tuple(frames), self._keep_frames)
        self._batch.orders.append(order)
        return order.made

    def hand_over(self) -> None:
        """Give what has come to the encoder."""
        batch, self._batch = self._batch, _Batch([], [])
        if batch.frames or batch.orders:
            self._work.add(batch)


class _Work:
    """The batches that wait for the encoder, and the thread that does them."""

    def __init__(self, encoder: VideoEncoder, batch_clips: int) -> None:
        self._encoder = encoder
        self._batch_clips = batch_clips
        # where this is made, threads may be few; every thread counts them for itself
        self._n_threads = torch.get_num_threads()
        self._changed = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._failure: Exception | None = None
        on_gpu = encoder.device.type == "cuda"
        self._copies = torch.cuda.Stream(encoder.device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._ahead: deque[torch.cuda.Event] = deque()

    def add(self, batch: _Batch) -> None:
        """Have a batch done, when there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or len(self._waiting) < ROOM)
            if self._failure is not None:
                raise self._failure
            self._waiting.append(batch)
            self._changed.notify_all()

    def close(self) -> None:
        """Do no more."""
        self._fail(EncoderError("the encoder was closed before all was encoded."))

    def _fail(self, error: Exception, *at_hand: _Batch) -> None:
        """Tell everybody who waits, and whoever comes later."""
        with self._changed:
            self._failure = self._failure or error
            undone = [*at_hand, *self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for order in (order for batch in undone for order in batch.orders):
            if not order.made.done():
                order.made.set_exception(error)

    @torch.inference_mode()
    def go(self) -> None:
        """Do what comes, until it is closed."""
        torch.set_num_threads(self._n_threads)
        while (batch := self._next()) is not None:
            try:
                self._do(batch)
            except Exception as error:
                # raised again in the threads of all recordings: it is the fault of none
                self._fail(_told(error), batch)

    def _next(self) -> _Batch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._waiting)
            batch = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
        return batch

    def _do(self, batch: _Batch) -> None:
        if batch.frames:
            self._embed_frames(batch.frames)
        for _, group in groupby(batch.orders, key=lambda order: len(order.frames)):
            self._embed_clips(list(group))
        self._wait_for_the_last_but_one()

    def _embed_frames(self, frames: list[EmbeddedFrame]) -> None:
        pixels = self._on_device([frame.pixels for frame in frames if frame.pixels is not None])
        for frame, vector in zip(frames, self._encoder.encode_frames(pixels), strict=True):
            frame.pixels, frame.vector = None, vector

    def _on_device(self, frames: list[Frame]) -> torch.Tensor:
        """Prepare frames there: uint8 travels."""
        size = self._encoder.image_size
        if any(frame.shape != (size, size, 3) for frame in frames):
            # one by one: a batch of whole frames could be large, and they differ in size
            return torch.cat([self._encoder.preprocess(frame[None]) for frame in frames])
        pixels = torch.from_numpy(np.stack(frames))
        if self._copies is not None:
            pixels = self._copied(pixels, self._copies)
        return self._encoder.preprocess(pixels)

    def _copied(self, pixels: torch.Tensor, copies: torch.cuda.Stream) -> torch.Tensor:
        """Copy to the GPU while it computes on the batch before."""
        own = torch.cuda.current_stream(self._encoder.device)
        with torch.cuda.stream(copies):
            there = pixels.pin_memory().to(self._encoder.device, non_blocking=True)
        own.wait_stream(copies)
        there.record_stream(own)
        return there

    def _wait_for_the_last_but_one(self) -> None:
        if self._copies is None:
            return
        self._ahead.append(torch.cuda.current_stream(self._encoder.device).record_event())
        if len(self._ahead) > ROOM:
            self._ahead.popleft().synchronize()

    def _embed_clips(self, orders: list[_Order]) -> None:
        """Embed clips of one length, that follow one another."""
        for start in range(0, len(orders), self._batch_clips):
            part = orders[start : start + self._batch_clips]
            clips = torch.stack([order.clip() for order in part])
            vectors = self._encoder.encode_temporal(clips)
            for order, vector, clip in zip(part, vectors, clips, strict=True):
                order.made.set_result(Clip(vector, clip if order.keep else None))


def _end(work: _Work, thread: threading.Thread) -> None:
    work.close()
    # torch does not bear a thread that is at work when the program ends
    if thread is not threading.current_thread():
        thread.join()


def _told(error: Exception) -> EncoderError:
    """Say in our words what made the encoder fail."""
    if isinstance(error, EncoderError):
        return error
    told = EncoderError(
        "the GPU has too little free memory. End other programs that use it, or give --device cpu."
        if isinstance(error, torch.OutOfMemoryError)
        else f"the encoder failed ({type(error).__name__}: {error}). Try --device cpu and "
        "--precision fp32; if it fails there too, report it, please."
    )
    told.__cause__ = error
    return told
