"""One recording to its features: what `encode` does here, or sends to the workers of a cluster."""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from emoclip_clinic import features
from emoclip_clinic import weights as store
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoding_protocol import EncodingProtocol
from emoclip_clinic.errors import AGAIN, ClinicError, DecoderError, RecordingError, StudyError
from emoclip_clinic.pipeline._stage import Progress, quiet
from emoclip_clinic.pipeline.choosing import Choices, found_id
from emoclip_clinic.pipeline.spoken import Spoken, on_clock
from emoclip_clinic.reviews import Review, leave_out
from emoclip_clinic.segments import SEGMENT_COLUMNS, Plan, plan
from emoclip_clinic.study import digest
from emoclip_clinic.video.decoder import Limits

if TYPE_CHECKING:
    from emoclip_clinic.encoder.batched import BatchedEncoder
    from emoclip_clinic.encoder.likeness import Recogniser
    from emoclip_clinic.encoder.model import VideoEncoder
    from emoclip_clinic.encoder.participant import Choose, Read
    from emoclip_clinic.video.faces import FaceFinder
    from emoclip_clinic.video.people import Person

    Frame = npt.NDArray[np.uint8]

__all__ = ["Encoding", "RecordingEncoder"]

log = logging.getLogger(__name__)

LIBRARIES = ("av", "decord", "open_clip_torch", "opencv-python-headless", "torch")
"""Names on PyPI of what decides the features beside numpy, scipy and pandas."""
INT8_LIBRARIES = ("onnx", "onnxruntime")

# a worker may have several threads
_loading = threading.Lock()


@dataclass(frozen=True)
class Encoding:
    """What is encoded how."""

    encoder: str
    """A registry name, or the path of a checkpoint."""
    faces: str
    """yunet, haar or none."""
    protocol: EncodingProtocol
    """Sampling and windows."""
    weights: Path | None
    """Folder of weights."""
    label: str
    """Name of the folder of features."""
    encoder_sha256: str
    """Of the file of weights."""
    choices: Choices
    """Who is the participant."""
    limits: Limits = field(default_factory=Limits)
    """What reading a recording may take."""
    precision: str = "fp32"
    """Of the encoder's arithmetic: fp32, bf16, fp16 or int8."""
    frames: bool = False
    """Whether the embeddings of frames are kept, beside all else, which they do not change."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the features depend on, beside recording, weights, photos and review."""
        protocol = asdict(self.protocol)
        # a warning changes no vector: it is decided when the tables are written
        del protocol["warn"]
        return {
            "faces": self.faces,
            "protocol": protocol,
            **({} if self.precision == "fp32" else {"precision": self.precision}),
            **self.choices.settings,
        }

    @property
    def libraries(self) -> tuple[str, ...]:
        """What workers have in the version of this machine, by its name on PyPI."""
        return (*LIBRARIES, *INT8_LIBRARIES) if self.precision == "int8" else LIBRARIES

    def key(self, row: Mapping[Any, Any]) -> str:
        """Hash all that the features of a recording, a row of recordings.csv, depend on."""
        spoken: Spoken | None = row.get("turns")
        turns = [[spoken.stretches, spoken.reason]] if spoken else []
        choice = self.choices.key(row["recording"])
        return digest([row["sha256"], self.encoder_sha256, self.settings, choice, *turns])


class Planned(NamedTuple):
    """What is read of a recording."""

    cut: Plan
    """The windows."""
    times_s: npt.NDArray[np.float64]
    """Of the frames of the plan."""
    every_s: npt.NDArray[np.float64]
    """Times of all frames of the recording."""
    read: Read
    """Reads those of the plan, by position."""


@dataclass(frozen=True)
class RecordingEncoder:
    """Encodes recordings of a study, a row of recordings.csv at a time; for one thread."""

    study: Path
    """The study folder, absolute."""
    encoding: Encoding
    """What is encoded how."""
    device: str
    """"auto", "cpu", "cuda" or "cuda:N"."""
    shared: BatchedEncoder | None = None
    """The encoder, where others have loaded it and use it too."""

    @cached_property
    def batched(self) -> BatchedEncoder:
        """The encoder, loaded once, with which several recordings can be encoded at once."""
        from emoclip_clinic.encoder.batched import BatchedEncoder

        return self.shared or BatchedEncoder(
            load_encoder(
                self.encoding.encoder,
                weights_dir=self.encoding.weights,
                device=self.device,
                precision=self.encoding.precision,
            )
        )

    @property
    def model(self) -> VideoEncoder:
        """The encoder."""
        return self.batched.encoder

    @cached_property
    def finder(self) -> FaceFinder:
        """The finder of faces, loaded once."""
        from emoclip_clinic.video.faces import load_face_finder

        name = self.encoding.faces
        path = store.path("yunet", self.encoding.weights) if name == "yunet" else None
        return load_face_finder(name, path)

    def __call__(
        self, row: Mapping[Any, Any], progress: Progress = quiet
    ) -> features.RecordingFeatures:
        """Encode a recording, or the turns that `row["turns"]` (`Spoken`) holds.

        One that cannot be read, has no turns, or that the program fails on, gives what `failed`
        gives.
        """
        from emoclip_clinic.encoder.participant import encode_participant

        try:
            cut, _, every_s, read = self.planned(row)
            return encode_participant(
                read,
                cut,
                self.batched,
                self.finder,
                self.encoding.protocol,
                self._chooser(row, cut, read),
                recording=row["recording"],
                times_s=every_s,
                progress=lambda done, total: progress("frames", done, total),
                keep_frames=self.encoding.frames,
            )
        except RecordingError as error:
            return self.failed(row, str(error), final=not isinstance(error, DecoderError))
        except ClinicError:
            # it is of the encoder, and so of every recording
            raise
        except Exception as error:
            log.exception("recording %s", row["recording"])
            reason = (
                f"the program failed on it ({type(error).__name__}): report it, please; {AGAIN}"
            )
            return self.failed(row, reason, final=False)

    def planned(self, row: Mapping[Any, Any]) -> Planned:
        """Plan the windows of a recording, and give what reads its frames.

        Raises
        ------
        RecordingError
            It cannot be read, or has no turns.
        """
        from emoclip_clinic.video.isolated import read_frames, timestamps

        spoken: Spoken | None = row.get("turns")
        if spoken and spoken.reason:
            raise RecordingError(spoken.reason)
        path, limits = self.study / row["path"], self.encoding.limits
        n_known = None if pd.isna(row["n_frames_decoded"]) else int(row["n_frames_decoded"])
        with _as_before(n_known):
            times_s = timestamps(path, n_known, limits=limits)
            stretches = on_clock(spoken, path, limits) if spoken else None
        if n_known not in (None, len(times_s)):
            raise DecoderError(f"other frames decode than when it was examined; {AGAIN}")
        cut = plan(times_s, self.encoding.protocol, stretches)
        review = self.encoding.choices.reviews.get(row["recording"], Review())
        cut = leave_out(cut, review.stretches)

        def read(positions: Sequence[int]) -> Iterator[Frame]:
            with _as_before(n_known):
                yield from read_frames(
                    path, cut.frames[list(positions)], times_s=times_s, limits=limits
                )

        return Planned(cut, times_s[cut.frames], times_s, read)

    def found(self, row: Mapping[Any, Any], cut: Plan) -> str:
        """Name the people that are found in a recording."""
        return found_id(row["sha256"], self.encoding.faces, self.encoding.protocol, cut)

    def _chooser(self, row: Mapping[Any, Any], cut: Plan, read: Read) -> Choose:
        from emoclip_clinic.encoder.likeness import choose_like

        choices, found = self.encoding.choices, self.found(row, cut)

        def like(people: tuple[Person, ...], photo: Path) -> Person:
            return choose_like(people, photo, read, self.finder, self.recognisers)

        return lambda people: choices.choose(row["recording"], people, found, like)

    @cached_property
    def recognisers(self) -> list[Recogniser]:
        """What compares faces with a photo, loaded once."""
        from emoclip_clinic.encoder.likeness import by_look, image_tower, sface
        from emoclip_clinic.video.sface import SFace

        folder = self.encoding.weights
        if self.encoding.choices.recogniser == "sface":
            return [sface(SFace(store.path("sface", folder), store.path("yunet", folder)))]
        return [image_tower(self.model), by_look()]

    def elsewhere(self, row: Mapping[Any, Any]) -> features.RecordingFeatures:
        """Encode a recording on a worker.

        Raises
        ------
        StudyError
            The worker does not see the recording.
        """
        path = self.study / row["path"]
        if not path.is_file():
            raise StudyError(
                f"{platform.node()} does not see {path}. The workers read the recordings "
                "themselves: put the study and its recordings where all see them by the same path."
            )
        with _loading:
            batched = self.batched
        # a face finder serves one recording at a time
        return replace(self, shared=batched)(row)

    def failed(
        self, row: Mapping[Any, Any], reason: str, *, final: bool = True
    ) -> features.RecordingFeatures:
        """Give no vectors, and a segment over the whole recording that says why."""
        name, stop_s = row["recording"], float(row["duration_s"])
        segment = (name, 0, 0.0, stop_s, 0, float("nan"), False, "excluded", reason)
        return features.RecordingFeatures(
            recording=name,
            encoder=self.model.name,
            fingerprint=self.model.fingerprint,
            segments=pd.DataFrame([segment], columns=list(SEGMENT_COLUMNS)),
            vectors=np.zeros((0, self.model.dim), np.float32),
            notice=self.model.notice,
            final=final,
            frames=np.zeros((0, 0, self.model.dim), np.float32) if self.encoding.frames else None,
        )


@contextlib.contextmanager
def _as_before(n_known: int | None) -> Iterator[None]:
    """Expect of what could be read to its end before that it can be read again: a drive is away."""
    try:
        yield
    except RecordingError as error:
        if n_known is None or isinstance(error, DecoderError):
            raise
        raise DecoderError(str(error)) from error
