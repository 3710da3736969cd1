"""What a camera writes into a video file stays there."""

from __future__ import annotations

import base64
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pypdf
import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from tests import small_study
from tests.two_people import drawn
from tests.videos import write_video

TAGS = {
    "creation_time": "2023-05-17T09:41:23.000000Z",
    "location": "+52.5163+013.3777/",
    "make": "Quillcam",
    "model": "Quillcam 12 Pro",
    "title": "Interview of Ottoline",
    "comment": "sister waits outside",
    "com.apple.quicktime.location.ISO6709": "+52.5163+013.3777+034.000/",
    "com.apple.quicktime.software": "Featherware 16.4.1",
}
TELLING = (
    "2023-05-17", "09:41", "52.5163", "013.3777", "Quillcam", "Ottoline", "sister",
    "Featherware", "Front camera",
)  # fmt: skip


def film(path: Path) -> None:
    """Write a second of video with every tag that a phone writes, and some more."""
    path.parent.mkdir(parents=True)
    options = {"movflags": "use_metadata_tags"}
    with av.open(path, "w", options=options) as container:
        container.metadata.update(TAGS)
        stream = container.add_stream("h264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.metadata["handler_name"] = "Front camera"
        for level in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 + 8 * level, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_embedded_metadata_reach_nothing_that_encode_writes(tmp_path: Path, suffix: str) -> None:
    """Place, time, device and remarks in a file are in none of its outputs."""
    folder = tmp_path / "study"
    small_study.write_settings(folder)
    video = tmp_path / "interviews" / "P01" / f"interview.{suffix}"
    film(video)
    require_tags(video)
    said = typed("encode", tmp_path / "interviews", "--study", folder, "--json")
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".safetensors" for path in written)
    require_silence(said, written)


def test_embedded_metadata_reach_no_later_output(tmp_path: Path) -> None:
    """Nor those of fit, agree, report, predict, review and export; also packed within them."""
    folder, study = tmp_path / "interviews", tmp_path / "study"
    small_study.write_settings(study)
    small_study.make_recordings(folder)
    small_study.make_ratings().to_csv(study / "ratings.csv", index=False)
    write_video(folder / "P01" / "interview.mp4", drawn(0, 20), fps=10)
    for video in folder.rglob("*.mp4"):
        tag(video)
        require_tags(video)
    own, scale = ("--study", study), ("--scale", "cains")
    model = study / "models" / "cains"
    said = [
        typed("encode", folder, *own),
        typed("fit", *scale, *own),
        typed("agree", *scale, *own),
        typed("report", *scale, *own),
        typed("report", *scale, "--participant", "P01", *own),
        typed("predict", folder, "--model", model, "--output", study / "scores.csv", *own),
        typed("review", "--faces", "haar", *own),
        typed("export", tmp_path / "bundle.zip", "--key", tmp_path / "key", *own),
    ]
    written = [tmp_path / "bundle.zip", *(path for path in study.rglob("*") if path.is_file())]
    kinds = {path.suffix for path in written}
    assert {".csv", ".pdf", ".docx", ".html", ".json", ".skops", ".zip", ".safetensors"} <= kinds
    require_silence("".join(said), written)


def typed(*words: object) -> str:
    """Type a command; give all that it says."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout + result.stderr


def tag(video: Path) -> None:
    """Write every tag into a recording that has none."""
    bare = video.rename(video.with_name(f"bare{video.suffix}"))
    options = {"movflags": "use_metadata_tags"}
    with av.open(bare) as source, av.open(video, "w", options=options) as target:
        target.metadata.update(TAGS)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    bare.unlink()


def require_tags(video: Path) -> None:
    """Make sure that a container keeps place, device and remarks: a search would find them."""
    content = video.read_bytes()
    written = {tag for tag in TELLING if tag.encode() in content}
    assert {"52.5163", "Quillcam", "Ottoline", "sister"} <= written


def require_silence(said: str, written: list[Path]) -> None:
    for telling in TELLING:
        assert telling not in said
    for path in written:
        for content in unpacked(path.name, path.read_bytes()):
            for telling in TELLING:
                assert telling.encode() not in content, (path, telling)


def unpacked(name: str, content: bytes) -> Iterator[bytes]:
    """Give a file's bytes, and those of all that is packed in it."""
    yield content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for one in archive.infolist():
                yield one.filename.encode() + one.comment
                yield from unpacked(one.filename, archive.read(one))
    elif name.endswith(".pdf"):
        reader = pypdf.PdfReader(io.BytesIO(content))
        yield str(reader.metadata).encode()
        yield from (page.extract_text().encode() for page in reader.pages)
    elif name.endswith(".html"):
        yield from map(base64.b64decode, re.findall(rb"base64,([A-Za-z0-9+/=]+)", content))


def test_a_file_of_other_metadata_and_equal_pictures_gives_equal_features(tmp_path: Path) -> None:
    """Features are of the pictures alone: a tag changes none of them."""
    vectors = []
    for name in ("one", "two"):
        folder = tmp_path / name / "study"
        small_study.write_settings(folder)
        video = tmp_path / name / "interviews" / "P01" / "interview.mp4"
        film(video)
        if name == "two":
            with av.open(video) as source, av.open(tmp_path / "bare.mp4", "w") as target:
                stream = target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        target.mux(packet)
            shutil.move(tmp_path / "bare.mp4", video)
        words = ["encode", str(video.parents[1]), "--study", str(folder)]
        assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
        (path,) = folder.rglob("*.safetensors")
        vectors.append(path.read_bytes()[-64 * 4 :])
    assert vectors[0] == vectors[1]
