"""What a camera writes into a video file stays there."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from tests import small_study

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
def test_embedded_metadata_reach_no_output(tmp_path: Path, suffix: str) -> None:
    """Place, time, device and remarks in a file are in nothing that ingest and encode write."""
    folder = tmp_path / "study"
    small_study.write_settings(folder)
    video = tmp_path / "interviews" / "P01" / f"interview.{suffix}"
    film(video)
    content = video.read_bytes()
    written = {tag for tag in TELLING if tag.encode() in content}
    # the container keeps place, device and remarks: the search below would find them
    assert {"52.5163", "Quillcam", "Ottoline", "sister"} <= written
    words = ["encode", str(tmp_path / "interviews"), "--study", str(folder), "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    outputs = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".safetensors" for path in outputs)
    for path in outputs:
        for tag in TELLING:
            assert tag.encode() not in path.read_bytes(), (path, tag)
    for tag in TELLING:
        assert tag not in result.stdout + result.stderr


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
