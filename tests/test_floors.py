"""The house's floors, read from the imports themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "emoclip_clinic"
GROUND = {"errors", "files", "locks", "resources", "schema"}
NOUNS = {
    "duplicates", "encoding_protocol", "features", "flags", "frames", "given_scores", "groups",
    "headings",
    "item_columns", "item_names", "matching", "mentions", "participant_rule", "participants",
    "predictions", "pseudonyms", "quality", "rating_cells", "ratings", "recordings", "reviews",
    "scale",
    "scale_rules", "scales", "scan", "scoring", "segments", "settings", "sheets", "tensors",
    "thresholds", "turns", "weights",
}  # fmt: skip
WORKSHOPS = {
    "agreement", "demo", "encoder", "ratings_files", "regression", "report", "training",
    "turns_files", "video",
}  # fmt: skip
FLOORS = [GROUND, NOUNS, WORKSHOPS, {"study"}, {"pipeline"}, {"cluster"}, {"cli"}]
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
DOORS = {
    ("encoder", "video"), ("training", "encoder"), ("demo", "encoder"), ("demo", "training"),
    # a regression that tunes the encoder's temporal layers runs them
    ("regression", "encoder"),
}  # fmt: skip
LIGHT = {"numpy", "pandas"}
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"
)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports(path) if name.startswith("emoclip_clinic.")]
    return {part[1] for part in parts} & set(FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    """Nouns never import workshops, workshops never one another but through the known doors."""
    here = room(path)
    assert here in FLOOR, f"{here} has no floor"
    for other in rooms_imported(path) - {here}:
        below = FLOOR[other] < FLOOR[here] or FLOOR[other] == FLOOR[here] < 2
        assert below or (here, other) in DOORS, f"{here} imports {other}"


@pytest.mark.parametrize("room_name", sorted(GROUND | NOUNS | {"study"}))
def test_the_lower_floors_are_light(room_name: str) -> None:
    """Ground and nouns need the standard library, numpy and pandas only."""
    import sys

    for name in imports(PACKAGE / f"{room_name}.py"):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names | LIGHT | {"emoclip_clinic"}, name


def test_commands_import_nothing_heavy_before_they_run() -> None:
    """`--help` answers at once: at the top of a command's file stand only typer and the frame."""
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                top = node.module.split(".")
                assert top[0] != "emoclip_clinic" or top[1] in {"cli", "errors"}, path.name
                assert top[0] not in {"pandas", "numpy", "rich"}, path.name
