"""Quality of windows: spoilt copies of a drawn recording are told from the recording itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from emoclip_clinic import features
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.encode import encode_recording
from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.flags import WarningLimits, flagged
from emoclip_clinic.quality import MEASURES, WINDOW_COLUMNS, QualityLimits
from emoclip_clinic.segments import OUTSIDE, plan
from emoclip_clinic.video.faces import Box, FaceFinder, WholeFrame, load_face_finder
from emoclip_clinic.video.probe import timestamps
from emoclip_clinic.video.reader import read_frames

Frame = npt.NDArray[np.uint8]

PROTOCOL = EncodingProtocol(every_nth=1, window_frames=8, stride_frames=8)
BATCHED = BatchedEncoder(load_encoder("emoclip-demo", device="cpu"))


class InTheMiddle:
    """Finds a face of 40 x 90 pixels in every frame: a size whose truth is known."""

    def find(self, frame: Frame) -> list[Box]:
        """Give the box about the middle."""
        height, width = frame.shape[:2]
        return [Box(width / 2 - 20, height / 2 - 45, 40, 90, 1)]


def drawn(n: int = 16, seed: int = 0) -> list[Frame]:
    """Draw texture that moves a pixel a frame, with camera noise."""
    rng = np.random.default_rng(seed)
    still = cv2.resize(rng.uniform(60, 190, (24, 24)), (120, 120)).astype(np.float64)
    frames = []
    for number in range(n):
        noisy = np.roll(still, number, axis=1)[..., None] + rng.normal(0, 2, (120, 120, 3))
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


def encoded(
    frames: Sequence[Frame],
    protocol: EncodingProtocol = PROTOCOL,
    finder: FaceFinder | None = None,
    times_s: npt.ArrayLike = (),
) -> features.RecordingFeatures:
    whole = plan(np.arange(len(frames)) / 25 if not len(np.asarray(times_s)) else times_s, protocol)
    chosen = ((place, frames[number]) for place, number in enumerate(whole.frames))
    return encode_recording(
        chosen, whole, BATCHED, finder or InTheMiddle(), protocol, recording="a", times_s=times_s
    )


def spoilt(spoil: Callable[[Frame], Frame]) -> list[Frame]:
    """Spoil the second half of the recording: its second window."""
    frames = drawn()
    return [*frames[:8], *(spoil(frame) for frame in frames[8:])]


def test_a_row_a_window_with_every_measure() -> None:
    """In the order of the segments; the size is the drawn one."""
    made = encoded(drawn())
    table = made.window_quality
    assert list(table.columns) == list(WINDOW_COLUMNS)
    assert table["window"].tolist() == made.segments["window"].tolist() == [0, 1]
    assert table["face_size_px"].tolist() == pytest.approx([60, 60])
    assert table["face_fraction"].tolist() == [1, 1]
    assert table[["roll_deg", "yaw", "longest_gap_s"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("measure", "spoil", "sign"),
    [
        ("face_sharpness", lambda frame: cv2.GaussianBlur(frame, (0, 0), 4), -1),
        ("face_brightness", lambda frame: (frame * 0.3).astype(np.uint8), -1),
        ("face_brightness", lambda frame: np.minimum(frame.astype(int) + 60, 255).astype("u1"), 1),
        ("face_clipped", lambda frame: np.where(frame < 120, 0, frame).astype("u1"), 1),
    ],
    ids=["blurred", "darkened", "brightened", "crushed"],
)
def test_a_spoilt_copy_is_seen_in_its_window_alone(
    measure: str, spoil: Callable[[Frame], Frame], sign: int
) -> None:
    """The first window is as in the whole recording, the second is worse by a third or more."""
    whole, half = (encoded(frames).window_quality for frames in (drawn(), spoilt(spoil)))
    pd.testing.assert_series_equal(whole.loc[0], half.loc[0])
    before, after = whole.loc[1, measure], half.loc[1, measure]
    assert sign * (after - before) > 0.2 * max(before, 0.2)


def test_frozen_frames_are_counted() -> None:
    """Five frames that repeat the one before, of the seven that have one before in the window."""
    frames = drawn()
    frames[3:8] = [frames[2]] * 5
    made = encoded(frames)
    assert made.window_quality["frozen_fraction"].tolist() == pytest.approx([5 / 7, 0])
    own = flagged(made.quality, WarningLimits()).set_index("measure").loc["frozen_fraction"]
    assert own["value"] == pytest.approx(5 / 15)
    assert own["note"] == "frozen frames"


def test_the_memory_of_frames_may_be_used_again() -> None:
    """A reader that writes every frame into the same array freezes nothing."""
    frames, shared_memory = drawn(), np.empty((120, 120, 3), np.uint8)

    def reader() -> object:
        for number, frame in enumerate(frames):
            np.copyto(shared_memory, frame)
            yield number, shared_memory

    whole = plan(np.arange(16) / 25, PROTOCOL)
    made = encode_recording(
        reader(),  # type: ignore[arg-type]
        whole, BATCHED, InTheMiddle(), replace(PROTOCOL, bridge_frames=0), recording="a",
    )  # fmt: skip
    assert made.window_quality["frozen_fraction"].tolist() == [0, 0]


def test_dropped_frames_are_a_gap_in_time() -> None:
    """By presentation time: two seconds are missing from the second window."""
    times_s = np.concatenate([np.arange(12) / 25, 2.4 + np.arange(4) / 25])
    table = encoded(drawn(), times_s=times_s).window_quality
    assert table["longest_gap_s"].tolist() == pytest.approx([0.04, 2.4 - 11 / 25])


def test_a_window_beyond_a_limit_is_excluded_with_value_and_limit() -> None:
    """The others keep their vectors, bit for bit."""
    frames = spoilt(lambda frame: (frame * 0.3).astype(np.uint8))
    free = encoded(frames)
    limits = QualityLimits(min_face_brightness=0.3)
    made = encoded(frames, replace(PROTOCOL, quality=limits))
    assert free.segments["status"].tolist() == ["used", "used"]
    assert made.segments["status"].tolist() == ["used", "excluded"]
    value = free.window_quality.loc[1, "face_brightness"]
    assert value < 0.3
    assert made.segments["reason"].tolist() == [
        "", f"brightness of the face: {value:.6g}; allowed: 0.3 or more",
    ]  # fmt: skip
    np.testing.assert_array_equal(made.vectors, free.vectors[:1])
    measures = [measure.name for measure in MEASURES]
    pd.testing.assert_frame_equal(made.window_quality[measures], free.window_quality[measures])


def test_measures_are_kept_with_the_features(tmp_path: Path) -> None:
    """Full precision, what is not known stays so."""
    made = encoded(drawn())
    features.write(tmp_path / "a.safetensors", made)
    back = features.read(tmp_path / "a.safetensors")
    pd.testing.assert_frame_equal(back.window_quality, made.window_quality)


def test_what_was_not_read_has_no_measures() -> None:
    """Outside the participant's turns nothing is known; the turn's own windows are measured."""
    whole = plan(np.arange(24) / 25, PROTOCOL, [(8 / 25, 16 / 25)])
    frames = drawn(24)
    chosen = ((place, frames[number]) for place, number in enumerate(whole.frames))
    made = encode_recording(chosen, whole, BATCHED, InTheMiddle(), PROTOCOL, recording="a")
    outside = made.segments["reason"].eq(OUTSIDE)
    measures = made.window_quality[[measure.name for measure in MEASURES]]
    assert outside.tolist() == [True, False, True]
    assert measures[outside].isna().all(axis=None)
    assert measures.loc[~outside, "face_size_px"].tolist() == pytest.approx([60])


def test_whole_frames_are_faces_of_their_size() -> None:
    """For recordings of face crops."""
    table = encoded(drawn(), finder=WholeFrame()).window_quality
    assert table["face_size_px"].tolist() == pytest.approx([120, 120])


def test_a_real_recording_is_measured(shared: Path) -> None:
    """A sharp, well lit face that looks into the camera: nothing warns, and the pose is known."""
    video = shared / "videos" / "single_face.mp4"
    finder = load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")
    protocol, times_s = read_protocol("emoclip"), timestamps(video)
    whole = plan(times_s, protocol)
    frames = enumerate(read_frames(video, whole.frames, times_s=times_s))
    made = encode_recording(
        frames, whole, BATCHED, finder, protocol, recording="a", times_s=times_s
    )
    assert (flagged(made.quality, WarningLimits())["flag"] == "ok").all()
    (row,) = made.window_quality.to_dict("records")
    assert 150 < row["face_size_px"] < 220
    assert row["roll_deg"] < 10
    assert row["yaw"] < 0.2
    assert row["frozen_fraction"] == 0
    assert row["longest_gap_s"] == pytest.approx(1 / 30, abs=0.002)
