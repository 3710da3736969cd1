"""Rating scales as data, read from protocols/scales/*.toml: list, load, check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import resources, scale_rules
from emoclip_clinic.errors import ScaleError, SettingsError
from emoclip_clinic.scale import Band, Item, Prorating, ReferencePoint, Scale, Subscale
from emoclip_clinic.schema import build

__all__ = [
    "Band",
    "Item",
    "Prorating",
    "ReferencePoint",
    "Scale",
    "Subscale",
    "check",
    "describe",
    "list_scales",
    "load_scale",
    "targets",
]

FOLDER = "protocols/scales"


def list_scales(study: Path | None = None) -> list[str]:
    """Ids of the scales that a study can use: its own and the shipped ones."""
    return resources.names(FOLDER, study)


def load_scale(scale_id: str, study: Path | None = None) -> Scale:
    """Read a scale by its id; a study's own file comes before the shipped one.

    Raises
    ------
    ScaleError
        The scale is unknown (the close ones are suggested), or its file is wrong.
    """
    known = list_scales(study)
    if scale_id not in known:
        raise ScaleError(
            f"there is no scale {scale_id!r}. {resources.close_matches(scale_id, known)}"
            f"Known: {', '.join(known)}. Your own goes into {FOLDER}/ of the study."
        )
    path = resources.find(FOLDER, scale_id, study)
    scale, problems = _read(path)
    if scale is None or problems:
        raise ScaleError(
            f"{path.name} is not a usable scale: {'; '.join(problems)}. "
            f"Correct the file, then see 'emoclip-clinic scales check'."
        )
    return scale


def check(path: Path) -> list[str]:
    """Every problem of a scale file, in words; an empty list says that it can be used."""
    return _read(path)[1]


def targets(scale: Scale) -> pd.DataFrame:
    """List what a scale gives to predict and to compare: items, then subscales, then the total.

    Returns
    -------
        target (item code or score id), kind ("item", "subscale", "total"), label, minimum, maximum
        (of sums and means: computed from the items).
    """
    rows = [(item.code, "item", item.label, item.minimum, item.maximum) for item in scale.items]
    for score in scale.scores:
        kind = "total" if score is scale.total else "subscale"
        rows.append((score.id, kind, score.label, *scale_rules.score_range(scale, score)))
    return pd.DataFrame(rows, columns=["target", "kind", "label", "minimum", "maximum"])


def describe(scale: Scale) -> list[str]:
    """Say in lines of text what the table of targets does not: sources, rules, open points."""
    floor = scale.percent_change_floor
    lines = [
        f"version: {scale.version}",
        f"reference: {scale.reference}",
        f"licence: {scale.licence}",
        f"direction: {scale.direction}",
        f"missing items: {scale.missing_rule}",
    ]
    if floor is not None:
        lines.append(f"percent change: 100 (baseline - later) / (baseline - {floor:g})")
    for score in scale.scores:
        lines.append(f"{score.id}: {score.method} of {' '.join(score.items)}")
        lines += [f"  source: {score.source}"] if score.source else []
        lines += [f"  unverified: {score.unverified}"] if score.unverified else []
    for band in scale.bands:
        span = f"{band.minimum:g}-{band.maximum:g}"
        lines.append(f"band: {band.target} {span} {band.label} ({band.band_set}; {band.source})")
    for point in scale.reference_points:
        lines.append(f"reference point: {point.target} {point.value:g} {point.label}")
    lines += [f"note: {text}" for text in scale.notes]
    lines += [f"source: {text}" for text in scale.sources]
    lines += [f"unverified: {text}" for text in scale.unverified]
    return lines


def _read(path: Path) -> tuple[Scale | None, list[str]]:
    problems: list[str] = []
    try:
        table = resources.read_toml(path)
    except SettingsError as error:
        return None, [str(error)]
    scale = build(Scale, _with_total(table), "", problems)
    if scale is not None:
        problems += scale_rules.problems(scale)
        if scale.id != path.stem:
            problems.append(f"id = {scale.id!r}, but the file is called {path.name}")
    return scale, problems


def _with_total(table: dict[str, Any]) -> dict[str, Any]:
    # [total] needs a label only: its id is always "total", its items are all unless it names some
    total, items = table.get("total"), table.get("items")
    if not (isinstance(total, dict) and isinstance(items, list)):
        return table
    codes = [item["code"] for item in items if isinstance(item, dict) and "code" in item]
    return table | {"total": {"items": codes} | total | {"id": "total"}}
