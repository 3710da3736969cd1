"""Rating scales as data, read from protocols/scales/*.toml: list, load, check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from emoclip_clinic import resources, scale_rules
from emoclip_clinic.errors import ScaleError, SettingsError
from emoclip_clinic.scale import (
    Band,
    Criterion,
    Difference,
    Item,
    Prorating,
    ReferencePoint,
    Scale,
    Subscale,
)
from emoclip_clinic.schema import build

__all__ = [
    "Band",
    "Criterion",
    "Difference",
    "Item",
    "Prorating",
    "ReferencePoint",
    "Scale",
    "Subscale",
    "check",
    "describe",
    "list_scales",
    "load_scale",
    "overview",
    "targets",
]

FOLDER = "protocols/scales"


def list_scales(study: Path | None = None) -> list[str]:
    """Ids of the scales that a study can use: its own and the shipped ones."""
    return resources.names(FOLDER, study)


def overview(study: Path | None = None) -> pd.DataFrame:
    """List the scales that a study can use, a row a scale.

    Returns
    -------
        id, items (their number), total (its range; empty where there is none), name. A file of the
        study that is wrong is a row too, which says so.
    """
    rows = [_overview(scale_id, study) for scale_id in list_scales(study)]
    return pd.DataFrame(rows, columns=["id", "items", "total", "name"])


def _overview(scale_id: str, study: Path | None) -> tuple[str, str, str, str]:
    scale, problems = _read(resources.find(FOLDER, scale_id, study))
    if scale is None or problems:
        return scale_id, "", "", "cannot be used: 'scales check FILE' says why"
    total = ""
    if scale.total is not None:
        low, high = scale_rules.score_range(scale, scale.total)
        total = f"{low:g}-{high:g}"
    return scale_id, str(len(scale.items)), total, scale.name


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
        (of scores: computed from the items). A difference of two scores is a subscale here.
    """
    rows = [(item.code, "item", item.label, item.minimum, item.maximum) for item in scale.items]
    for part in scale.parts:
        kind = "total" if part is scale.total else "subscale"
        rows.append((part.id, kind, part.label, *scale_rules.score_range(scale, part)))
    return pd.DataFrame(rows, columns=["target", "kind", "label", "minimum", "maximum"])


def describe(scale: Scale) -> list[str]:
    """Say in lines of text what the table of targets does not: sources, rules, open points.

    A line that begins with two spaces belongs to the line above it.
    """
    floor = scale.percent_change_floor
    codes = ", ".join(f"{code:g}" for code in scale.not_assessed)
    lines = [
        f"version: {scale.version}",
        f"reference: {scale.reference}",
        f"licence: {scale.licence}",
        f"direction: {scale.direction}",
        f"missing items: {scale.missing_rule}",
    ]
    lines += [f"not assessed: {codes} (read as missing)"] if codes else []
    if floor is not None:
        lines.append(f"percent change: 100 (baseline - later) / (baseline - {floor:g})")
    sections = [_items(scale), _made(scale), _bands(scale), _criteria(scale), _points(scale)]
    lines += [line for section in sections for line in section]
    for heading, texts in (
        ("notes", scale.notes),
        ("sources", scale.sources),
        ("unverified", scale.unverified),
    ):
        lines += [f"{heading}:", *(f"  - {text}" for text in texts)] if texts else []
    return lines


def _items(scale: Scale) -> Iterator[str]:
    """Say of which items more is to be known than their range."""
    for item in scale.items:
        if item.allowed or item.counts_zero:
            yield f"item {item.code}: allowed {item.range_text}"
        if item.alternatives:
            ways = " or ".join(item.alternatives)
            yield f"item {item.code}: also called {ways}, of which at most one is rated"
        if item.reverse:
            turned = f"{item.minimum + item.maximum:g} - rating"
            yield f"item {item.code}: reverse, counts as {turned} in scores"


def _made(scale: Scale) -> Iterator[str]:
    """Say what each score is made of; scores in a row share one line for their origin."""
    texts = {part.id: f"{part.method} of {' '.join(part.items)}" for part in scale.scores}
    texts |= {part.id: f"{part.plus} minus {part.minus}" for part in scale.differences}
    if scale.total is not None and scale.total.items == scale.codes:
        texts["total"] = f"{scale.total.method} of all items"
    for _, row in groupby(scale.parts, lambda part: (part.source, part.unverified)):
        run = list(row)
        yield from (f"{part.id}: {texts[part.id]}" for part in run)
        yield from _origin(run[0])


def _origin(part: Subscale | Difference | Criterion) -> Iterator[str]:
    if part.source:
        yield f"  source: {part.source}"
    if part.unverified:
        yield f"  unverified: {part.unverified}"


def _bands(scale: Scale) -> Iterator[str]:
    sets = dict.fromkeys((band.band_set, band.target, band.source) for band in scale.bands)
    for band_set, target, source in sets:
        own = [
            f"{band.minimum:g}-{band.maximum:g} {band.label}"
            for band in scale.bands
            if (band.band_set, band.target, band.source) == (band_set, target, source)
        ]
        yield f"bands {band_set}: {target} {', '.join(own)}"
        yield f"  source: {source}"


def _criteria(scale: Scale) -> Iterator[str]:
    for part in scale.criteria:
        each = "each of " if len(part.targets) > 1 else ""
        held = f", for {part.duration} (not judged here)" if part.duration else ""
        yield (
            f"criterion {part.id}: {part.label}: "
            f"{each}{' '.join(part.targets)} {part.range_text}{held}"
        )
        yield from _origin(part)


def _points(scale: Scale) -> Iterator[str]:
    points = [f"{point.target} {point.value:g} {point.label}" for point in scale.reference_points]
    if points:
        yield f"reference points, not edges of bands: {', '.join(points)}"


def _read(path: Path) -> tuple[Scale | None, list[str]]:
    problems: list[str] = []
    try:
        table = resources.read_toml(path)
    except SettingsError as error:
        return None, [str(error)]
    table = _with_total(table)
    scale = build(Scale, table, "", problems)
    # a word that is missing at the top hides nothing of what stands below
    judged = scale or build(Scale, _with_words(table, path.stem), "", [])
    if judged is None:
        problems.append("correct these first: what scores are made of was not looked at yet")
        return None, problems
    problems += scale_rules.problems(judged)
    if judged.id != path.stem:
        problems.append(f"id = {judged.id!r}, but the file is called {path.name}")
    return scale, problems


def _with_words(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Fill in the words that a scale needs and that are missing or are no words."""
    words = {field.name: "" for field in fields(Scale) if field.type == "str"}
    words |= {"id": name, "direction": scale_rules.DIRECTIONS[0]}
    given = {key: v for key, v in table.items() if key not in words or isinstance(v, str)}
    return words | given


def _with_total(table: dict[str, Any]) -> dict[str, Any]:
    # [total] needs a label only: its id is always "total", its items are all unless it names some
    total, items = table.get("total"), table.get("items")
    if not (isinstance(total, dict) and isinstance(items, list)):
        return table
    codes = [item["code"] for item in items if isinstance(item, dict) and "code" in item]
    return table | {"total": {"items": codes} | total | {"id": "total"}}
