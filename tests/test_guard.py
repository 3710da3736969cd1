"""The guard that keeps tests, and every process that they start, from the network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.video import decoder
from emoclip_clinic.video.decoder import Decoder, Limits

# of a block that is kept for examples: nobody has it
OUTSIDE = ("192.0.2.1", 9)
REFUSED = "a test asked for the network: "
ASKS = f"import socket; socket.create_connection({OUTSIDE})"


def datagram() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: socket.create_connection(OUTSIDE),
        lambda: socket.socket().connect_ex(OUTSIDE),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 9)),
        lambda: datagram().connect(OUTSIDE),
        lambda: datagram().sendto(b"", OUTSIDE),
        lambda: datagram().sendmsg([b""], [], 0, OUTSIDE),
        lambda: socket.getaddrinfo("localhost.example.org", 9),
        lambda: socket.getaddrinfo(b"127.example.org", 9),
        lambda: socket.gethostbyname("example.org"),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_nothing_leaves_this_process(ask: Callable[[], Any]) -> None:
    """Connecting, sending without it, and asking for an address: each in every way there is."""
    with pytest.raises(OSError, match=REFUSED):
        ask()


def test_this_machine_is_reached() -> None:
    """By its name and by its numbers, and through sockets that are files."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for name in ("localhost", "127.0.0.1"):
            socket.create_connection((name, port)).close()
    one, other = socket.socketpair()
    one.sendmsg([b"near"])
    assert other.recv(4) == b"near"
    one.close()
    other.close()


def test_nothing_leaves_a_process_that_a_test_starts() -> None:
    """Python's, with this environment or with one of its own that passes the guard on."""
    for env in (None, {"PYTHONPATH": os.environ["PYTHONPATH"]}):
        words = [sys.executable, "-c", ASKS]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert REFUSED in done.stderr


def test_nothing_leaves_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks does not start."""
    monkeypatch.setattr(decoder, "PROGRAM", ASKS)
    with pytest.raises(ClinicError, match=REFUSED):
        Decoder(Limits())
