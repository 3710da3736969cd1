"""What must hold in a rating scale, beyond the types of its keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from emoclip_clinic.scale import Band, Item, Scale, Subscale

__all__ = ["problems", "score_range"]

DIRECTIONS = ("higher is worse", "higher is better")
METHODS = ("sum", "mean")


def score_range(scale: Scale, score: Subscale) -> tuple[float, float]:
    """Lowest and highest value of a subscale or total, from the ranges of its items."""
    items = [scale.item(code) for code in score.items]
    share = len(items) if score.method == "mean" else 1
    return (
        sum(item.minimum for item in items) / share,
        sum(item.maximum for item in items) / share,
    )


def problems(scale: Scale) -> list[str]:
    """Everything that is wrong with a scale, in words; an empty list where it can be used."""
    found = [*_scale_problems(scale)]
    for item in scale.items:
        found += _item_problems(scale, item)
    for score in scale.scores:
        found += _score_problems(scale, score)
    # ranges can be computed only where the items and scores are sound
    return found or [*_prorating_problems(scale), *_number_problems(scale)]


def _repeated(words: Iterable[str]) -> list[str]:
    return sorted(word for word, count in Counter(words).items() if count > 1)


def _scale_problems(scale: Scale) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", scale.id):
        yield f"id = {scale.id!r}; allowed: lower-case letters, digits, - and _"
    if scale.direction not in DIRECTIONS:
        yield f"direction = {scale.direction!r}; allowed: {', '.join(DIRECTIONS)}"
    if not scale.items:
        yield "there are no items"
    ids = [*scale.codes, *(score.id for score in scale.scores)]
    for name in _repeated(name.lower() for name in ids):
        yield f"{name}: two items or scores have this name"


def _item_problems(scale: Scale, item: Item) -> Iterator[str]:
    where = f"item {item.code}"
    if not re.fullmatch(r"[A-Za-z0-9]+", item.code):
        yield f"item {item.code!r}; allowed in a code: letters and digits"
    if item.minimum >= item.maximum:
        yield f"{where}: minimum {item.minimum:g} is not below maximum {item.maximum:g}"
    ends = (item.allowed[0], item.allowed[-1]) if item.allowed else (item.minimum, item.maximum)
    if ends != (item.minimum, item.maximum):
        yield f"{where}: allowed must begin at the minimum and end at the maximum"
    if any(low >= high for low, high in pairwise(item.allowed)):
        yield f"{where}: allowed must rise from value to value"
    for value in filter(item.accepts, scale.not_assessed):
        yield f"{where}: {value:g} is a rating, and in not_assessed as well"


def _score_problems(scale: Scale, score: Subscale) -> Iterator[str]:
    where = f"subscale {score.id}"
    if not re.fullmatch(r"[a-z0-9_]+", score.id):
        yield f"subscale {score.id!r}; allowed in an id: lower-case letters, digits and _"
    if score.method not in METHODS:
        yield f"{where}: method = {score.method!r}; allowed: {', '.join(METHODS)}"
    if not score.items:
        yield f"{where}: there are no items"
    for code in _repeated(score.items):
        yield f"{where}: item {code} is given twice"
    for code in sorted(set(score.items) - set(scale.codes)):
        yield f"{where}: there is no item {code!r}; the items are {', '.join(scale.codes)}"


def _prorating_problems(scale: Scale) -> Iterator[str]:
    rule = scale.prorating
    if rule is None:
        return
    scores = {score.id: score for score in scale.scores}
    if rule.maximum_missing < 1:
        yield f"prorating: maximum_missing = {rule.maximum_missing}; allowed: 1 or more"
    for target in rule.targets:
        if target not in scores:
            yield f"prorating: there is no score {target!r}; allowed: {', '.join(scores)}"
            continue
        items = [scale.item(code) for code in scores[target].items]
        if rule.maximum_missing >= len(items):
            yield f"prorating: {target} has {len(items)} items; maximum_missing must be fewer"
        # the mean of some items says nothing of another on a different range
        if len({(item.minimum, item.maximum) for item in items}) > 1:
            yield f"prorating: the items of {target} have different ranges"


def _number_problems(scale: Scale) -> Iterator[str]:
    ranges = {item.code: (item.minimum, item.maximum) for item in scale.items}
    ranges |= {score.id: score_range(scale, score) for score in scale.scores}
    named = [(f"band {band.label}", band.target, band.minimum) for band in scale.bands]
    named += [(f"band {band.label}", band.target, band.maximum) for band in scale.bands]
    named += [
        (f"point {point.label}", point.target, point.value) for point in scale.reference_points
    ]
    for where, target, value in named:
        low, high = ranges.get(target, (value, value))
        if target not in ranges:
            yield f"{where}: there is no item or score {target!r}"
        elif not low <= value <= high:
            yield f"{where}: {value:g} is outside the range {low:g}-{high:g} of {target}"
    floor, total = scale.percent_change_floor, ranges.get("total")
    if floor is not None and total and not total[0] <= floor <= total[1]:
        yield f"percent_change_floor = {floor:g}; the total runs from {total[0]:g} to {total[1]:g}"
    yield from _band_problems(scale.bands)


def _band_problems(bands: Iterable[Band]) -> Iterator[str]:
    ordered = sorted(bands, key=lambda band: (band.band_set, band.target, band.minimum))
    for band in ordered:
        if band.minimum > band.maximum:
            yield f"band {band.label}: minimum is above maximum"
    for low, high in pairwise(ordered):
        same = (low.band_set, low.target) == (high.band_set, high.target)
        if same and high.minimum <= low.maximum:
            yield f"bands {low.label} and {high.label} of set {low.band_set} overlap"
