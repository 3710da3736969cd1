"""What is really in a video file."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from videos import frame_number, numbered_frames, wipe_frames, write_audio, write_video

from emoclip_clinic.errors import RecordingError
from emoclip_clinic.video.container import decode_frames, open_video
from emoclip_clinic.video.probe import is_variable_rate, probe, timestamps

FRAMES = numbered_frames(50)
IRREGULAR = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 50)) + 0.3
INTRA = {"g": "1", "bf": "0"}


@pytest.mark.parametrize(
    ("name", "codec", "container", "canonical"),
    [
        ("a.mp4", "libx264", "mov", "h264"),
        ("a.mov", "libx264", "mov", "h264"),
        ("a.m4v", "mpeg4", "mov", "mpeg4"),
        ("a.mkv", "libx264", "matroska", "h264"),
        ("a.webm", "libvpx", "matroska", "vp8"),
        ("a.avi", "mpeg4", "avi", "mpeg4"),
        ("a.mts", "libx264", "mpegts", "h264"),
    ],
)
def test_containers(tmp_path: Path, name: str, codec: str, container: str, canonical: str) -> None:
    """Every kind of recording gives its facts and the times of its frames."""
    facts = probe(write_video(tmp_path / name, FRAMES, codec=codec))
    assert (facts.container, facts.codec) == (container, canonical)
    assert (facts.width, facts.height, facts.rotation_deg) == (128, 96, 0)
    assert facts.n_frames_decoded == 50
    assert facts.n_frames_header in (50, None)
    assert facts.times_s == pytest.approx(np.arange(50) / 25, abs=1e-3)
    assert facts.duration_s == pytest.approx(2, abs=2e-3)
    assert facts.fps_mean == pytest.approx(25, abs=0.02)
    assert (facts.variable_rate, facts.timed, facts.has_audio) == (False, True, False)
    assert (facts.n_disordered, facts.damage_s) == (0, ())


def test_irregular_times_are_the_files_own(tmp_path: Path) -> None:
    """A variable rate is seen, and the times are those written, from the first frame's on."""
    path = write_video(tmp_path / "a.mp4", FRAMES, pts=IRREGULAR)
    facts = probe(path)
    assert facts.variable_rate
    assert facts.times_s == pytest.approx(IRREGULAR - IRREGULAR[0], abs=1e-4)
    steps = np.diff(IRREGULAR)
    assert facts.duration_s == pytest.approx(steps.sum() + np.median(steps), abs=1e-4)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mts"])
def test_listed_times_are_the_decoded_ones(tmp_path: Path, name: str) -> None:
    """Times taken without decoding equal those of decoding, B-frames and all."""
    path = write_video(tmp_path / name, FRAMES, pts=IRREGULAR)
    assert np.array_equal(timestamps(path, 50), timestamps(path))
    assert np.array_equal(probe(path, decode=False).times_s, timestamps(path))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_of_the_display_matrix(tmp_path: Path, rotation: int) -> None:
    """The size is that of the upright picture."""
    facts = probe(write_video(tmp_path / "a.mp4", FRAMES[:3], rotation=rotation))
    assert facts.rotation_deg == rotation
    assert (facts.width, facts.height) == ((96, 128) if rotation != 180 else (128, 96))


def test_rotation_of_the_old_tag(tmp_path: Path) -> None:
    """A file without a matrix may have a `rotate` tag."""
    write_video(tmp_path / "a.mkv", FRAMES[:3])
    with av.open(str(tmp_path / "a.mkv")) as source, av.open(str(tmp_path / "b.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.metadata["rotate"] = "90"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    assert probe(tmp_path / "b.mkv").rotation_deg == 90


def test_sound_beside_the_picture(tmp_path: Path) -> None:
    """Audio is noted and changes nothing else: here it is longer than the picture."""
    facts = probe(write_video(tmp_path / "a.mp4", FRAMES[:10], audio=True))
    assert facts.has_audio
    assert facts.duration_s == pytest.approx(0.4)


def test_interlaced_and_stretched_pixels(tmp_path: Path) -> None:
    """What camcorders do to the picture is noted."""
    options = {"flags": "+ildct", "x264-params": "tff=1:sar=16/11"}
    facts = probe(write_video(tmp_path / "a.mts", FRAMES[:10], options=options))
    assert facts.interlaced_share == 1
    assert facts.pixel_aspect == pytest.approx(16 / 11)


@pytest.mark.parametrize("level", [0, 255])
def test_brightness_is_the_grey_level(tmp_path: Path, level: int) -> None:
    """Black is 0 and white 255, whatever range the file stores; a plain picture has no edges."""
    frames = [np.full((96, 128, 3), level, np.uint8)] * 5
    facts = probe(write_video(tmp_path / "a.mp4", frames))
    assert facts.brightness == pytest.approx(level, abs=1)
    assert facts.sharpness == pytest.approx(0, abs=0.1)


def test_frames_that_do_not_decode_are_missing(tmp_path: Path) -> None:
    """A file that decodes partly keeps the rest with its own times, and says where it broke."""
    path = write_video(tmp_path / "a.mp4", FRAMES, options=INTRA)
    wipe_frames(path, range(20, 25))
    facts = probe(path)
    assert (facts.n_frames_header, facts.n_frames_decoded) == (50, 45)
    assert len(facts.damage_s) == 5
    assert facts.damage_s[0] == pytest.approx(20 / 25)
    kept = [*range(20), *range(25, 50)]
    assert facts.times_s == pytest.approx(np.array(kept) / 25)
    with open_video(path) as (container, stream):
        pictures = [frame.to_ndarray(format="rgb24") for frame in decode_frames(container, stream)]
    assert [frame_number(picture) for picture in pictures] == kept
    # the list of times is not trusted where it is longer than what decodes
    assert np.array_equal(timestamps(path, 45), facts.times_s)


def test_a_file_cut_short_counts_what_is_left(tmp_path: Path) -> None:
    """More than half is usable; less is truncated."""
    index_first = {"movflags": "faststart"}
    path = write_video(tmp_path / "a.mp4", FRAMES, options=INTRA, container_options=index_first)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    facts = probe(path)
    assert facts.n_frames_header == 50
    assert 30 < (facts.n_frames_decoded or 0) < 40
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(RecordingError, match=r"half of its frames decode \(1\d of 50\)$"):
        probe(path)


def test_a_matroska_cut_short_is_known_by_its_duration(tmp_path: Path) -> None:
    """Where no count is in the header, its duration is what it promises."""
    path = write_video(tmp_path / "a.mkv", FRAMES, options=INTRA)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    with pytest.raises(RecordingError, match=r"half of its duration decodes \(0\.\d of 2\.0 s\)$"):
        probe(path)


def broken(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "a.mp4"
    if kind == "audio":
        return write_audio(path)
    content = write_video(path, FRAMES, options=INTRA).read_bytes()
    contents = {
        "empty": b"",
        "text": b"Interview notes, not a film.\n" * 50,
        "playlist": f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'b.mp4'}\n#EXT-X-ENDLIST\n".encode(),
        "list": f"ffconcat version 1.0\nfile '{tmp_path / 'b.mp4'}'\n".encode(),
        "no index": content[: content.index(b"moov") - 4],
        "a few bytes": content[:20],
    }
    shutil.copy(path, tmp_path / "b.mp4")
    path.write_bytes(contents.get(kind, content))
    if kind == "wiped":
        wipe_frames(path, range(50))
    if kind == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty file (zero bytes)"),
        ("text", "not a video file"),
        ("playlist", "not a video file"),
        ("list", "not a video file"),
        ("audio", "no video stream (audio only)"),
        ("no index", "truncated: its index is missing or damaged (mp4 or mov)"),
        ("a few bytes", "truncated: its index is missing or damaged (mp4 or mov)"),
        ("wiped", "no frame decodes"),
        ("missing", "the file cannot be opened: No such file or directory"),
    ],
)
def test_what_cannot_be_used_has_a_short_reason(tmp_path: Path, kind: str, reason: str) -> None:
    """The reason says what is wrong and never names the file."""
    path = broken(tmp_path, kind)
    for decode in (True, False):
        with pytest.raises(RecordingError) as caught:
            probe(path, decode)
        assert str(caught.value) == reason


@pytest.mark.parametrize("name", ["-dash.mp4", "a b.mp4", "Zoë ünd.mp4", "http:x.mp4", "%d.mp4"])
def test_any_file_name_opens(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is never taken for an option, an address or a pattern, relative paths included."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "made.mp4", FRAMES[:3])
    (tmp_path / "made.mp4").rename(name)
    assert probe(Path(name)).n_frames_decoded == 3


def test_damaged_bits_never_crash(tmp_path: Path) -> None:
    """Of 40 seeded mutations each is a Probe or a RecordingError, and reads the same twice."""
    content = write_video(tmp_path / "a.mp4", numbered_frames(25, 64, 96), audio=True).read_bytes()
    path = tmp_path / "mutated.mp4"
    rng = np.random.default_rng(20)
    outcomes = []
    for _ in range(40):
        mutated = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(0, len(content), rng.choice([1, 4, 64]))
        mutated[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        path.write_bytes(mutated.tobytes()[: rng.integers(len(content) // 2, 2 * len(content))])
        outcomes.append([_outcome(path), _outcome(path)])
    assert all(first == second for first, second in outcomes)
    assert {type(first) for first, _ in outcomes} == {int, str}


def _outcome(path: Path) -> int | str:
    try:
        facts = probe(path)
    except RecordingError as error:
        return str(error)
    assert facts.n_frames_decoded == len(facts.times_s)
    assert (np.diff(facts.times_s) >= 0).all()
    assert np.isfinite([facts.duration_s, facts.fps_mean, facts.brightness]).all()
    return len(facts.times_s)


@pytest.mark.parametrize(
    ("times_s", "variable"),
    [
        (np.arange(500) / 29.97, False),
        # Matroska's milliseconds
        (np.round(np.arange(500) / 120, 3), False),
        # one frame of 500 was dropped
        (np.delete(np.arange(500) / 25, 250), False),
        # every tenth was
        (np.delete(np.arange(500) / 25, np.arange(0, 500, 10)), True),
        (np.concatenate([np.arange(250) / 30, 250 / 30 + np.arange(250) / 24]), True),
        (np.array([0.0]), False),
    ],
)
def test_variable_rate(times_s: np.ndarray, variable: bool) -> None:
    """Rounding and rare drops are no variable rate; mixed rates and frequent drops are."""
    assert is_variable_rate(times_s) is variable
