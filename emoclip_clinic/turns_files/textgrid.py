"""Praat's TextGrid, long or short.

Praat reads both by one rule: what counts are texts in quotation marks, numbers that stand free and
flags in angle brackets; every other word is for the eye.
Source: Praat's manual, "TextGrid file formats" and "Read from file" (praat.org/manual).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from emoclip_clinic.errors import TurnsError
from emoclip_clinic.turns import Turn, make_turn

__all__ = ["SILENCES", "read"]

TOKEN = re.compile(r'"(?P<text>(?:[^"]|"")*+)"|(?P<comment>!.*)|(?P<flag><\S+?>)|(?P<word>[^\s"]+)')
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SILENCES = frozenset({"", "silent", "silence", "sil", "sp", "<sil>", "<p>", "<p:>"})
"""Intervals in which nobody speaks: unlabelled, or as Praat and aligners label silence."""

Token = str | float


def read(text: str) -> list[Turn]:
    """Read the intervals of every tier that are not silent, and points as events.

    Raises
    ------
    TurnsError
        It is no TextGrid, or it ends early.
    """
    tokens = _tokens(text)
    kind = [next(tokens, ""), next(tokens, "")]
    if kind != ["ooTextFile", "TextGrid"] and kind != ["ooTextFile short", "TextGrid"]:
        raise TurnsError("it is no TextGrid. In Praat, choose 'Save as text file'.")
    # its own start and stop
    _number(tokens), _number(tokens)
    return [turn for _ in range(_count(tokens)) for turn in _tier(tokens)]


def _tokens(text: str) -> Iterator[Token]:
    for found in TOKEN.finditer(text):
        word = found["word"]
        if found["text"] is not None:
            yield found["text"].replace('""', '"')
        elif word and NUMBER.fullmatch(word):
            yield float(word)


def _tier(tokens: Iterator[Token]) -> Iterator[Turn]:
    kind, name = _text(tokens), _text(tokens)
    _number(tokens), _number(tokens)
    for number in range(1, _count(tokens) + 1):
        start_s = _number(tokens)
        stop_s = _number(tokens) if kind == "IntervalTier" else start_s
        label = _text(tokens)
        place = f"tier {name!r}, {'interval' if kind == 'IntervalTier' else 'point'} {number}"
        if label.strip().casefold() not in SILENCES:
            yield make_turn(start_s, stop_s, place, speaker=name, section=label)


def _number(tokens: Iterator[Token]) -> float:
    token = next(tokens, None)
    if not isinstance(token, float):
        raise _unfinished(token, "a number")
    return token


def _text(tokens: Iterator[Token]) -> str:
    token = next(tokens, None)
    if not isinstance(token, str):
        raise _unfinished(token, "a text")
    return token


def _count(tokens: Iterator[Token]) -> int:
    number = _number(tokens)
    if number < 0 or number != int(number):
        raise TurnsError(f"{number} stands where a count is needed: the TextGrid is damaged.")
    return int(number)


def _unfinished(token: Token | None, needed: str) -> TurnsError:
    if token is None:
        return TurnsError("the TextGrid ends before it is complete. Save it again in Praat.")
    return TurnsError(f"{token!r} stands where {needed} is needed: the TextGrid is damaged.")
