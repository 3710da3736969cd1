"""An encoder at work for several recordings: frames and clips of all of them in shared batches."""

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
AHEAD = 2
"""Batches that a GPU may have before it."""


@dataclass(eq=False)
class EmbeddedFrame:
    """A frame to embed, and then its embedding."""

    number: int
    """Counts frames in the order in which they are embedded."""
    pixels: Frame | None
    """uint8 (height, width, 3) RGB, until it is embedded."""
    vector: torch.Tensor | None = None
    """(dim,), on the encoder's device."""


@dataclass(frozen=True, eq=False)
class Clip:
    """What becomes of a clip: tensors on the encoder's device."""

    vector: torch.Tensor
    """(dim,)."""
    frames: torch.Tensor
    """Embeddings of its frames, (time, dim)."""


@dataclass(frozen=True, eq=False)
class _Order:
    """A clip to embed."""

    frames: tuple[EmbeddedFrame, ...]
    last: int
    """Number of the frame that is embedded last."""
    made: Future[Clip] = field(default_factory=Future)

    def clip(self) -> torch.Tensor:
        """Give the embeddings of its frames, (time, dim)."""
        return torch.stack([frame.vector for frame in self.frames if frame.vector is not None])


class BatchedEncoder:
    """An encoder that several recordings share, each from a thread of its own.

    All batches have one size; what is missing is filled with zeros. In a batch of one size a
    frame's embedding is the same, bit by bit, wherever it stands and whatever else is in it: so
    features do not depend on which recordings are at work at once. Frames wait in a queue that
    holds a batch: whoever finds it full waits.

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
        self._work = _Work(
            encoder,
            batch_frames or FRAMES.get(kind, FRAMES[OTHER_DEVICE]),
            batch_clips or CLIPS.get(kind, CLIPS[OTHER_DEVICE]),
        )
        thread = threading.Thread(target=self._work.go, daemon=True)
        # the thread holds the work and not this object, so that it ends when nobody holds this
        self._end = weakref.finalize(self, _end, self._work, thread)
        thread.start()

    @contextlib.contextmanager
    def source(self) -> Iterator[Source]:
        """Take a recording's frames as long as the context lasts; its clips may be made later.

        A batch that is not full waits for more frames while there is a source.
        """
        with self._work.one_more_source():
            yield Source(self._work)

    def close(self) -> None:
        """Do no more; whoever waits for a frame or clip gets an EncoderError."""
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

    def __init__(self, work: _Work) -> None:
        self._work = work

    def frame(self, pixels: Frame) -> EmbeddedFrame:
        """Have a frame embedded: uint8 (height, width, 3) RGB. It is for clips of this source.

        Raises
        ------
        EncoderError
            The encoder failed, for this source or another, or was closed.
        """
        return self._work.add_frame(pixels)

    def clip(self, frames: Sequence[EmbeddedFrame]) -> Future[Clip]:
        """Have a clip of one frame or more embedded, once its frames are."""
        last = max(frame.number for frame in frames)
        return self._work.add_clip(_Order(tuple(frames), last))


class _Work:
    """What waits for the encoder, and the thread that does it."""

    def __init__(self, encoder: VideoEncoder, batch_frames: int, batch_clips: int) -> None:
        self._encoder = encoder
        self._batch_frames, self._batch_clips = batch_frames, batch_clips
        # where this is made, threads may be few; every thread counts them for itself
        self._n_threads = torch.get_num_threads()
        self._changed = threading.Condition()
        self._frames: deque[EmbeddedFrame] = deque()
        self._orders: list[_Order] = []
        self._n_sources = self._n_frames = self._n_embedded = 0
        self._failure: Exception | None = None
        on_gpu = encoder.device.type == "cuda"
        self._copies = torch.cuda.Stream(encoder.device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._ahead: deque[torch.cuda.Event] = deque()

    @contextlib.contextmanager
    def one_more_source(self) -> Iterator[None]:
        with self._changed:
            self._n_sources += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_sources -= 1
                self._changed.notify_all()

    def add_frame(self, pixels: Frame) -> EmbeddedFrame:
        with self._changed:
            self._changed.wait_for(lambda: self._failure or len(self._frames) < self._batch_frames)
            self._raise_failure()
            self._n_frames += 1
            frame = EmbeddedFrame(self._n_frames, pixels)
            self._frames.append(frame)
            self._changed.notify_all()
        return frame

    def add_clip(self, order: _Order) -> Future[Clip]:
        with self._changed:
            self._raise_failure()
            self._orders.append(order)
            self._changed.notify_all()
        return order.made

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self._fail(EncoderError("the encoder was closed before all was encoded."))

    def _fail(self, error: Exception, at_hand: Sequence[_Order] = ()) -> None:
        """Tell everybody who waits, and whoever comes later."""
        with self._changed:
            self._failure = self._failure or error
            waiting, self._orders = [*self._orders, *at_hand], []
            self._frames.clear()
            self._changed.notify_all()
        for order in waiting:
            if not order.made.done():
                order.made.set_exception(error)

    @torch.inference_mode()
    def go(self) -> None:
        """Embed what comes, until it is closed."""
        torch.set_num_threads(self._n_threads)
        while not self._failure:
            frames, orders = self._next()
            try:
                if frames:
                    self._embed_frames(frames)
                for _, group in groupby(orders, key=lambda order: len(order.frames)):
                    self._embed_clips(list(group))
            except torch.OutOfMemoryError as error:
                full = EncoderError(
                    "the GPU has too little free memory. End other programs that use it, or give "
                    "--device cpu."
                )
                full.__cause__ = error
                self._fail(full, orders)
            # raised again in the threads of all recordings, whatever it is
            except Exception as error:
                self._fail(error, orders)

    def _next(self) -> tuple[list[EmbeddedFrame], list[_Order]]:
        """Wait for a batch of frames, or clips whose frames are embedded."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._is_batch() or self._ready())
            frames = []
            if self._is_batch():
                n = min(len(self._frames), self._batch_frames)
                frames = [self._frames.popleft() for _ in range(n)]
            ready = self._ready()
            self._orders = [order for order in self._orders if order not in ready]
            self._changed.notify_all()
        return frames, sorted(ready, key=lambda order: len(order.frames))

    def _is_batch(self) -> bool:
        return len(self._frames) >= (self._batch_frames if self._n_sources else 1)

    def _ready(self) -> list[_Order]:
        return [order for order in self._orders if order.last <= self._n_embedded]

    def _embed_frames(self, frames: list[EmbeddedFrame]) -> None:
        pixels = self._on_device([frame.pixels for frame in frames if frame.pixels is not None])
        vectors = self._encoder.encode_frames(_filled(pixels, self._batch_frames))
        for frame, vector in zip(frames, vectors, strict=False):
            frame.pixels, frame.vector = None, vector
        self._n_embedded = frames[-1].number
        self._wait_for_the_last_but_one()

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
        if len(self._ahead) > AHEAD:
            self._ahead.popleft().synchronize()

    def _embed_clips(self, orders: list[_Order]) -> None:
        """Embed clips of one length."""
        for start in range(0, len(orders), self._batch_clips):
            part = orders[start : start + self._batch_clips]
            clips = torch.stack([order.clip() for order in part])
            vectors = self._encoder.encode_temporal(_filled(clips, self._batch_clips))
            for order, vector, clip in zip(part, vectors, clips, strict=False):
                order.made.set_result(Clip(vector, clip))


def _end(work: _Work, thread: threading.Thread) -> None:
    work.close()
    # torch does not bear a thread that is at work when the program ends
    if thread is not threading.current_thread():
        thread.join()


def _filled(batch: torch.Tensor, n: int) -> torch.Tensor:
    """Add zeros to a batch until it holds `n`."""
    missing = n - len(batch)
    return torch.cat([batch, batch.new_zeros((missing, *batch.shape[1:]))]) if missing else batch
