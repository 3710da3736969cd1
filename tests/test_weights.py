from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emoclip_clinic import weights
from emoclip_clinic.errors import EncoderError
from emoclip_clinic.weights import WeightFile

CONTENT = bytes(range(256)) * 9000


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `cut_after` bytes a response if set, by Range if `ranges`."""

    cut_after: int | None = None
    ranges = True
    asked: list[str | None]


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server

    def do_GET(self) -> None:
        """Send CONTENT from where it is asked for."""
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/file.bin":
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = len(CONTENT) if self.server.cut_after is None else start + self.server.cut_after
        self.wfile.write(CONTENT[start:stop])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def known(server: Server, content: bytes = CONTENT, page: str = "file.bin") -> WeightFile:
    return WeightFile(
        name="test",
        filename="file.bin",
        sha256=hashlib.sha256(content).hexdigest(),
        url=f"http://127.0.0.1:{server.server_port}/{page}",
        licence="",
        description="",
    )


def test_fetch_gives_the_file(server: Server, tmp_path: Path) -> None:
    """A download arrives whole, tells its progress and leaves nothing else behind."""
    seen: list[tuple[int, int]] = []
    path = weights.fetch(known(server), tmp_path / "new", progress=lambda *at: seen.append(at))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert list(path.parent.iterdir()) == [path]


def test_fetch_does_not_ask_for_what_is_there(server: Server, tmp_path: Path) -> None:
    """A file of the right content is not downloaded again."""
    weights.fetch(known(server), tmp_path)
    weights.fetch(known(server), tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_fetch_goes_on_after_a_cut(server: Server, tmp_path: Path, ranges: bool) -> None:
    """A cut download is an error that keeps what came; the next run needs only the rest."""
    server.cut_after, server.ranges = 1_000_000, ranges
    with pytest.raises(EncoderError, match="ended after 1000000 of 2304000 bytes"):
        weights.fetch(known(server), tmp_path)
    assert not (tmp_path / "file.bin").exists()
    server.cut_after = None
    assert weights.fetch(known(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-"]


def test_fetch_of_a_complete_part(server: Server, tmp_path: Path) -> None:
    """A process that was killed between the last byte and the renaming is taken up."""
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert weights.fetch(known(server), tmp_path).read_bytes() == CONTENT


def test_fetch_rejects_other_content(server: Server, tmp_path: Path) -> None:
    """Content of another hash is an error, and is not kept."""
    with pytest.raises(EncoderError, match="SHA-256 is not"):
        weights.fetch(known(server, content=b"other"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fetch_of_a_page_that_is_gone(server: Server, tmp_path: Path) -> None:
    """A server's refusal is one message that says what else can be done."""
    with pytest.raises(EncoderError, match=r"404.*weights import FILE"):
        weights.fetch(known(server, page="gone"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fetch_without_a_server(server: Server, tmp_path: Path) -> None:
    """A machine without a network gets the same message, with no traceback of the library."""
    file = known(server)
    server.server_close()
    with pytest.raises(EncoderError, match="could not be fetched"):
        weights.fetch(file, tmp_path)


def test_folder_is_the_nearest_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option comes before the environment, the environment before the home folder."""
    monkeypatch.delenv("EMOCLIP_CLINIC_WEIGHTS", raising=False)
    assert weights.folder() == Path.home() / ".emoclip-clinic" / "weights"
    monkeypatch.setenv("EMOCLIP_CLINIC_WEIGHTS", str(tmp_path / "a"))
    assert weights.folder() == tmp_path / "a"
    assert weights.folder(tmp_path / "b") == tmp_path / "b"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("yunet", "weights fetch yunet"),
        ("clip", "weights fetch clip"),
        ("emoclip", "weights import FILE --as emoclip"),
    ],
)
def test_missing_weights_name_the_command(name: str, command: str, tmp_path: Path) -> None:
    """What is absent says how to get it, into the folder that was asked for."""
    target = tmp_path / "my weights"
    with pytest.raises(EncoderError, match=f"emoclip-clinic {command}.*--weights '.*my weights'"):
        weights.path(name, target)
    assert {row.state for row in weights.table(target)} == {"missing"}


def test_unknown_weights_suggest_the_close_ones() -> None:
    """A misspelt name is answered with the names that exist."""
    with pytest.raises(EncoderError, match="Did you mean yunet"):
        weights.find("yunett")


def test_install_knows_files_by_content(shared: Path, tmp_path: Path) -> None:
    """A folder copied from another machine is installed, whatever its files are called."""
    source = tmp_path / "stick"
    source.mkdir()
    detector = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    shutil.copyfile(detector, source / "renamed.onnx")
    (source / "notes.txt").write_text("nothing to install")
    installed = weights.install(source, tmp_path / "weights")
    assert installed == [weights.path("yunet", tmp_path / "weights")]
    assert installed[0].name == detector.name
    with pytest.raises(EncoderError, match=r"holds no weights.*--as emoclip"):
        weights.install(source / "notes.txt", tmp_path / "weights")


def test_damage_is_noticed(shared: Path, tmp_path: Path) -> None:
    """One changed byte makes a file unusable and the message says so."""
    content = bytearray((shared / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes())
    content[1000] ^= 1
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(content)
    assert weights.verify("yunet", tmp_path).state == "damaged"
    with pytest.raises(EncoderError, match="is damaged"):
        weights.path("yunet", tmp_path)


def test_imported_weights_are_trusted_by_their_record(tmp_path: Path) -> None:
    """Weights without a published hash are usable once recorded, and only while unchanged."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    file = first / "emoclip.safetensors"
    file.write_bytes(b"weights")
    with pytest.raises(EncoderError, match="not imported here"):
        weights.path("emoclip", first)
    assert weights.record("emoclip", first) == hashlib.sha256(b"weights").hexdigest()
    assert weights.path("emoclip", first) == file
    assert weights.install(first, second) == [weights.path("emoclip", second)]
    file.write_bytes(b"Weights")
    assert weights.verify("emoclip", first).state == "damaged"
    with pytest.raises(EncoderError, match="holds no weights"):
        weights.install(first, second)
