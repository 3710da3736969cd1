"""What must hold in a rating scale, beyond the types of its keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from emoclip_clinic.scale import Band, Criterion, Difference, Item, Scale, Subscale

__all__ = ["problems", "score_range"]

DIRECTIONS = ("higher is worse", "higher is better")
METHODS = ("sum", "mean")

Ranges = Mapping[str, tuple[float, float]]


def score_range(scale: Scale, score: Subscale | Difference) -> tuple[float, float]:
    """Lowest and highest value of a score, from the ranges of its items."""
    if isinstance(score, Difference):
        scores = {part.id: part for part in scale.scores}
        plus = score_range(scale, scores[score.plus])
        minus = score_range(scale, scores[score.minus])
        return plus[0] - minus[1], plus[1] - minus[0]
    items = [scale.item(code) for code in score.items]
    share = len(items) if score.method == "mean" else 1
    return (
        sum(item.minimum for item in items) / share,
        sum(item.maximum for item in items) / share,
    )


def problems(scale: Scale) -> list[str]:
    """Everything that is wrong with a scale, in words; an empty list where it can be used."""
    ranges = _ranges(scale)
    found = [*_scale_problems(scale)]
    for item in scale.items:
        found += _item_problems(scale, item)
    for score in scale.scores:
        found += _score_problems(scale, score)
    for difference in scale.differences:
        found += _difference_problems(scale, difference)
    for criterion in scale.criteria:
        found += _criterion_problems(criterion)
    found += _prorating_problems(scale)
    found += _number_problems(scale, ranges)
    found += [*_floor_problems(scale, ranges), *_band_problems(scale.bands)]
    return list(dict.fromkeys(found))


def _ranges(scale: Scale) -> Ranges:
    """Ranges of items, and of the scores whose parts are all there."""
    ranges = {item.code: (item.minimum, item.maximum) for item in scale.items}
    sound = [score for score in scale.scores if score.items and set(score.items) <= ranges.keys()]
    ranges |= {score.id: score_range(scale, score) for score in sound}
    names = {score.id for score in sound}
    for difference in scale.differences:
        if {difference.plus, difference.minus} <= names:
            ranges[difference.id] = score_range(scale, difference)
    return ranges


def _repeated(words: Iterable[str]) -> list[str]:
    return sorted(word for word, count in Counter(words).items() if count > 1)


def _names(scale: Scale) -> list[str]:
    """Codes and ids of whatever can be a target."""
    return [*scale.codes, *(part.id for part in scale.parts)]


def _scale_problems(scale: Scale) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", scale.id):
        yield f"id = {scale.id!r}; allowed: lower-case letters, digits, - and _"
    if scale.direction not in DIRECTIONS:
        yield f"direction = {scale.direction!r}; allowed: {', '.join(DIRECTIONS)}"
    if not scale.items:
        yield "there are no items"
    others = [code for item in scale.items for code in item.alternatives]
    for name in _repeated(name.lower() for name in [*_names(scale), *others]):
        yield f"{name}: two items or scores have this name"
    for name in _repeated(criterion.id for criterion in scale.criteria):
        yield f"{name}: two criteria have this name"


def _item_problems(scale: Scale, item: Item) -> Iterator[str]:
    where = f"item {item.code}"
    for code in (item.code, *item.alternatives):
        if not re.fullmatch(r"[A-Za-z0-9]+", code):
            yield f"item {code!r}; allowed in a code: letters and digits"
    if item.minimum >= item.maximum:
        yield f"{where}: minimum {item.minimum:g} is not below maximum {item.maximum:g}"
    ends = (item.allowed[0], item.allowed[-1]) if item.allowed else (item.minimum, item.maximum)
    if ends != (item.minimum, item.maximum):
        yield f"{where}: allowed must begin at the minimum and end at the maximum"
    if any(low >= high for low, high in pairwise(item.allowed)):
        yield f"{where}: allowed must rise from value to value"
    for value in filter(item.accepts, scale.not_assessed):
        yield f"{where}: {value:g} is a rating, and in not_assessed as well"
    for value in item.counts_zero:
        if item.minimum <= value <= item.maximum:
            yield f"{where}: {value:g} is a rating, and in counts_zero as well"
    if item.counts_zero and not item.minimum <= 0 <= item.maximum:
        yield f"{where}: counts_zero, but 0 lies outside {item.minimum:g}-{item.maximum:g}"


def _id_problems(kind: str, name: str) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9_]+", name):
        yield f"{kind} {name!r}; allowed in an id: lower-case letters, digits and _"


def _score_problems(scale: Scale, score: Subscale) -> Iterator[str]:
    where = f"subscale {score.id}"
    yield from _id_problems("subscale", score.id)
    if score.method not in METHODS:
        yield f"{where}: method = {score.method!r}; allowed: {', '.join(METHODS)}"
    if not score.items:
        yield f"{where}: there are no items"
    for code in _repeated(score.items):
        yield f"{where}: item {code} is given twice"
    for code in sorted(set(score.items) - set(scale.codes)):
        yield f"{where}: there is no item {code!r}; the items are {', '.join(scale.codes)}"


def _difference_problems(scale: Scale, difference: Difference) -> Iterator[str]:
    yield from _id_problems("difference", difference.id)
    known = [score.id for score in scale.scores]
    for part in (difference.plus, difference.minus):
        if part not in known:
            allowed = ", ".join(known) or "there are none"
            yield f"difference {difference.id}: there is no score {part!r}; allowed: {allowed}"


def _criterion_problems(criterion: Criterion) -> Iterator[str]:
    where = f"criterion {criterion.id}"
    lows = [value for value in (criterion.minimum, criterion.above) if value is not None]
    yield from _id_problems("criterion", criterion.id)
    if not criterion.targets:
        yield f"{where}: there are no targets"
    if not lows and criterion.maximum is None:
        yield f"{where}: give minimum or above, maximum, or both"
    if len(lows) > 1:
        yield f"{where}: give minimum or above, not both"
    if criterion.maximum is not None and any(low > criterion.maximum for low in lows):
        yield f"{where}: minimum is above maximum"


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
        items = [item for item in scale.items if item.code in scores[target].items]
        if rule.maximum_missing >= len(items):
            yield f"prorating: {target} has {len(items)} items; maximum_missing must be fewer"
        # the mean of some items says nothing of another on a different range
        if len({(item.minimum, item.maximum) for item in items}) > 1:
            yield f"prorating: the items of {target} have different ranges"


def _numbers(scale: Scale) -> Iterator[tuple[str, str, float]]:
    """Give every number that is said of a score: where it stands, the score, the number."""
    for band in scale.bands:
        yield f"band {band.label}", band.target, band.minimum
        yield f"band {band.label}", band.target, band.maximum
    for point in scale.reference_points:
        yield f"point {point.label}", point.target, point.value
    for criterion in scale.criteria:
        for target in criterion.targets:
            for value in (criterion.minimum, criterion.above, criterion.maximum):
                if value is not None:
                    yield f"criterion {criterion.id}", target, value


def _number_problems(scale: Scale, ranges: Ranges) -> Iterator[str]:
    known = set(_names(scale))
    for where, target, value in _numbers(scale):
        # the range of a score whose parts are not there is unknown: its problem is told already
        low, high = ranges.get(target, (value, value))
        if target not in known:
            yield f"{where}: there is no item or score {target!r}"
        elif not low <= value <= high:
            yield f"{where}: {value:g} is outside the range {low:g}-{high:g} of {target}"


def _floor_problems(scale: Scale, ranges: Ranges) -> Iterator[str]:
    floor = scale.percent_change_floor
    if floor is None:
        return
    if scale.direction == "higher is better":
        yield "percent_change_floor: where higher is better there is none; leave it out"
    every = (sum(item.minimum for item in scale.items), sum(item.maximum for item in scale.items))
    low, high = ranges.get("total", every)
    if floor != low:
        yield (
            f"percent_change_floor = {floor:g}; allowed: {low:g}, "
            f"as the total runs from {low:g} to {high:g}"
        )


def _band_problems(bands: Iterable[Band]) -> Iterator[str]:
    ordered = sorted(bands, key=lambda band: (band.band_set, band.target, band.minimum))
    for band in ordered:
        if band.minimum > band.maximum:
            yield f"band {band.label}: minimum is above maximum"
    for low, high in pairwise(ordered):
        same = (low.band_set, low.target) == (high.band_set, high.target)
        if same and high.minimum <= low.maximum:
            yield f"bands {low.label} and {high.label} of set {low.band_set} overlap"
