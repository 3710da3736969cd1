"""What every test may use."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from tests import small_study

# other examples on every machine of ours, the same ones for every change that is judged
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

LOOPBACK = ("127.", "::1", "localhost")

SHARED = Path(__file__).parents[1].parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole demonstrations: they take longest, and at the end no core waits for one."""
    items.sort(key=lambda item: not item.path.name.startswith("test_demo_"))


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves the machine: no command but one may ask for it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        outside = self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK)
        if outside:
            raise OSError(f"a test asked for the network: {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture
def shared() -> Path:
    """Find the reference data beside the checkout; where there is none, skip the test."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference data in ../shared, which is absent here")
    return SHARED


@pytest.fixture(scope="session")
def encoded_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encode a small study once for all tests."""
    folder = tmp_path_factory.mktemp("small") / "study"
    small_study.write_settings(folder)
    small_study.make_recordings(folder / "interviews")
    small_study.make_ratings().to_csv(folder / "ratings.csv", index=False)
    result = CliRunner().invoke(
        app, ["encode", str(folder / "interviews"), "--study", str(folder)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.stderr
    return folder
