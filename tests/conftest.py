"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from typer.testing import CliRunner

from emoclip_clinic.cli import app
from tests import small_study
from tests.guard.no_network import refuse_network
from tests.guard.passed_on import python_path

# other examples on every machine of ours, the same ones for every change that is judged
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

SHARED = Path(__file__).parents[1].parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole demonstrations: they take longest, and at the end no core waits for one."""
    items.sort(key=lambda item: not item.path.name.startswith("test_demo_"))


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse all that leaves the machine, here and in every process that a test starts."""
    refuse_network()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", python_path(os.environ.get("PYTHONPATH", "")))
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
