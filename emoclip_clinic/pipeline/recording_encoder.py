"""One recording to its features: what `encode` does here, or sends to the workers of a cluster."""

from __future__ import annotations

import platform
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emoclip_clinic import features
from emoclip_clinic import weights as store
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.errors import RecordingError, StudyError
from emoclip_clinic.pipeline._stage import Progress, quiet
from emoclip_clinic.segments import SEGMENT_COLUMNS, EncodingProtocol, plan
from emoclip_clinic.study import digest

if TYPE_CHECKING:
    from emoclip_clinic.encoder.model import VideoEncoder
    from emoclip_clinic.video.faces import FaceFinder

__all__ = ["Encoding", "RecordingEncoder"]

BATCH_FRAMES = 32

# a face finder serves one recording at a time, and a worker may have several threads
_one_recording = threading.Lock()


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
    frames: bool = False
    """Whether the embeddings of frames are kept, beside all else, which they do not change."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the features depend on, beside recording and weights."""
        return {"faces": self.faces, "protocol": asdict(self.protocol)}

    def key(self, recording_sha256: str) -> str:
        """Hash all that a recording's features depend on."""
        return digest([recording_sha256, self.encoder_sha256, self.settings])


@dataclass(frozen=True)
class RecordingEncoder:
    """Encodes recordings of a study, a row of recordings.csv at a time."""

    study: Path
    """The study folder, absolute."""
    encoding: Encoding
    """What is encoded how."""
    device: str
    """"auto", "cpu", "cuda" or "cuda:N"."""

    @cached_property
    def model(self) -> VideoEncoder:
        """The encoder, loaded once."""
        return load_encoder(
            self.encoding.encoder, weights_dir=self.encoding.weights, device=self.device
        )

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
        """Encode a recording; one that cannot be read gives what `failed` gives."""
        from emoclip_clinic.encoder.encode import encode_recording
        from emoclip_clinic.video.probe import timestamps
        from emoclip_clinic.video.reader import read_frames

        path, n_frames = self.study / row["path"], row["n_frames_decoded"]
        try:
            times_s = timestamps(path, None if pd.isna(n_frames) else int(n_frames))
            cut = plan(times_s, self.encoding.protocol)
            return encode_recording(
                enumerate(read_frames(path, cut.frames, times_s=times_s)),
                cut,
                self.model,
                self.finder,
                self.encoding.protocol,
                recording=row["recording"],
                batch_size=BATCH_FRAMES,
                progress=lambda done, total: progress("frames", done, total),
                keep_frames=self.encoding.frames,
            )
        except RecordingError as error:
            return self.failed(row, str(error))

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
        with _one_recording:
            return self(row)

    def failed(self, row: Mapping[Any, Any], reason: str) -> features.RecordingFeatures:
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
            frames=np.zeros((0, 0, self.model.dim), np.float32) if self.encoding.frames else None,
        )
