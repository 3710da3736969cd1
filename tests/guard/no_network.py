"""Refuse a Python process whatever leaves the machine; tests and their processes have it."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any

__all__ = ["refuse_network"]

SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
"""What Python itself reports before it is done: `connect_ex` is a connect, too."""
LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def refuse_network() -> None:
    """Let this process, from now on, reach nothing but itself and its neighbours."""
    sys.addaudithook(_watch)


def _watch(event: str, given: tuple[Any, ...]) -> None:
    if event in SENDS:
        to, address = given
        # a message without an address goes where its socket is connected
        if to.family in (socket.AF_INET, socket.AF_INET6) and address is not None:
            _require_near(address[0])
    elif event in LOOKS_UP:
        _require_near(given[0])


def _require_near(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name and name != "localhost" and not _is_loopback(name):
        raise OSError(f"a test asked for the network: {name}")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
