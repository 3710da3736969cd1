from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic import features
from emoclip_clinic.encoder.batched import BatchedEncoder
from emoclip_clinic.encoder.encode import encode_recording
from emoclip_clinic.encoder.model import Architecture, VideoEncoder
from emoclip_clinic.encoding_protocol import EncodingProtocol, read_protocol
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.flags import WarningLimits, flagged
from emoclip_clinic.segments import Plan, Segment, plan
from emoclip_clinic.video.faces import Box, WholeFrame, crop_square, load_face_finder
from emoclip_clinic.video.probe import timestamps
from emoclip_clinic.video.reader import read_frames

Frame = npt.NDArray[np.uint8]

PROTOCOL = EncodingProtocol(
    every_nth=1, window_frames=8, stride_frames=3, bridge_frames=2, face_margin=0.25
)
TOLERANCE = 1e-5


def small_encoder() -> VideoEncoder:
    torch.manual_seed(5)
    architecture = Architecture(
        dim=16,
        image_size=16,
        patch_size=8,
        vision_width=16,
        vision_layers=1,
        vision_heads=1,
        text_layers=0,
        temporal_heads=2,
        temporal_head_width=8,
        temporal_mlp_width=16,
        positions=40,
    )
    return VideoEncoder(architecture).eval().requires_grad_(False)


ENCODER = small_encoder()
BATCHED = BatchedEncoder(ENCODER, 5)


class BrightSquares:
    """Finds the bright squares that `picture` draws: a face finder whose truth is known."""

    def find(self, frame: Frame) -> list[Box]:
        """Give a box in each half, upper and lower, that holds bright pixels."""
        boxes = []
        for top in (0, HALF):
            rows, columns = np.nonzero(frame[top : top + HALF, :, 0] > 200)
            if len(rows):
                x, y = float(columns.min()), float(top + rows.min())
                boxes.append(Box(x, y, float(np.ptp(columns) + 1), float(np.ptp(rows) + 1), 1.0))
        return boxes


HALF = 24


def picture(number: int, face: bool, others: bool = False) -> Frame:
    """Draw noise, a bright square that wanders and grows, and a smaller one of another person."""
    rng = np.random.default_rng(number)
    frame = rng.integers(0, 150, (2 * HALF, 60, 3), dtype=np.uint8)
    if face:
        left, side = 5 + number % 40, 6 + number % 7
        frame[4 : 4 + side, left : left + side] = rng.integers(201, 256, (side, side, 3))
    if others:
        frame[30:34, 20:24] = 255
    return frame


def pictures(faces: list[bool]) -> list[Frame]:
    return [picture(number, face) for number, face in enumerate(faces)]


def made_plan(n: int, protocol: EncodingProtocol = PROTOCOL) -> Plan:
    return plan(np.arange(n) / 25, protocol)


def encoded(
    frames: list[Frame],
    whole: Plan,
    protocol: EncodingProtocol = PROTOCOL,
    batched: BatchedEncoder = BATCHED,
) -> features.RecordingFeatures:
    chosen = ((place, frames[number]) for place, number in enumerate(whole.frames))
    return encode_recording(
        chosen,
        whole,
        batched,
        BrightSquares(),
        protocol,
        recording="sub-1_ses-01",
    )


def direct(frames: list[Frame], faces: list[bool], positions: tuple[int, ...]) -> torch.Tensor:
    """Encode one window by the definition: all its crops at once, nothing streamed."""
    finder, inside = BrightSquares(), set(positions)
    boxes = {p: finder.find(frames[p])[0] for p in inside if faces[p]}
    for p in inside - boxes.keys():
        before = max((q for q in boxes if q < p and faces[q]), default=None)
        after = min((q for q in boxes if q > p and faces[q]), default=None)
        if before is None or after is None or after - before - 1 > PROTOCOL.bridge_frames:
            continue
        one, other, share = boxes[before], boxes[after], (p - before) / (after - before)
        sides = [(1 - share) * getattr(one, k) + share * getattr(other, k) for k in "xywh"]
        boxes[p] = Box(*sides, 0.0)
    size, margin = ENCODER.image_size, PROTOCOL.face_margin
    crops = [crop_square(frames[p], boxes[p], margin, size) for p in positions if p in boxes]
    return ENCODER.encode_video(ENCODER.preprocess(np.stack(crops))[None])[0]


presence = st.lists(st.sampled_from([True, True, True, False]), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(faces=presence, batch_size=st.sampled_from([1, 5, 64]))
def test_streaming_is_the_definition(faces: list[bool], batch_size: int) -> None:
    """Every used window has the vector that encoding its own crops at once gives."""
    frames, whole = pictures(faces), made_plan(len(faces))
    with BatchedEncoder(ENCODER, batch_size) as batched:
        result = encoded(frames, whole, batched=batched)
    table = result.segments
    assert len(table) == len(whole.segments)
    used = table.index[table["status"] == "used"]
    assert len(used) == len(result.vectors)
    for vector, number in zip(result.vectors, used, strict=True):
        expected = direct(frames, faces, whole.segments[number].positions)
        np.testing.assert_allclose(vector, expected, atol=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(faces=presence)
def test_a_window_is_the_same_alone_and_within_its_recording(faces: list[bool]) -> None:
    """A window that is encoded alone, as its own recording, has the same row and vector."""
    frames, whole = pictures(faces), made_plan(len(faces))
    within = encoded(frames, whole)
    used = iter(within.vectors)
    for number, segment in enumerate(whole.segments):
        first = min(segment.positions)
        own = Segment(
            start_s=segment.start_s,
            stop_s=segment.stop_s,
            positions=tuple(position - first for position in segment.positions),
            n_frames=segment.n_frames,
            reason=segment.reason,
        )
        alone = encoded(frames, Plan(whole.frames[first : max(segment.positions) + 1], (own,)))
        row, same = within.segments.loc[number], alone.segments.loc[0]
        assert row.drop("window").equals(same.drop("window"))
        if row["status"] == "used":
            np.testing.assert_allclose(next(used), alone.vectors[0], atol=TOLERANCE)


def test_windows_without_enough_faces_are_excluded() -> None:
    """Below the fraction a window is a row with its reason; at the fraction it is used."""
    faces = [True] * 4 + [False] * 4 + [True] * 3 + [False] * 5 + [False] * 8
    protocol = EncodingProtocol(every_nth=1, window_frames=8, stride_frames=8)
    table = encoded(pictures(faces), made_plan(24, protocol), protocol).segments
    assert table["face_fraction"].tolist() == [4 / 8, 3 / 8, 0]
    assert table["status"].tolist() == ["used", "excluded", "excluded"]
    assert table["reason"].tolist() == ["", "too few frames with a face", "no face found"]


def test_interpolated_and_reflected_frames_do_not_count_as_seen() -> None:
    """face_fraction is of the recording's own frames with a detection."""
    faces = [True, False, True, False, False]
    (row,) = encoded(pictures(faces), made_plan(5)).segments.to_dict("records")
    assert row["padded"]
    assert row["n_frames"] == 5
    assert row["face_fraction"] == 2 / 5


def test_recording_that_ends_early_is_said() -> None:
    """Where frames stop coming, windows are excluded because of that, not for want of a face."""
    protocol = EncodingProtocol(every_nth=1, window_frames=8, stride_frames=8)
    whole = made_plan(24, protocol)
    result = encode_recording(
        enumerate(pictures([True] * 8)), whole, BATCHED, BrightSquares(), protocol, recording="a"
    )
    assert result.segments["reason"].tolist() == ["", *["frames could not be decoded"] * 2]
    assert len(result.vectors) == 1


def test_each_frame_is_looked_at_and_embedded_once() -> None:
    """However windows overlap, the face finder and the image tower see each frame once."""
    seen: list[int] = []

    class Counting(BrightSquares):
        def find(self, frame: Frame) -> list[Box]:
            seen.append(1)
            return super().find(frame)

    embedded: list[int] = []
    handle = ENCODER.backbone.visual.register_forward_pre_hook(
        lambda _, inputs: embedded.append(len(inputs[0]))
    )
    progress: list[tuple[int, int]] = []
    with BatchedEncoder(ENCODER, 7) as batched:
        encode_recording(
            enumerate(pictures([True] * 30)),
            made_plan(30),
            batched,
            Counting(),
            PROTOCOL,
            recording="a",
            progress=lambda *at: progress.append(at),
        )
    handle.remove()
    assert len(seen) == 30
    assert embedded == [7, 7, 7, 7, 2]
    assert progress == [(done, 30) for done in range(1, 31)]


@pytest.mark.parametrize("every", [1, 2, 50])
def test_memory_does_not_grow_with_length(every: int) -> None:
    """The number of frames alive at once is the same for a short and a long recording."""

    def most_alive(n: int) -> int:
        alive: set[int] = set()
        most = 0

        def frames() -> Iterator[tuple[int, Frame]]:
            nonlocal most
            for number in range(n):
                one = picture(number, face=number % every == 0)
                alive.add(number)
                weakref.finalize(one, alive.discard, number)
                yield number, one
                del one
                most = max(most, len(alive))

        encode_recording(frames(), made_plan(n), BATCHED, BrightSquares(), PROTOCOL, recording="a")
        gc.collect()
        return most

    assert most_alive(300) == most_alive(60) <= PROTOCOL.bridge_frames + 4


def test_whole_frames_are_prepared_as_the_reference_does() -> None:
    """For recordings of face crops the frame itself is the input: no box, no second crop."""
    frames = pictures([True] * 8)
    whole = made_plan(8)
    result = encode_recording(
        enumerate(frames), whole, BATCHED, WholeFrame(), PROTOCOL, recording="a"
    )
    expected = ENCODER.encode_video(ENCODER.preprocess(np.stack(frames))[None])
    np.testing.assert_allclose(result.vectors, expected, atol=TOLERANCE)


def test_quality_is_measured() -> None:
    """Fractions of frames with a face and with several, size of the face, brightness: the truth."""
    frames = [picture(7 * n, face=n < 16, others=n < 4) for n in range(20)]
    measured = encoded(frames, made_plan(20)).quality
    table = flagged(measured, WarningLimits()).set_index("measure")
    assert table.loc["face_fraction", "value"] == pytest.approx(16 / 20)
    assert table.loc["several_faces", "value"] == pytest.approx(4 / 20)
    assert table.loc["several_faces", "flag"] == "warn"
    # every 7th square has a side of 6
    assert table.loc["face_size_px", "value"] == pytest.approx(6)
    assert table.loc["face_size_px", "note"] == "small face"
    assert 0 < table.loc["face_brightness", "value"] < 1


def test_recording_without_a_face_has_missing_quality() -> None:
    """Where nobody is seen the size of a face is missing, not zero, and nothing is used."""
    result = encoded(pictures([False] * 9), made_plan(9))
    assert result.vectors.shape == (0, ENCODER.dim)
    assert result.quality.set_index("measure").loc["face_size_px", "value"] != 0
    unknown = result.quality.set_index("measure")["value"].isna()
    seen = {"face_fraction", "several_faces", "frozen_fraction"}
    assert set(unknown.index[~unknown]) == seen


@pytest.mark.parametrize("name", ["backbone.visual.proj", "temporal.cls_token"])
def test_a_vector_that_is_no_number_is_an_error(name: str) -> None:
    """NaN from either part of the encoder stops the recording with a message."""
    broken = small_encoder()
    broken.get_parameter(name).fill_(torch.nan)
    with pytest.raises(EncoderError, match="not a finite number"):
        encode_recording(
            enumerate(pictures([True] * 8)),
            made_plan(8),
            BatchedEncoder(broken),
            BrightSquares(),
            PROTOCOL,
            recording="a",
        )


def test_real_recording_with_and_without_a_face(shared: Path) -> None:
    """A telephone's clip of variable rate, from whose second part the person has gone."""
    video = shared / "videos" / "face_noface.mov"
    finder = load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")
    protocol = read_protocol("emoclip")
    times_s = timestamps(video)
    whole = plan(times_s, protocol)
    frames = enumerate(read_frames(video, whole.frames, times_s=times_s))
    result = encode_recording(frames, whole, BATCHED, finder, protocol, recording="a")
    first, second = result.segments["face_fraction"]
    assert first == pytest.approx(0.5, abs=0.1)
    assert second < 0.1
    assert result.segments["status"].tolist() == ["excluded", "excluded"]


def test_real_recording_is_written_and_read(shared: Path, tmp_path: Path) -> None:
    """A short clip with a face throughout: one padded window, its vector kept bit for bit."""
    video = shared / "videos" / "single_face.mp4"
    finder = load_face_finder("yunet", shared / "weights" / "face_detection_yunet_2023mar.onnx")
    protocol = read_protocol("emoclip")
    whole = plan(timestamps(video), protocol)
    frames = enumerate(read_frames(video, whole.frames))
    result = encode_recording(frames, whole, BATCHED, finder, protocol, recording="a")
    assert result.segments[["face_fraction", "padded", "status"]].values.tolist() == [
        [1.0, True, "used"]
    ]
    features.write(tmp_path / "a.safetensors", result)
    back = features.read(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.vectors, result.vectors)
