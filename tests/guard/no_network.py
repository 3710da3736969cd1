"""Refuse a Python process whatever leaves the machine; tests and their processes have it."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["refuse_network"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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
            _require(address[0], lambda ip: ip.is_loopback or ip.is_unspecified)
    elif event in LOOKS_UP:
        # of a number nobody is asked
        _require(given[0], lambda ip: True)


def _require(host: str | bytes | None, allowed: Callable[[Address], bool]) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return
    try:
        near = allowed(ipaddress.ip_address(name))
    except ValueError:
        near = False
    if not near:
        raise OSError(f"a test asked for the network: {name}")
