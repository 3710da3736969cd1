"""ELAN's .eaf: tiers of annotations between time slots.

Source: Max Planck Institute for Psycholinguistics, "ELAN Annotation Format, EAF schema 3.0".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Stretch, Turn, make_turn

__all__ = ["read"]

Spans = dict[str, Stretch]
"""Start and stop of each annotation, by its id, in seconds."""


def read(text: str) -> list[Turn]:
    """Read the annotations of every tier, empty ones too: a segmentation needs no transcript.

    A slot without a time lies evenly between its neighbours, as ELAN shows it. An annotation that
    refers to another has its time, or an even share of it where several follow one another.

    Raises
    ------
    TurnsError
        It is no EAF, declares entities, counts in another unit than milliseconds, shifts its media,
        or refers to what is not there.
    """
    root = _root(text)
    slots = {
        slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")
    }
    tiers = root.findall("TIER")
    people = Counter(tier.get("PARTICIPANT") for tier in tiers if not tier.get("PARENT_REF"))
    try:
        spans = {key: span for tier in tiers for key, span in _aligned(tier, slots).items()}
        _add_referring(tiers, spans)
        return [turn for tier in tiers for turn in _turns(tier, spans, people)]
    except KeyError as error:
        raise TurnsError(f"it refers to {error}, which is not there. Save it again in ELAN.") from (
            error
        )


def _root(text: str) -> ET.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TurnsError(
            "it declares a document type or entities, which ELAN does not. It is not read."
        )
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise TurnsError(f"it is not whole XML ({error}). Save it again in ELAN.") from error
    header = root.find("HEADER")
    if root.tag != "ANNOTATION_DOCUMENT" or header is None:
        raise TurnsError("it is no ELAN document.")
    unit = header.get("TIME_UNITS", "milliseconds")
    if unit != "milliseconds":
        raise TurnsError(
            f"it counts time in {unit}; milliseconds are needed. Save it again in ELAN."
        )
    if any(media.get("TIME_ORIGIN", "0") != "0" for media in header.iter("MEDIA_DESCRIPTOR")):
        raise TurnsError(
            "its times are shifted against a recording (synchronised media, TIME_ORIGIN). Export "
            "the tiers from ELAN as tab-delimited text with the times of this recording."
        )
    return root


def _aligned(tier: ET.Element, slots: dict[str, str | None]) -> Spans:
    """Give the times of annotations between slots."""
    found: Spans = {}
    chain: list[str] = []
    open_s, last = 0.0, ""
    for one in tier.iter("ALIGNABLE_ANNOTATION"):
        first, before = one.get("TIME_SLOT_REF1", ""), last
        last = one.get("TIME_SLOT_REF2", "")
        if not chain:
            open_s = _seconds(slots, first)
        elif first != before:
            break
        chain.append(one.get("ANNOTATION_ID", ""))
        if slots[last] is not None:
            found |= _shares(chain, (open_s, _seconds(slots, last)))
            chain = []
    if chain:
        raise TurnsError(f"annotation {chain[0]} has no end in time. Align it in ELAN.")
    return found


def _seconds(slots: dict[str, str | None], slot: str) -> float:
    value = slots[slot]
    if value is None:
        raise TurnsError(f"time slot {slot} has no time. Align its annotations in ELAN.")
    if not value.isdecimal():
        raise TurnsError(f"time slot {slot} is at {value!r}; whole milliseconds are needed.")
    return int(value) / 1000


def _shares(chain: list[str], whole: Stretch) -> Spans:
    """Divide a stretch evenly among annotations that follow one another."""
    start_s, stop_s = whole
    edges_s = [start_s + (stop_s - start_s) * k / len(chain) for k in range(len(chain))] + [stop_s]
    return {key: (edges_s[k], edges_s[k + 1]) for k, key in enumerate(chain)}


def _add_referring(tiers: list[ET.Element], spans: Spans) -> None:
    """Add annotations that refer to others, parents first."""
    waiting: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
    for number, tier in enumerate(tiers):
        for one in tier.iter("REF_ANNOTATION"):
            siblings = waiting[number, one.get("ANNOTATION_REF", "")]
            siblings[one.get("ANNOTATION_ID", "")] = one.get("PREVIOUS_ANNOTATION", "")
    while waiting:
        ready = [key for key in waiting if key[1] in spans]
        if not ready:
            raise KeyError(next(iter(waiting))[1])
        for key in ready:
            spans |= _shares(_in_order(waiting.pop(key)), spans[key[1]])


def _in_order(before: dict[str, str]) -> list[str]:
    """Sort annotations of which each names the one before it."""

    def depth(key: str) -> int:
        steps = 0
        while before[key] in before and steps < len(before):
            key, steps = before[key], steps + 1
        return steps

    return sorted(before, key=depth)


def _turns(tier: ET.Element, spans: Spans, people: Counter[str | None]) -> Iterator[Turn]:
    name, person = tier.get("TIER_ID", ""), tier.get("PARTICIPANT") or ""
    # somebody with several tiers of their own is chosen by the tier, which may hold gestures
    known = person if people[person] == 1 and not tier.get("PARENT_REF") else ""
    for one in tier.iter():
        key = one.get("ANNOTATION_ID")
        if key is not None:
            said = one.findtext("ANNOTATION_VALUE") or ""
            place = f"tier {name!r}, annotation {key}"
            yield make_turn(*spans[key], place, speaker=name, section=said, person=known)
